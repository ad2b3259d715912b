"""GGUF headers by digest: each file is parsed once and shared by all models that name it (DESIGN, the hot path)."""

from __future__ import annotations

import logging
import threading

from puna.errors import PunaError
from puna.names import Digest
from puna.store.gguf import GgufHeader, read_gguf_header
from puna.store.layout import Layout

log = logging.getLogger(__name__)

_KEPT = 512  # headers of some 100 kB each; models in the catalog keep theirs anyway


class Headers:
    """A blob's name is its content's hash, yet a damaged file may be replaced: the inode and time tell that."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._known: dict[Digest, tuple[tuple[int, int, int], GgufHeader | None]] = {}

    def of(self, digest: Digest) -> GgufHeader | None:
        """The header of the blob, None (and one warning) when it is missing or not readable GGUF."""
        try:
            status = self._layout.blob(digest).stat()
        except OSError:
            return None
        look = (status.st_size, status.st_ino, status.st_mtime_ns)
        known = self._known.get(digest)
        if known is None or known[0] != look:
            known = (look, self._read(digest))
            with self._lock:
                self._known[digest] = known
                if len(self._known) > _KEPT:
                    del self._known[next(iter(self._known))]
        return known[1]

    def _read(self, digest: Digest) -> GgufHeader | None:
        try:
            return read_gguf_header(self._layout.blob(digest))
        except PunaError as error:
            log.warning("blob %s: %s", digest.short, error)
            return None
