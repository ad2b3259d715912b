"""One module per command, or per close pair: each takes parsed words and returns the exit status."""
