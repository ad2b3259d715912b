"""Which files of the blob folder nobody needs any more (contract ollama-store §2.8). Pure: facts in, names out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from puna.store.layout import partial_unit

GRACE_S = 3600.0  # a younger file may belong to a pull or a create that has not written its manifest yet
PARTIAL_GRACE_S = 7 * 24 * 3600.0  # an interrupted pull goes on after a night or a holiday (DESIGN, promise 2)


class BlobFile(NamedTuple):
    name: str
    modified_at: float  # Unix time in seconds


def stale_files(files: Iterable[BlobFile], needed: Collection[str], now: float) -> list[str]:
    """The names of files older than their grace period that are not in `needed`: unreferenced blobs, old temporaries.

    The files of one interrupted download stand or fall together by the newest of them, so that it can go on.
    """
    files = list(files)
    newest: dict[str, float] = {}  # Unix time by download
    for file in files:
        if unit := partial_unit(file.name):
            newest[unit] = max(newest.get(unit, file.modified_at), file.modified_at)

    def is_stale(file: BlobFile) -> bool:
        unit = partial_unit(file.name)
        return now - newest[unit] > PARTIAL_GRACE_S if unit else now - file.modified_at > GRACE_S

    return [file.name for file in files if file.name not in needed and is_stale(file)]
