"""OpenAI's dialect: thin routes that read a body, call the engine, and answer in OpenAI's shapes."""

from fastapi import APIRouter

from puna.api.openai import audio, chat, completions, embeddings, models, responses

router = APIRouter()
for part in (chat, completions, models, embeddings, responses, audio):
    router.include_router(part.router)

__all__ = ["router"]
