"""Ollama's native dialect: thin routes that validate, call a room below, and answer in Ollama's shapes."""

from puna.api.ollama.inference import router as inference
from puna.api.ollama.models import router as models
from puna.api.ollama.server import router as server
from puna.api.ollama.tokens import router as tokens
from puna.api.ollama.transfers import router as transfers

__all__ = ["inference", "models", "server", "tokens", "transfers"]
