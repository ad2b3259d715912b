"""The routes, one module per dialect: read a body, ask the completer, answer in the dialect's shape."""

from starlette.routing import BaseRoute

from puna.code.routes import chats, discovery, llamacpp, ollama, openai

ROUTES: list[BaseRoute] = [
    *ollama.ROUTES,
    *openai.ROUTES,
    *llamacpp.ROUTES,
    *chats.ROUTES,
    *discovery.ROUTES,
]
