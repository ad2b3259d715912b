"""What was exported comes back, what is old goes, and what cannot be saved is told of (contract arena §2.11, §2.15)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pytest
from playwright.sync_api import FilePayload, Page, expect

from puna.database import Database, database_url
from tests.arena.test_storage_trouble import held
from tests.browser import Visit
from tests.page.comparing import Sites, Windows, ask, card
from tests.page.rig import Site, fits, forgive, problems
from tests.page.talk import Api, Json, vote
from tests.page.test_history_page import sessions
from tests.page.upstream import Gate, Talker


def chosen(page: Page, records: list[Json], name: str = "all.json") -> None:
    file: FilePayload = {"name": name, "mimeType": "application/json", "buffer": json.dumps(records).encode()}
    page.get_by_label("Choose a file").set_input_files(file)


def saved_session(title: str, days: int) -> Json:
    """As an export has it, changed last so many days ago."""
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    made = {"title": title, "system": "", "created": at, "updated": at, "instances": [], "turns": [], "pictures": {}}
    return {"record": "session", "id": uuid4().hex, **made}


def test_everything_comes_back_on_another_machine(sites: Sites, windows: Windows) -> None:
    here, there = sites(), sites()
    Api(here).session("Name a river.", ("alpha:1b", "beta:2b"))
    Api(here).json("POST", "rosters", {"name": "both", "document": {"instances": [{"model": "alpha:1b"}]}})
    Api(here).vote([vote("alpha", "beta")])
    Api(here).battle("Which is better?")
    records = Api(here).json("GET", "export")["records"]
    page = windows(there).page
    page.goto(there.at("history"))
    expect(page.get_by_text("Nothing is saved yet")).to_be_visible()
    chosen(page, records)
    found = page.get_by_role("region", name="Import").get_by_role("status")
    for line in ("all.json: 1 vote new", "1 session new, 0 known", "1 roster new, 0 known", "Battles stay out"):
        expect(found).to_contain_text(line)
    assert Api(there).json("GET", "sessions")["sessions"] == [], "nothing is kept before it is asked for"
    page.get_by_role("button", name="Import 1 vote, 1 session and 1 roster").click()
    expect(found).to_contain_text("1 session imported")
    page.get_by_role("link", name="Name a river.").click()
    expect(page.get_by_role("main")).to_contain_text("Hello there.")
    kinds = {"session", "vote", "roster"}
    back = [one for one in Api(there).json("GET", "export")["records"] if one["record"] in kinds]
    assert back == [one for one in records if one["record"] in kinds]


def test_sessions_that_are_old_are_deleted_when_their_number_was_told(site: Site, visit: Visit) -> None:
    page = visit.page
    Api(site).json(
        "POST", "import", [saved_session("Owls", 31), saved_session("Foxes", 400), saved_session("Bees", 29)]
    )
    page.goto(site.at("history"))
    expect(sessions(page)).to_have_count(3)
    storage = page.get_by_role("region", name="Storage")
    expect(storage).to_contain_text(re.compile(r"3 sessions, 0 battles and 0 votes: \d+ kB"))
    days, ask = storage.get_by_role("spinbutton"), storage.get_by_role("button", name="Delete old sessions")
    days.fill("1000")
    ask.click()
    expect(storage.get_by_text("No session is that old.")).to_be_visible()
    days.fill("30")
    ask.click()
    dialog = page.get_by_role("dialog", name="Delete 2 sessions?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert len(Api(site).json("GET", "sessions")["sessions"]) == 3
    ask.click()
    dialog.get_by_role("button", name="Delete 2 sessions").click()
    expect(storage.get_by_text("2 sessions are deleted.")).to_be_visible()
    expect(sessions(page)).to_have_count(1)
    expect(sessions(page)).to_contain_text("Bees")
    expect(storage).to_contain_text("1 session, 0 battles and 0 votes")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Of an arena that does not wait long for another program."""
    monkeypatch.setattr("puna.database.database._PATIENCE_S", 0.05)
    found = Database(database_url(str(tmp_path / "puna.db")))
    yield found
    found.close()


def test_an_import_that_cannot_be_saved_says_so_and_can_be_tried_again(
    sites: Sites, windows: Windows, database: Database
) -> None:
    site = sites(database=database)
    visit = windows(site)
    visit.page.goto(site.at("history"))
    expect(visit.page.get_by_text("Nothing is saved yet")).to_be_visible()
    chosen(visit.page, [saved_session("Owls", 1)])
    go = visit.page.get_by_role("button", name="Import 1 session")
    expect(go).to_be_visible()
    with held(database):
        go.click()
        expect(visit.page.get_by_role("alert")).to_contain_text(
            "database is locked. Nothing of the file was imported. Another program is writing to it"
        )
    go.click()
    expect(sessions(visit.page)).to_have_count(1)
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    forgive(visit, "status of 500")


def test_answers_that_cannot_be_saved_stay_on_the_page_and_it_says_so(
    sites: Sites, windows: Windows, database: Database
) -> None:
    site, gate = sites(database=database), Gate()
    site.upstream.models = {"alpha:1b": Talker(["so far", gate, " and on"])}
    page = windows(site).page
    page.goto(site.at())
    ask(page, "Why?")
    expect(card(page, "A1")).to_contain_text("so far")
    with held(database):
        gate.open()
        expect(page.get_by_role("alert")).to_contain_text("Not everything was saved")
        expect(page.get_by_role("alert")).to_contain_text("database is locked. Not all answers of this turn were saved")
        expect(card(page, "A1")).to_contain_text("so far and on")
    site.upstream.models = {"alpha:1b": Talker()}
    ask(page, "And now?")
    expect(card(page, "A2")).to_contain_text("Hello there.")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_Y3_everyone_can_read_what_is_kept_and_what_comes(
    site: Site, windows: Windows, scheme: Literal["light", "dark"], width: int
) -> None:
    page = windows(site, scheme=scheme, width=width).page
    Api(site).json("POST", "import", [saved_session("Owls", 400)])
    page.goto(site.at("history"))
    chosen(
        page, [saved_session("Foxes", 1), vote("alpha", "beta"), {"record": "battle"}, {"record": "session"}], "w" * 60
    )
    expect(page.get_by_role("button", name="Import 1 vote and 1 session")).to_be_visible()
    assert problems(page) == []
    assert fits(page)
    page.get_by_role("button", name="Delete old sessions").click()
    expect(page.get_by_role("dialog", name="Delete 1 session?")).to_be_visible()
    assert problems(page) == []
    assert fits(page)
