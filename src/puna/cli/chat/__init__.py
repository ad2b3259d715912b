"""The interactive session of `puna run` (contract ollama-store §6.6).

`session` and `entries` are pure: what a session is, and how typed lines become entries. `commands` runs slash
commands, `prompt` reads lines from the terminal, `repl` puts them together.
"""
