"""Numbers are read and written as Go clients and people expect (contracts ollama-http §1.6, §1.7, ollama-store §2.6, §6.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest
from puna.units import (
    FOREVER_NS,
    NS,
    format_bytes,
    format_go_duration,
    format_parameter_count,
    format_relative,
    format_rfc3339,
    parse_duration_ns,
    parse_keep_alive_ns,
    parse_setting_duration_ns,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("-0", 0),
        ("300ms", 300_000_000),
        ("1.5h", 5400 * NS),
        ("2h45m", 9900 * NS),
        ("-1.5s", -1_500_000_000),
        ("+5s", 5 * NS),
        (".5s", 500_000_000),
        ("1.s", NS),
        ("7us", 7_000),
        ("7µs", 7_000),
        ("7ns", 7),
        ("1h1h", 7200 * NS),
        ("9999999999h", FOREVER_NS),
    ],
)
def test_go_durations_are_read(text: str, ns: int) -> None:
    assert parse_duration_ns(text) == ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", 'time: missing unit in duration "5"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("1h5", 'time: missing unit in duration "1h5"'),
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("s", 'time: invalid duration "s"'),
        (".s", 'time: invalid duration ".s"'),
        ("5d", 'time: unknown unit "d" in duration "5d"'),
        ("5 s", 'time: unknown unit " s" in duration "5 s"'),
    ],
)
def test_bad_durations_get_gos_texts(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_duration_ns(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (None, None),
        (0, 0),
        (42.5, 42_500_000_000),
        (300, 300 * NS),
        (-1, FOREVER_NS),
        (-0.5, FOREVER_NS),
        (10**30, FOREVER_NS),
        (float("inf"), FOREVER_NS),
        ("0", 0),
        ("5m", 300 * NS),
        ("-1m", FOREVER_NS),
    ],
)
def test_keep_alive_takes_seconds_and_durations(value: object, ns: int | None) -> None:
    assert parse_keep_alive_ns(value) == ns


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "Unsupported type: 'bool'"),
        ([], "Unsupported type: '[]interface {}'"),
        ({}, "Unsupported type: 'map[string]interface {}'"),
        ("5", 'time: missing unit in duration "5"'),
        (float("nan"), "keep_alive must be a number"),
    ],
)
def test_other_keep_alives_are_refused(value: object, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_keep_alive_ns(value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "ns"), [("5m", 300 * NS), ("3600", 3600 * NS), (" 10 ", 10 * NS), ("-1", FOREVER_NS), ("0", 0)]
)
def test_settings_take_bare_seconds_too(text: str, ns: int) -> None:
    assert parse_setting_duration_ns(text) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (350_000_000, "350ms"),
        (NS, "1s"),
        (1_500_000_000, "1.5s"),
        (120 * NS, "2m0s"),
        (3600 * NS, "1h0m0s"),
        (3661 * NS + 1, "1h1m1.000000001s"),
        (-90 * NS, "-1m30s"),
        (FOREVER_NS, "2562047h47m16.854775807s"),
    ],
)
def test_durations_print_as_in_go(ns: int, text: str) -> None:
    assert format_go_duration(ns) == text


@given(st.integers(-(2**52), 2**52))
def test_a_printed_duration_reads_back(ns: int) -> None:
    assert abs(parse_duration_ns(format_go_duration(ns)) - ns) <= 1


@given(st.text(max_size=12) | st.text("0123456789.hmsnuµ-+", max_size=12))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert abs(parse_duration_ns(text)) <= FOREVER_NS
    except BadRequest:
        return


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (1024, "1.0 KB"),
        (2000, "2 KB"),
        (42_900_000_000, "42 GB"),
        (4_700_000_000, "4.7 GB"),
        (2_000_000_000, "2 GB"),
        (98_374_000, "98 MB"),
        (10**12, "1 TB"),
    ],
)
def test_sizes_are_decimal(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (22_000, "22K"),
        (22_499, "22K"),
        (137_000_000, "137M"),
        (133_700_000, "133.70M"),
        (134_515_008, "134.52M"),
        (7_000_000_000, "7B"),
        (7_241_732_096, "7.2B"),
        (8_030_261_248, "8.0B"),
    ],
)
def test_parameter_counts_are_short(count: int, text: str) -> None:
    assert format_parameter_count(count) == text


NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=0.5), "Less than a second ago"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(seconds=60), "About a minute ago"),
        (timedelta(minutes=4, seconds=59), "4 minutes ago"),
        (timedelta(hours=1), "About an hour ago"),
        (timedelta(hours=24), "24 hours ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=14), "2 weeks ago"),
        (timedelta(days=60), "2 months ago"),
        (timedelta(days=730), "2 years ago"),
        (-timedelta(minutes=5), "5 minutes from now"),
        (-timedelta(days=365 * 292), "292 years from now"),
    ],
)
def test_ages_are_told_in_words(ago: timedelta, text: str) -> None:
    assert format_relative(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    ("when", "ns", "text"),
    [
        (NOW, None, "2026-08-01T12:00:00Z"),
        (NOW.replace(microsecond=120_000), None, "2026-08-01T12:00:00.12Z"),
        (NOW, 123_456_789, "2026-08-01T12:00:00.123456789Z"),
        (NOW.replace(tzinfo=timezone(timedelta(hours=-3, minutes=-30))), 5, "2026-08-01T12:00:00.000000005-03:30"),
    ],
)
def test_times_print_as_rfc_3339(when: datetime, ns: int | None, text: str) -> None:
    assert format_rfc3339(when, ns=ns) == text
