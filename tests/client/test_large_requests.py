"""Questions with pictures: many megabytes in one request."""

from __future__ import annotations

import json
from contextlib import aclosing

from aiohttp import web

from puna.client import Endpoint, OllamaClient


async def test_a_request_with_pictures_arrives_whole() -> None:
    """aiohttp would warn, which is an error here, about one that holds up the event loop."""
    image = "QUJD" * (1 << 20)

    async def chat(request: web.Request) -> web.Response:
        (found,) = json.loads(await request.read())["messages"][0]["images"]
        return web.json_response({"message": {"content": str(found == image)}, "done": True})

    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/api/chat", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        question = {"model": "m", "messages": [{"role": "user", "content": "?", "images": [image]}]}
        endpoint = Endpoint(port=runner.addresses[0][1])
        async with OllamaClient(endpoint) as client, aclosing(client.chat(question)) as lines:
            assert [line["message"]["content"] async for line in lines] == ["True"]
    finally:
        await runner.cleanup()
