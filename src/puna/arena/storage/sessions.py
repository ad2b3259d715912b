"""Saved comparisons in the database: made, found, searched, changed, deleted (contract arena §2.2, §2.11, K1).

Calls block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, or_, select, update

from puna.arena.storage.session import Answer, AnswerId, Json, Session, Summary, Turn
from puna.arena.storage.tables import answers, folded, sessions, turns
from puna.database import Database
from puna.errors import NotFound

TITLE = 30  # characters of the prompt that a session without a title is called by


class Sessions:
    """Every method raises `DatabaseFailed`, and `NotFound` for a session that is not there. Threads may share one.

    What was running when an earlier process ended is marked before anything else is done.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recovered = False
        self._recovering = threading.Lock()

    def create(self, title: str = "", system: str = "", instances: Sequence[Json] = ()) -> Session:
        now = datetime.now(UTC)
        made = Session(uuid4().hex, title, system, tuple(instances), now, now)
        with self._writing() as connection:
            self.add_within(connection, made)
        return made

    def add_within(self, connection: Connection, made: Session, images: Mapping[int, Sequence[str]] = {}) -> None:
        """One with its turns, as a part of a transaction; `images` are base64, by the number of their turn."""
        connection.execute(insert(sessions), _session_row(made))
        for turn in made.turns:
            _add_turn(connection, made.id, turn, images.get(turn.number, ()))

    def get(self, session_id: str) -> Session:
        with self._reading() as connection:
            return _session(connection, session_id)

    def images(self, session_id: str) -> dict[int, tuple[str, ...]]:
        """The pictures of each turn that has some, by its number, in base64."""
        wanted = select(turns.c.number, turns.c.images).where(turns.c.session == session_id, turns.c.image_count > 0)
        with self._reading() as connection:
            return {number: tuple(images) for number, images in connection.execute(wanted)}

    def newest(self, query: str = "", limit: int = 50, before: datetime | None = None) -> list[Summary]:
        """Those that were changed last come first. `query` stands in the title, a prompt or an answer, in any case."""
        wanted = select(sessions).order_by(sessions.c.updated.desc(), sessions.c.id).limit(limit)
        if before is not None:
            wanted = wanted.where(sessions.c.updated < before)
        if query:
            wanted = _searched(wanted, folded(query))
        with self._reading() as connection:
            rows = connection.execute(wanted).mappings().all()
            ids = [row["id"] for row in rows]
            counts, models = _turn_counts(connection, ids), _models(connection, ids)
        return [_summary(row, counts.get(row["id"], 0), models.get(row["id"], ())) for row in rows]

    def all(self) -> Iterator[Session]:
        """The oldest first, each read when it is asked for; those that are deleted meanwhile are left out."""
        with self._reading() as connection:
            ids = connection.scalars(select(sessions.c.id).order_by(sessions.c.created, sessions.c.id)).all()
        for session_id in ids:
            try:
                yield self.get(session_id)
            except NotFound:
                continue

    def update(
        self,
        session_id: str,
        *,
        title: str | None = None,
        system: str | None = None,
        instances: Sequence[Json] | None = None,
    ) -> Session:
        """What is None stays."""
        given = {"title": title, "system": system, "instances": None if instances is None else list(instances)}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if title is not None:
            changes["folded"] = folded(title)
        with self._writing() as connection:
            _change(connection, session_id, changes)
            return _session(connection, session_id)

    def delete(self, session_id: str) -> None:
        with self._writing() as connection:
            if not connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount:
                raise _unknown()

    def delete_all(self, before: datetime | None = None) -> int:
        """With `before` only those that have not been changed since. Gives how many there were."""
        unwanted = delete(sessions)
        if before is not None:
            unwanted = unwanted.where(sessions.c.updated < before)
        with self._writing() as connection:
            return connection.execute(unwanted).rowcount

    def add_turn(
        self,
        session_id: str,
        prompt: str,
        instances: Sequence[Json],
        images: Sequence[str] = (),
        follows: AnswerId | None = None,
    ) -> Turn:
        """A turn whose answers are all still running. The session gets a title if it has none."""
        now = datetime.now(UTC)
        with self._writing() as connection:
            _change(connection, session_id, {})  # first: it keeps other writers away from this session
            _entitle(connection, session_id, prompt)
            last = connection.scalar(select(func.max(turns.c.number)).where(turns.c.session == session_id))
            turn = Turn((last or 0) + 1, prompt, len(images), now, tuple(map(Answer, instances)), follows)
            _add_turn(connection, session_id, turn, images)
        return turn

    def save_answers(self, session_id: str, number: int, given: Iterable[Answer]) -> None:
        """What they are now; likes stay. Answers of a session that was deleted meanwhile are dropped."""
        with self._writing() as connection:
            for answer in given:
                connection.execute(_one_answer(session_id, number, answer.instance_id).values(_row(answer)))

    def restart_answer(self, session_id: str, number: int, instance_id: str) -> Turn:
        """It is generated anew, so what was said and liked of it is gone. Gives the turn with this answer only."""
        with self._writing() as connection:
            turn = _session(connection, session_id).turn(number)
            fresh = Answer(turn.answer(instance_id).instance)
            _change(connection, session_id, {})
            connection.execute(_one_answer(session_id, number, instance_id).values({**_row(fresh), "liked": None}))
        return replace(turn, answers=(fresh,))

    def resume_answer(self, session_id: str, number: int, instance_id: str, check: Callable[[Answer], None]) -> Turn:
        """More of it is generated; what was said and liked of it stays. Gives the turn with this answer only.

        Raises what `check` raises for the answer as it is.
        """
        with self._writing() as connection:
            _change(connection, session_id, {})  # first: it keeps other writers away from this session
            turn = _session(connection, session_id).turn(number)
            kept = turn.answer(instance_id)
            check(kept)
            running = replace(kept, state="running", error="", done_reason="")
            connection.execute(_one_answer(session_id, number, instance_id).values(_row(running)))
        return replace(turn, answers=(running,))

    def like(self, session_id: str, number: int, instance_id: str, like: bool | None) -> Session:
        """The session with its likes as they are now. None takes back what was said."""
        with self._writing() as connection:
            _session(connection, session_id).turn(number).answer(instance_id)
            connection.execute(_one_answer(session_id, number, instance_id).values(liked=like))
            return _session(connection, session_id)

    @contextmanager
    def _reading(self) -> Generator[Connection]:
        self._recover()
        with self._database.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        self._recover()
        with self._database.writing() as connection:
            yield connection

    def _recover(self) -> None:
        with self._recovering:
            if not self._recovered:
                with self._database.writing() as connection:
                    found = update(answers).where(answers.c.state == "running")
                    connection.execute(found.values(state="interrupted"))
                self._recovered = True


