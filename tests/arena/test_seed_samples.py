"""The samples of the published API (seed 001), against the arena in front of a scripted model (contract arena §2.16)."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.arena.doors import door
from tests.code.scripted import Scripted, upstream

PYTHON = """
import json

import requests

# List models
response = requests.get('http://localhost:7860/api/models')
models = response.json()['models']

# Chat
response = requests.post('http://localhost:7860/api/chat', json={
    'history': [{'role': 'user', 'content': 'Hello!'}],
    'models': ['llama3.2:3b']
})
result = response.json()

# Stream chat
response = requests.post(
    'http://localhost:7860/api/stream_chat',
    json={
        'history': [{'role': 'user', 'content': 'Tell me a story'}],
        'models': ['llama3.2:3b']
    },
    stream=True
)

for line in response.iter_lines():
    if line:
        token = json.loads(line)
        print(token['model'], token['token'], end='', flush=True)
"""
CHAT = (
    b'{\n    "history": [{"role": "user", "content": "Hello!"}],\n    "models": ["llama3.2:3b"]\n  }',
    b'{\n    "history": [{"role": "user", "content": "Count to 5"}],\n    "models": ["llama3.2:3b"]\n  }',
)


def model() -> Scripted:
    return Scripted(script=["Once", " upon"], models={"llama3.2:3b": {}})


async def test_the_python_sample() -> None:
    """With its missing import, and the port that is free here."""
    async with upstream(model()) as (_, endpoint), door(endpoint) as opened:
        sample = PYTHON.replace("http://localhost:7860", opened.url)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", sample + "\nprint(models, result['response'])", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    said = "llama3.2:3b Oncellama3.2:3b  uponllama3.2:3b ['llama3.2:3b'] Once upon\n"
    assert (process.returncode, out.decode()) == (0, said)


async def test_the_curl_samples() -> None:
    async with upstream(model()) as (_, endpoint), door(endpoint, token="your-token") as opened:
        sent = {"Authorization": "Bearer your-token", "Content_Type": "application/json"}
        assert (await opened.get("/api/models", **sent)).json == {"models": ["llama3.2:3b"]}
        assert (await opened.post("/api/chat", CHAT[0], **sent)).json["response"] == "Once upon"
        lines = (await opened.post("/api/stream_chat", CHAT[1], **sent)).body.decode().split("\n")
    assert [json.loads(line)["token"] for line in lines if line.strip()] == ["Once", " upon", ""]
