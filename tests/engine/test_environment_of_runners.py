"""What the engine's processes inherit (decision 0013; threats T26)."""

from __future__ import annotations

import pytest

from puna.environment import child_environment


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)


def test_threads_that_wait_soon_sleep() -> None:
    assert child_environment()["GOMP_SPINCOUNT"] == "300"


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "100000"), ("OMP_WAIT_POLICY", "active")])
def test_a_person_may_let_them_spin(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    found = child_environment()
    assert {key: found[key] for key in found if key in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")} == {name: value}


def test_T26_what_is_not_on_the_list_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_API_KEY", "secret")
    assert "secret" not in child_environment().values()
