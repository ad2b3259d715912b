"""Models on the move: pull and push by Ollama's registry protocol, and who may be talked to at all."""

from puna.registry.glimpse import Glimpse, glimpse
from puna.registry.hosts import Registries
from puna.registry.registry import Outdated, Registry

__all__ = ["Glimpse", "Outdated", "Registries", "Registry", "glimpse"]
