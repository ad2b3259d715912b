"""Puna: the home of local language models on one machine."""

__version__ = "0.1.0"  # the only place: the build reads it from here (asking importlib.metadata costs 40 ms a start)

OLLAMA_LEVEL = "0.33.0"  # the release whose API and registry protocol Puna speaks
