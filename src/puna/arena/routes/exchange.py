"""Files out and in (contract arena §2.2 `/export`, `/import`, §2.11)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.exchange import preferences, table
from puna.arena.exchange.archive import Archive, What
from puna.arena.exchange.importing import import_file
from puna.arena.exchange.records import document
from puna.arena.exchange.report import render
from puna.arena.failures import ArenaError, Refused
from puna.arena.query import one_of, read_query, switch
from puna.arena.reading import read_bytes
from puna.arena.routes.guarding import get, post
from puna.arena.state import Arena, arena_of
from puna.arena.storage.battles import BattleStore
from puna.arena.unsaved import unsaved
from puna.errors import DatabaseFailed, PunaError
from puna.serving.streams import StreamedResponse, in_thread
from puna.serving.wire import json_response, line

Form = Literal["json", "csv", "jsonl", "md", "html"]

_TYPES: Mapping[Form, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
_WHAT: tuple[What, ...] = get_args(What)
_FORMS: tuple[Form, ...] = get_args(Form)
_PIECE = 1 << 18  # bytes that are written at a time


async def export(request: Request) -> Response:
    """A download. While something of it is blind, its name says so."""
    arena, query = arena_of(request), request.query_params
    what = one_of(query, "what", _WHAT) or "all"
    form = one_of(query, "format", _FORMS) or "json"
    if form in ("csv", "jsonl") and what != "votes":
        raise Refused(f"Invalid format: {form} holds votes only, ask for what=votes")
    archive = _archive(arena)
    blind = "_blind" if await asyncio.to_thread(archive.is_blind, what) else ""
    disposition = f'attachment; filename="puna-arena-{what}{blind}.{form}"'
    if form == "md" or form == "html":
        return await _report(request, archive, what, form, disposition)
    response = StreamedResponse(in_thread(_pieces(_lines(archive, what, form))), _TYPES[form], _last_words)
    response.first_headers.append((b"content-disposition", disposition.encode()))
    return response


async def load(request: Request) -> Response:
    """With `dry_run=1` only what would happen."""
    arena = arena_of(request)
    dry_run = switch(request.query_params, "dry_run", default=False)
    body = await _file(request, arena.config.max_body)
    try:
        summary = await import_file(body, _archive(arena), arena.pictures, arena.config.limits, dry_run=dry_run)
    except DatabaseFailed as error:
        raise unsaved(error, "Nothing of the file was imported") from error
    return json_response(summary.wire())


async def _file(request: Request, most: int) -> bytes:
    """Raises 413, with what to do about it, for one over `most` bytes."""
    try:
        return await read_bytes(request, most)
    except PunaError as error:
        if error.status != 413:
            raise
        way = f"This arena takes files of {most >> 20} MiB: start it with a larger PUNA_ARENA_MAX_BODY_MB"
        raise ArenaError(error.message, way, status=413) from None


async def _report(
    request: Request, archive: Archive, what: What, form: Literal["md", "html"], disposition: str
) -> Response:
    """The boards are those of the query's filters."""
    standings = arena_of(request).standings
    query = read_query(request.query_params)
    standing = None if what == "sessions" else await standings.settled(query)
    text = await standings.compute(lambda: render(archive.report(what, standing), form))
    return Response(text, media_type=_TYPES[form], headers={"Content-Disposition": disposition})


def _archive(arena: Arena) -> Archive:
    battles = BattleStore(arena.database)
    return Archive(arena.database, arena.votes, arena.sessions, battles, arena.rosters, arena.prompts)


def _lines(archive: Archive, what: What, form: Literal["json", "csv", "jsonl"]) -> Iterator[bytes]:
    match form:
        case "json":
            yield from document(archive.records(what))
        case "csv":
            yield from table.lines(archive.votes.counted())
        case "jsonl":
            yield from preferences.lines(archive.votes.counted())


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Of some size: each is read in a thread of its own."""
    piece = bytearray()
    for each in lines:
        piece += each
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _last_words(error: PunaError) -> bytes:
    """The file is cut here, and no reader takes it for a whole one."""
    return b"\n" + line({"error": error.message})


ROUTES = (get("/api/arena/export", export), post("/api/arena/import", load))
