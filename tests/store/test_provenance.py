"""Where a model came from is remembered with its manifest, for every name it has (threats T09)."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.errors import NotFound, StoreError
from puna.names import Digest
from puna.store import Manifest, Provenance, Store
from tests.store.making import add_model, manifest_path, name_of

FILE = ".puna-provenance"
HERE = Provenance("https://registry.ollama.ai", name_of("m"), 1_786_000_000)
THERE = Provenance("http://127.0.0.1:5000", name_of("127.0.0.1:5000/me/m:v2"), 1_786_000_001)


def pulled(store: Store, name: str, provenance: Provenance | None = HERE) -> Manifest:
    """A model whose manifest came from a registry: the same document without the last newline."""
    made = add_model(store, "made-for-this", system=name)
    manifest = Manifest.parse(made.raw.rstrip(b"\n"))
    if provenance is not None:
        store.note_provenance(manifest.digest, provenance)
    store.write_manifest(name_of(name), manifest)
    store.delete(name_of("made-for-this"))
    return manifest


def test_a_copy_keeps_its_origin(store: Store) -> None:
    digest = pulled(store, "m").digest
    store.copy(name_of("m"), name_of("copy"))
    store.delete(name_of("m"))
    store.start()
    assert store.provenance(store.find(name_of("copy")).digest) == HERE
    assert Store(store.root).provenance(digest) == HERE
    assert store.is_pulled(name_of("copy"))


def test_the_newest_pull_of_a_manifest_counts(store: Store) -> None:
    digest = pulled(store, "m").digest
    store.note_provenance(digest, THERE)
    assert Store(store.root).provenance(digest) == THERE


def test_models_made_here_have_no_origin(store: Store) -> None:
    assert store.provenance(add_model(store, "made").digest) is None
    assert not store.is_pulled(name_of("made"))


def test_ollamas_own_pulls_are_known_by_their_manifests(store: Store) -> None:
    assert store.provenance(pulled(store, "m", None).digest) is None
    assert store.is_pulled(name_of("M"))


def test_a_registrys_manifest_may_end_with_a_newline(store: Store) -> None:
    store.note_provenance(add_model(store, "m").digest, HERE)
    assert store.is_pulled(name_of("m"))


def test_what_is_not_there_was_not_pulled(store: Store) -> None:
    with pytest.raises(NotFound):
        store.is_pulled(name_of("nope"))


def test_torn_and_damaged_lines_cost_only_themselves(store: Store) -> None:
    first, second = pulled(store, "one").digest, pulled(store, "two").digest
    path = store.root / FILE
    damage = f"{'ab' * 32} 1 ftp://x m\n{'ab' * 32} x https://x m\n{'ab' * 32} 1 https://x ../m\n\xff\n\n".encode()
    path.write_bytes(damage + path.read_bytes()[:-20])
    again = Store(store.root)
    assert again.provenance(first) == HERE
    assert again.provenance(second) is None
    assert again.provenance(Digest("ab" * 32)) is None
    again.note_provenance(second, THERE)
    assert Store(store.root).provenance(first) == HERE
    assert Store(store.root).provenance(second) == THERE


@pytest.mark.parametrize("whole_lines", [0, 1])
def test_what_is_left_of_a_torn_line_is_never_taken_for_another_origin(store: Store, whole_lines: int) -> None:
    first, second = pulled(store, "one").digest, pulled(store, "two").digest
    path = store.root / FILE
    raw = path.read_bytes()
    line = raw.index(b"\n") + 1
    for length in range(line * whole_lines, line * whole_lines + line - 1):
        path.write_bytes(raw[:length])
        again = Store(store.root)
        again.note_provenance(Digest("ab" * 32), THERE)
        for known in (again, Store(store.root)):
            assert [known.provenance(digest) for digest in (first, second)] == [HERE if whole_lines else None, None]
            assert known.provenance(Digest("ab" * 32)) == THERE


def test_a_start_keeps_the_lines_of_manifests_that_exist(store: Store) -> None:
    kept = pulled(store, "kept").digest
    pulled(store, "gone")
    store.delete(name_of("gone"))
    Store(store.root).start()
    assert (store.root / FILE).read_text() == f"{kept.hex} 1786000000 https://registry.ollama.ai {HERE.name.full}\n"


def test_a_start_forgets_nothing_while_a_manifest_is_unreadable(store: Store) -> None:
    pulled(store, "m")
    manifest_path(store, "m").write_bytes(b"{")
    before = (store.root / FILE).read_bytes()
    Store(store.root).start()
    assert (store.root / FILE).read_bytes() == before


def test_a_start_writes_no_record_that_is_as_it_should_be(store: Store) -> None:
    pulled(store, "m")
    store.start()

    def written() -> list[tuple[int, int]]:
        looks = [(store.root / name).stat() for name in (FILE, ".puna-verified")]
        return [(look.st_ino, look.st_mtime_ns) for look in looks]

    before = written()
    store.start()
    assert written() == before


def test_an_origin_that_cannot_be_written_down_is_an_error_without_a_path(store: Store) -> None:
    (store.root / FILE).mkdir()
    with pytest.raises(StoreError) as caught:
        store.note_provenance(Digest("ab" * 32), HERE)
    assert str(caught.value) == "could not note where a model comes from: Is a directory"


@pytest.mark.parametrize(
    ("registry", "pulled_at"),
    [("registry.ollama.ai", 1), ("file:///x", 1), ("https://", 1), ("https://a b", 1), ("https://a\nb", 1), ("https://a", -1)],
)  # fmt: skip
def test_T09_no_origin_can_forge_a_line(registry: str, pulled_at: int) -> None:
    with pytest.raises(ValueError, match="not a provenance"):
        Provenance(registry, name_of("m"), pulled_at)


def test_the_record_lies_beside_the_folders_that_ollama_knows(store: Store, tmp_path: Path) -> None:
    pulled(store, "m")
    assert {path.name for path in store.root.iterdir()} == {"blobs", "manifests", ".puna-verified", FILE}
    assert (store.root / FILE).stat().st_mode & 0o022 == 0
