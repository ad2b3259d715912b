"""Files into an arena that is nothing but a database."""

from __future__ import annotations

import asyncio

from puna.arena.exchange.archive import Archive
from puna.arena.exchange.importing import Summary, import_file
from puna.arena.exchange.records import document
from puna.arena.pictures import Pictures
from puna.arena.request import Limits
from puna.arena.storage.battles import BattleStore
from puna.arena.storage.sessions import Sessions
from puna.arena.storage.shelf import Shelf
from puna.arena.storage.votes import Votes
from puna.database import Database


def archive(database: Database) -> Archive:
    shelves = Shelf(database, "roster"), Shelf(database, "prompts")
    return Archive(database, Votes(database), Sessions(database), BattleStore(database), *shelves)


def imported(body: bytes, database: Database, *, dry_run: bool = False, most: int = 8) -> Summary:
    """`most` is how many instances a turn may have here."""
    coming = import_file(body, archive(database), Pictures(), Limits(instances=most), dry_run=dry_run)
    return asyncio.run(coming)


def exported(database: Database) -> bytes:
    return b"".join(document(archive(database).records("all")))
