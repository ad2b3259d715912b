"""Measures Puna's speed and memory against its own bare engine. `make bench` runs it; README.md says how to read it."""
