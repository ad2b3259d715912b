"""Code completion for editors: the text at the cursor, from any Ollama-compatible endpoint."""