def _searched(wanted: Select[Any], query: str) -> Select[Any]:
    def holds(column: Any) -> Any:
        return column.contains(query, autoescape=True)

    return wanted.where(
        or_(
            holds(sessions.c.folded),
            sessions.c.id.in_(select(turns.c.session).where(holds(turns.c.folded))),
            sessions.c.id.in_(select(answers.c.session).where(holds(answers.c.folded))),
        )
    )


def _change(connection: Connection, session_id: str, changes: Mapping[str, Any]) -> None:
    changed = update(sessions).where(sessions.c.id == session_id).values(updated=datetime.now(UTC), **changes)
    if not connection.execute(changed).rowcount:
        raise _unknown()


def _entitle(connection: Connection, session_id: str, prompt: str) -> None:
    title = " ".join(prompt.split())[:TITLE]
    untitled = update(sessions).where(sessions.c.id == session_id, sessions.c.title == "")
    connection.execute(untitled.values(title=title, folded=folded(title)))


def _add_turn(connection: Connection, session_id: str, turn: Turn, images: Sequence[str]) -> None:
    row = {
        "session": session_id, "number": turn.number, "prompt": turn.prompt, "images": list(images),
        "image_count": len(images), "at": turn.at, "folded": folded(turn.prompt),
        "follows": turn.follows and asdict(turn.follows),
    }  # fmt: skip
    connection.execute(insert(turns), row)
    places = [
        {"session": session_id, "turn": turn.number, "place": place, **_row(answer), "liked": answer.like}
        for place, answer in enumerate(turn.answers)
    ]
    connection.execute(insert(answers), places)


