from collections.abc import AsyncIterator

import pytest

from puna.client import Endpoint, OllamaClient
from tests.client.fake_server import FakeServer, running


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def endpoint(server: FakeServer) -> AsyncIterator[Endpoint]:
    async with running(server) as endpoint:
        yield endpoint


@pytest.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[OllamaClient]:
    async with OllamaClient(endpoint) as client:
        yield client
