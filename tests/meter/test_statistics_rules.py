"""§20: what may be said about repeated measurements."""

from __future__ import annotations

from dataclasses import replace

import pytest

from puna.meter.metrics import METRICS
from puna.meter.statistics import describe, percentiles, summarise, summary, t_975, verdict
from tests.meter.test_metric_formulas import MS, SERVER, cell, record


def test_the_headline_is_the_median_and_the_mean_on_request() -> None:
    found = describe([1.0, 2.0, 9.0])
    assert (found.headline(), found.headline("mean")) == (2.0, 4.0)
    assert (found.minimum, found.maximum, found.n) == (1.0, 9.0, 3)


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (11, 2.2010), (20, 2.0860), (30, 2.0423), (120, 1.9799)],
)
def test_M30_students_t(freedom: int, t: float) -> None:
    assert t_975(freedom) == pytest.approx(t, abs=2e-4)


def test_M30_the_interval_of_five_values() -> None:
    found = describe([10.0, 11.0, 12.0, 13.0, 14.0])
    assert found.sd == pytest.approx(1.5811, abs=2e-4)
    assert found.ci95 == pytest.approx((12 - 1.9632, 12 + 1.9632), abs=1e-3)
    assert found.cv == pytest.approx(0.1318, abs=2e-4)


def test_one_value_has_no_spread() -> None:
    found = describe([3.0])
    assert (found.sd, found.ci95, found.cv, found.steadiness) == (None, None, None, None)


@pytest.mark.parametrize(
    ("n", "known"), [(4, []), (5, [50]), (10, [50, 90]), (20, [50, 90, 95]), (100, [50, 90, 95, 99])]
)
def test_percentiles_need_their_samples(n: int, known: list[int]) -> None:
    assert list(percentiles([float(value) for value in range(n)])) == known


def test_percentiles_are_interpolated() -> None:
    assert percentiles([float(value) for value in range(1, 11)]) == pytest.approx({50: 5.5, 90: 9.1})


@pytest.mark.parametrize(
    ("spread", "band"), [(0.04, "steady"), (0.09, "good"), (0.19, "fair"), (0.21, "unstable"), (0.0, "steady")]
)
def test_bands_of_the_coefficient_of_variation(spread: float, band: str) -> None:
    step = 100 * spread  # two values at 100 ± d have sd = d·√2
    assert describe([100 - step / 2**0.5, 100 + step / 2**0.5]).steadiness == band


def test_better_needs_intervals_apart_and_five_per_cent() -> None:
    base = describe([10.0, 10.1, 9.9, 10.0])
    assert verdict(describe([11.0, 11.1, 10.9, 11.0]), base, lower_is_better=False) == "better"
    assert verdict(describe([11.0, 11.1, 10.9, 11.0]), base, lower_is_better=True) == "worse"
    assert verdict(describe([10.4, 10.41, 10.39, 10.4]), base, lower_is_better=False) == "no clear difference"  # 4 %
    assert verdict(describe([5.0, 30.0, 4.0, 20.0]), base, lower_is_better=False) == "no clear difference"  # overlap
    assert verdict(describe([99.0]), base, lower_is_better=False) == "no clear difference"  # one value


def test_figures_of_different_bases_are_not_compared() -> None:
    base = describe([10.0, 10.1, 9.9, 10.0])
    other = replace(describe([20.0, 20.1, 19.9, 20.0]), basis="server")
    assert verdict(other, base, lower_is_better=False) == "no clear difference"


def test_failures_are_counted_beside_every_figure() -> None:
    found = summary(cell(record(), record(), record(error="no")), "ttft")
    assert found is not None
    assert (found.n, found.ok, found.attempts) == (2, 2, 3)


def test_a_cell_without_values_has_no_summary() -> None:
    assert summary(cell(record(error="no")), "ttft") is None
    assert summary(cell(), "decode") is None


def test_bases_are_never_mixed() -> None:
    """The server's own rate where it tells one; the clock's for all where it tells none."""
    untold = record(server=replace(SERVER, output_ns=None))
    served = summarise([record(), untold], METRICS["decode"])
    clocked = summarise([untold, untold], METRICS["decode"])
    guessed = summarise([replace(untold, basis="estimated")], METRICS["decode"])
    assert served is not None
    assert clocked is not None
    assert guessed is not None
    assert (served.basis, served.n, served.median) == ("server", 1, pytest.approx(22))
    assert (clocked.basis, clocked.n, clocked.median) == ("client", 2, pytest.approx(20))
    assert guessed.basis == "estimated"


def test_M8_gaps_are_pooled_over_requests() -> None:
    found = summary(cell(record(), record()), "gap")
    assert found is not None
    assert (found.n, found.maximum, found.percentiles) == (6, pytest.approx(0.2), {50: pytest.approx(0.2)})
    assert record().stamps[0].at_ns == 200 * MS