def _session(connection: Connection, session_id: str) -> Session:
    row = connection.execute(select(sessions).where(sessions.c.id == session_id)).mappings().first()
    if row is None:
        raise _unknown()
    given = select(answers).where(answers.c.session == session_id).order_by(answers.c.turn, answers.c.place)
    by_turn = groupby(connection.execute(given).mappings(), lambda found: found["turn"])
    said = {turn: tuple(map(_answer, found)) for turn, found in by_turn}
    asked = select(turns.c.number, turns.c.prompt, turns.c.image_count, turns.c.at, turns.c.follows)
    found = connection.execute(asked.where(turns.c.session == session_id).order_by(turns.c.number))
    return Session(
        **{name: row[name] for name in ("id", "title", "system", "created", "updated")},
        instances=tuple(row["instances"]),
        turns=tuple(_turn(row, said.get(row["number"], ())) for row in found.mappings()),
    )


def _turn(row: RowMapping, said: tuple[Answer, ...]) -> Turn:
    follows = row["follows"] and AnswerId(**row["follows"])
    return Turn(row["number"], row["prompt"], row["image_count"], row["at"], said, follows)


def _session_row(session: Session) -> dict[str, Any]:
    told = {name: getattr(session, name) for name in ("id", "title", "system", "created", "updated")}
    return {**told, "instances": list(session.instances), "folded": folded(session.title)}


def _answer(row: RowMapping) -> Answer:
    told = ("instance", "text", "thinking", "state", "error", "done_reason", "metrics", "timings")
    return Answer(**{name: row[name] for name in told}, like=row["liked"])


def _row(answer: Answer) -> dict[str, Any]:
    return {
        "instance_id": answer.instance_id,
        "instance": answer.instance,
        "text": answer.text,
        "thinking": answer.thinking,
        "state": answer.state,
        "error": answer.error,
        "done_reason": answer.done_reason,
        "metrics": answer.metrics,
        "timings": answer.timings,
        "folded": folded(answer.text),
    }


def _one_answer(session_id: str, number: int, instance_id: str) -> Any:
    mine = (answers.c.session == session_id, answers.c.turn == number, answers.c.instance_id == instance_id)
    return update(answers).where(*mine)


def _turn_counts(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    wanted = (
        select(turns.c.session, func.count().label("turns")).where(turns.c.session.in_(ids)).group_by(turns.c.session)
    )
    return {row.session: row.turns for row in connection.execute(wanted)}


def _models(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Those that were asked in each session, in the order of their columns."""
    wanted = select(answers.c.session, answers.c.instance).where(answers.c.session.in_(ids))
    found: dict[str, dict[str, None]] = {}
    for session, instance in connection.execute(wanted.order_by(answers.c.turn, answers.c.place)):
        found.setdefault(session, {})[instance["model"]] = None
    return {session: tuple(models) for session, models in found.items()}


def _summary(row: RowMapping, count: int, models: tuple[str, ...]) -> Summary:
    planned = tuple(dict.fromkeys(instance["model"] for instance in row["instances"]))
    told = {name: row[name] for name in ("id", "title", "created", "updated")}
    return Summary(**told, turns=count, models=models or planned)


def _unknown() -> NotFound:
    return NotFound("There is no such session")
