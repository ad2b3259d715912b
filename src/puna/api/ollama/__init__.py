"""Ollama's native dialect: thin routes that validate, call the engine or the store, and answer in Ollama's shapes."""

from puna.api.ollama.inference import router as inference
from puna.api.ollama.models import router as models
from puna.api.ollama.server import router as server

__all__ = ["inference", "models", "server"]
