"""What this machine has measured already, as the history keeps it: the newest good result of each model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from puna.client import ClientError, OllamaClient, parse_host
from puna.errors import BadRequest
from puna.meter.fit.description import from_server
from puna.meter.fit.predict import Observation
from puna.meter.history import HistoryRow
from puna.meter.keeping import EMBEDDED
from puna.meter.report import schema

MOST = 16  # models; each costs the server a question
LONG_PROMPT = 128  # tokens: shorter ones are read in one small batch, which says nothing of longer ones
_SPOILED = {"contended", "disputed", "unstable"}


def measured_here(rows: Iterable[HistoryRow]) -> Iterator[schema.Model]:
    """The results of a server on this machine, newest first as `rows` are, one for each model."""
    names: set[str] = set()
    for row in rows:
        found = schema.read_model(row.result) if row.result and not row.error else None
        if found is not None and found.digest and found.name not in names and _is_here(found.url):
            names.add(found.name)
            yield found


async def observations(client: OllamaClient, results: Sequence[schema.Model]) -> list[Observation]:
    """Those of models that the server still has as they were, and that were all in one kind of memory."""
    try:
        digests = {str(entry.get("name")): entry.get("digest") for entry in await client.tags()}
    except ClientError:
        return []
    seen = []
    for result in results[:MOST]:
        if digests.get(result.name) != result.digest or (on_gpu := _on_gpu(result)) is None:
            continue
        try:
            described = await from_server(client, result.name)
        except (ClientError, BadRequest):
            continue
        if described is not None and (cell := _plain_cell(result)) is not None:
            prefill = cell.metrics.get("prefill") if (cell.n_in or 0) >= LONG_PROMPT else None
            decode = cell.metrics.get("decode")
            seen.append(
                Observation(
                    described.anatomy,
                    on_gpu,
                    decode=decode.median if decode else None,
                    depth=cell.n_in or 0,
                    prefill=prefill.median if prefill else None,
                )
            )
    return seen


def _plain_cell(result: schema.Model) -> schema.Cell | None:
    """One request at a time, nothing wrong with it."""
    plain = (
        cell for cell in result.cells
        if cell.concurrency == 1 and cell.rate is None and not cell.void and not _SPOILED & set(cell.flags)
    )  # fmt: skip
    return next(plain, None)


def _on_gpu(result: schema.Model) -> bool | None:
    """None where the weights were in both kinds of memory; a server that says nothing has no GPU."""
    share = result.memory.gpu_share if result.memory else None
    return None if share and share < 1 else bool(share)


def _is_here(url: str) -> bool:
    try:
        return url == EMBEDDED or parse_host(url).is_loopback
    except BadRequest:
        return False
