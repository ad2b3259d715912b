"""Anthropic's dialect: `/v1/messages` and `/v1/messages/count_tokens` (contract ollama-http §7)."""

from puna.api.anthropic.messages import router

__all__ = ["router"]
