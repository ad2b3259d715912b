"""Rosters and prompts are kept by name, each kind on its own shelf (contract arena §2.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from puna.arena.storage.shelf import Item, Shelf
from puna.database import Database
from puna.errors import NotFound
from tests.arena.doors import GONE, Door, door

DOCUMENT = {"instances": [{"id": "a", "model": "a:1b", "temperature": 0.5}]}


@pytest.fixture
def rosters(database: Database) -> Shelf:
    return Shelf(database, "roster")


def test_items_come_back_as_they_were_put_there(rosters: Shelf) -> None:
    first = rosters.add("Mine \0 🦉", DOCUMENT)
    second = rosters.add("Mine", {"instances": []})
    assert rosters.all() == [first, second]
    assert (first.name, first.document) == ("Mine \0 🦉", DOCUMENT)


def test_an_item_is_replaced_and_deleted(rosters: Shelf) -> None:
    item = rosters.add("Old", DOCUMENT)
    assert rosters.put(item.id, "New", {}) == Item(item.id, "New", item.created, {})
    assert [found.name for found in rosters.all()] == ["New"]
    rosters.delete(item.id)
    assert rosters.all() == []
    with pytest.raises(NotFound, match="no such roster"):
        rosters.delete(item.id)
    with pytest.raises(NotFound, match="no such roster"):
        rosters.put(item.id, "New", {})


def test_the_other_shelf_does_not_have_it(rosters: Shelf, database: Database) -> None:
    item = rosters.add("Mine", DOCUMENT)
    prompts = Shelf(database, "prompts")
    assert prompts.all() == []
    with pytest.raises(NotFound, match="no such prompts"):
        prompts.put(item.id, "Mine", {})
    with pytest.raises(NotFound, match="no such prompts"):
        prompts.delete(item.id)


@pytest.fixture
async def opened(database: Database) -> AsyncIterator[Door]:
    async with door(GONE, database=database) as found:
        yield found


async def test_rosters_are_kept_over_http(opened: Door) -> None:
    path, wire = "/api/arena/rosters", {"instances": [{"model": "a:1b", "top_k": 0}]}
    reply = await opened.post(path, {"name": " Mine ", "document": wire})
    item = reply.json
    assert (reply.status, item["name"]) == (201, "Mine")
    (instance,) = item["document"]["instances"]
    assert (instance["id"], instance["model"], instance["top_k"]) == ("a_1b__0.7_0.9_0_1.1_-1_0", "a:1b", 0)
    assert (await opened.get(path)).json == {"items": [item]}
    changed = (await opened.put(f"{path}/{item['id']}", {"name": "Ours", "document": item["document"]})).json
    assert changed == item | {"name": "Ours"}
    assert (await opened.delete(f"{path}/{item['id']}")).json == {"deleted": 1}
    assert (await opened.delete(f"{path}/{item['id']}")).told == (404, "There is no such roster")
    assert (await opened.get(path)).json == {"items": []}


async def test_prompts_and_prompt_sets_are_kept_over_http(opened: Door) -> None:
    path = "/api/arena/prompts"
    prompts = [{"prompt": "2+2?", "category": "maths", "reference": "4"}, {"prompt": "Why?"}]
    for document in ({"category": "", "text": "Hello!"}, {"prompts": prompts}):
        reply = await opened.post(path, {"name": "Mine", "document": document | {"unknown": 1}})
        assert (reply.status, reply.json["document"]) == (201, document)
    assert len((await opened.get(path)).json["items"]) == 2
    assert (await opened.get("/api/arena/rosters")).json == {"items": []}


async def test_what_makes_no_sense_is_refused(opened: Door) -> None:
    for path, name, document, error in (
        ("rosters", "", {}, "Invalid name: must not be empty"),
        ("rosters", "x" * 201, {}, "Invalid name: must be a text of at most 200 characters"),
        ("rosters", "Mine", None, "Invalid document: must be an object"),
        ("rosters", "Mine", {"instances": []}, "No models selected"),
        ("rosters", "Mine", {"instances": [{"model": "a b"}]}, "Invalid model name"),
        ("prompts", "Mine", {}, "No prompt provided"),
        ("prompts", "Mine", {"text": " "}, "No prompt provided"),
        ("prompts", "Mine", {"text": 5}, "Invalid text: must be a text of at most 1048576 characters"),
        ("prompts", "Mine", {"prompts": [{"prompt": "a"}, {"text": "b"}]}, "Invalid prompt at index 1"),
        ("prompts", "Mine", {"prompts": [5]}, "Invalid prompt at index 0"),
    ):
        assert (await opened.post(f"/api/arena/{path}", {"name": name, "document": document})).told == (400, error)
        assert (await opened.put(f"/api/arena/{path}/x", {"name": name, "document": document})).told == (400, error)
