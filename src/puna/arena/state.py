"""What the routes work with. Hung on the app, read in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from puna.arena.asking import Asker
from puna.arena.battles import BattleService
from puna.arena.catalog import Catalogs
from puna.arena.config import ArenaConfig
from puna.arena.downloads import Downloads
from puna.arena.liking import Likes
from puna.arena.pictures import Pictures
from puna.arena.running import Running
from puna.arena.standings import Standings
from puna.arena.storage.battles import BattleStore
from puna.arena.storage.sessions import Sessions
from puna.arena.storage.shelf import Shelf
from puna.arena.storage.votes import Votes
from puna.arena.upstreams import Health, Upstreams
from puna.client import Endpoint
from puna.database import Database


@dataclass(frozen=True, slots=True)
class Arena:
    config: ArenaConfig
    upstreams: Upstreams
    running: Running
    asker: Asker
    pictures: Pictures
    health: Health
    downloads: Downloads
    catalogs: Catalogs
    database: Database
    sessions: Sessions
    votes: Votes
    standings: Standings
    likes: Likes
    battles: BattleService
    rosters: Shelf
    prompts: Shelf

    @classmethod
    def build(cls, endpoints: Mapping[str, Endpoint], config: ArenaConfig, database: Database) -> Self:
        """In front of `endpoints`, the first of them the default. Nothing is opened yet."""
        upstreams = Upstreams(endpoints)
        running = Running()
        asker = Asker(upstreams, running, parallel=config.parallel, idle_s=config.idle_s)
        catalogs = Catalogs(upstreams)
        sessions, votes = Sessions(database), Votes(database)
        standings = Standings(votes)
        return cls(
            config=config,
            upstreams=upstreams,
            running=running,
            asker=asker,
            pictures=Pictures(),
            health=Health(upstreams),
            downloads=Downloads(upstreams),
            catalogs=catalogs,
            database=database,
            sessions=sessions,
            votes=votes,
            standings=standings,
            likes=Likes(sessions, votes),
            battles=BattleService(
                asker, catalogs, BattleStore(database), votes, standings,
                default_endpoint=upstreams.names[0], messages=config.limits.messages,
            ),
            rosters=Shelf(database, "roster"),
            prompts=Shelf(database, "prompts"),
        )  # fmt: skip

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Around the life of the server: at its end all work is over, and the database closed (K2)."""
        async with self.upstreams:
            try:
                yield
            finally:
                await self.battles.close()
                await self.standings.close()
                await self.asker.close()
                await self.downloads.close()
                await self.health.close()
                await asyncio.to_thread(self.database.close)


def arena_of(request: Request) -> Arena:
    found: Arena = request.app.state.arena
    return found
