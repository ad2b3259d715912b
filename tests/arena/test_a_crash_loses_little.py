"""A process that is killed loses no more than the last second of the turn it was at (contract arena §2.11)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from puna.arena.storage.sessions import Sessions
from puna.arena.storage.tables import answers
from puna.database import Database, database_url
from tests.arena.test_starting import address, command, until_it_answers
from tests.code.asking import until
from tests.code.scripted import Scripted, upstream


def texts(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(select(answers.c.text).order_by(answers.c.turn)))


async def test_kill_9_leaves_the_text_so_far_and_all_earlier_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNA_DATABASE", str(tmp_path / "puna.db"))
    database, never = Database(database_url(str(tmp_path / "puna.db"))), asyncio.Event()
    model = Scripted(script=["whole"])
    async with (
        upstream(model) as (_, endpoint),
        command("--port", "0", "--endpoint", f"here={endpoint.url}") as process,
        asyncio.timeout(60),
        aiohttp.ClientSession() as http,
    ):
        assert process.stderr is not None
        url = await address(process.stderr)
        await until_it_answers(http, url)
        async with http.post(f"{url}/api/arena/sessions") as reply:
            session = (await reply.json())["id"]
        turns, body = f"{url}/api/arena/sessions/{session}/turns", {"prompt": "hi", "model_instances": [{"model": "m"}]}
        async with http.post(turns, json=body) as reply:
            await reply.read()
        model.script = ["so ", "far", never]
        async with http.post(turns, json=body) as reply:
            tokens = ""
            while tokens != "so far":
                tokens += json.loads(await reply.content.readline()).get("token", "")
            await until(lambda: texts(database) == ["whole", "so far"])
            process.kill()
            await process.wait()
        never.set()
    found = Sessions(database).get(session)
    database.close()
    said = [(answer.state, answer.text) for turn in found.turns for answer in turn.answers]
    assert said == [("done", "whole"), ("interrupted", "so far")]
