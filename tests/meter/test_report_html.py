"""`--html`: the sentence on top, the order, and that nothing of a server's becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from puna.drawing import Linear, Log, around, from_zero
from puna.meter.cell import ModelResult, RunResult
from puna.meter.report.envelope import envelope
from puna.meter.report.html import lanes, page
from puna.meter.report.plots.speed_by_size import front_of
from puna.meter.report.plots.timeline import stalls
from puna.meter.report.scaling import is_flat, knee
from puna.meter.report.shown import change, digits, measured, name, seconds
from puna.meter.report.standing import headline, standing
from tests.meter.sample_runs import Speed, broken, cell, laptop, result, run
from tests.meter.test_report_envelope import EVIL


class Tags(HTMLParser):
    """The names of all elements, the addresses and handlers that they carry, and the texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handlers(self) -> Iterator[str]:
        for key, value in self.attributes:
            if key.startswith("on") or (value or "").lstrip().lower().startswith(
                ("http:", "https:", "//", "javascript:")
            ):
                yield f"{key}={value}"


def report(made: RunResult) -> str:
    return page(envelope(made), lanes(made))


def heading(text: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)
    assert found
    return re.sub(r"<[^>]*>", "", found[1])


def test_the_first_sentence_names_the_fastest_model_and_how_sure_that_is() -> None:
    text = report(laptop())
    assert re.fullmatch(r"smollm2:135m is the fastest here: 18\d tok/s\.", heading(text))
    assert "clearly so: the 95 % intervals of the two (9 and 9 requests) do not overlap" in text
    assert text.index(">smollm2:135m<") < text.index(">qwen3:0.6b<") < text.index(">qwen3:4b<")


@pytest.mark.parametrize(
    ("speeds", "sentence", "sureness"),
    [
        ([40.0, 40.5], "b and a are the fastest here", "No clear difference"),
        ([40.0], "a runs at", "The mean lies between"),
        ([40.0, 40.1, 39.9, 10.0], "are the fastest here", "No clear difference"),
        ([40.0] * 5, "All 5 models are the fastest here", "No clear difference"),
        ([], "Nothing could be measured here.", "No model was measured."),
    ],
)
def test_what_is_level_is_called_level(speeds: list[float], sentence: str, sureness: str) -> None:
    models = [result(chr(97 + index), Speed(decode=decode)) for index, decode in enumerate(speeds)]
    found = headline(envelope(run(*models)).models)
    assert sentence in str(found) or sentence.replace("b and a", "a and b") in str(found)
    assert sureness in found.sureness


def test_single_requests_prove_nothing() -> None:
    models = [
        result(each, None, cell(each, Speed(decode=decode), requests=1)) for each, decode in (("a", 40), ("b", 10))
    ]
    found = headline(envelope(run(*models)).models)
    assert str(found).startswith("a came out ahead")
    assert "cannot be told from single requests" in found.sureness


def test_models_by_another_clock_stand_apart() -> None:
    good = cell("c", Speed(decode=90))
    bare = tuple(replace(each, server=replace(each.server, output_ns=None)) for each in good.records)
    models = envelope(
        run(result("a"), result("b", Speed(decode=20)), result("c", None, replace(good, records=bare)))
    ).models
    assert [place.model.name for place in standing(models, "decode")] == ["a", "b"]
    assert "1 model was measured by another clock" in headline(models).sureness


def test_void_cells_win_nothing() -> None:
    late = replace(cell("late", Speed(decode=900)), lag_p99_ns=9_000_000)
    text = report(run(result("a"), result("late", None, late)))
    assert heading(text).startswith("a runs at")
    assert "the meter itself lagged by 9.0 ms (p99)" in text
    alone = headline(envelope(run(result("late", None, late))).models)
    assert str(alone) == "Nothing could be measured here."
    assert "void: the meter itself lagged by 9.0 ms (p99). Try again" in alone.sureness
    assert "Embedding" not in report(run(result("late", None, late)))


@pytest.mark.parametrize(
    "name", [EVIL, "</style></title><img src=x onerror=alert(1)>", "x" * 10_000, "\x00\x01", "&lt;b&gt;"]
)
def test_C6_nothing_that_a_server_says_becomes_markup(name: str) -> None:
    cells = (cell(name, Speed()), cell(name, Speed(), depth=512), cell(name, Speed(), concurrency=2))
    evil = replace(
        result(name, None, *cells), model=replace(result(name).model, target=name, details={"quantization_level": name})
    )
    failed = broken(name)
    failed = replace(
        failed, cells=(replace(failed.cells[0], records=(replace(failed.cells[0].records[0], error=name),)),)
    )
    text = report(run(evil, result("other"), failed, arguments=["--model", name]))
    plain = Tags(report(run(result("a", None, *cells), result("other"), broken("b"))))
    found = Tags(text)
    assert found.tags == plain.tags
    assert list(found.handlers()) == []
    assert "script" not in found.tags
    assert len(text) < 120_000
    assert "49" not in "".join(part for part in found.texts if "7*7" in part)


def test_the_page_asks_for_nothing_and_forbids_the_rest() -> None:
    text = report(laptop())
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text
    assert not re.search(r"url\(|@import|<script|<link(?! rel=\"icon\" href=\"data:,\")", text)
    assert list(Tags(text).handlers()) == []


@pytest.mark.parametrize(
    "made",
    [run(), run(broken("b")), run(result("a")), run(result("a", None, cell("a", Speed(), tokens=0)))],
    ids=["nothing", "failed", "one", "no text"],
)
def test_little_data_makes_a_page_too(made: RunResult) -> None:
    text = report(made)
    assert "How it was measured" in text
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).lower()


def test_thirty_models_fit() -> None:
    made = run(
        *(
            result(f"model-{index}:latest", Speed(decode=5 + index), size_bytes=index * 10**8 + 10**8)
            for index in range(30)
        )
    )
    text = report(made)
    assert heading(text).startswith("model-")
    assert text.count('scope="row"') == 30 + 30  # the results, and the gaps


def test_drawings_have_words_for_those_who_do_not_see_them() -> None:
    drawings = re.findall(r"<svg(?! class=\"swatch\").*?</svg>", report(laptop()), re.DOTALL)
    assert len(drawings) == 5
    for drawing in drawings:
        labelled = re.search(r'aria-labelledby="([\w-]+) ([\w-]+)"', drawing)
        assert labelled
        assert f'<title id="{labelled[1]}">' in drawing
        assert f'<desc id="{labelled[2]}">' in drawing


def test_the_front_has_whom_none_beats_in_size_and_speed() -> None:
    models = [
        result(each, Speed(decode=decode, noise=0.001), size_bytes=size * 10**9)
        for each, decode, size in (("a", 90, 1), ("b", 40, 2), ("c", 50, 3), ("d", 10, 8))
    ]
    found = front_of(standing(envelope(run(*models)).models, "decode"))
    assert [place.model.name for place in found.front] == ["a", "c", "d"]


def test_the_knee_is_where_the_rate_stops_growing_and_a_flat_curve_has_none() -> None:
    shares = {1: 1.0, 2: 0.9, 4: 0.8, 8: 0.41}
    cells = [cell("a", Speed(decode=40 * share, ttft=0.01), concurrency=users) for users, share in shares.items()]
    (grows,) = envelope(run(result("a", None, *cells))).models
    assert (knee(grows), is_flat(grows)) == (4, False)
    level = [cell("a", Speed(decode=40 / users, ttft=0.01), concurrency=users) for users in (1, 2, 4)]
    (flat,) = envelope(run(result("a", None, *level))).models
    assert (knee(flat), is_flat(flat)) == (None, True)


def test_stalls_are_pauses_that_stand_out() -> None:
    assert stalls([0.1, 0.12, 0.14, 0.5, 0.52]) == [(0.14, 0.5)]
    assert stalls([0.001, 0.002, 0.03]) == []  # below what anybody sees
    assert stalls([0.1]) == stalls([]) == []


def test_numbers_as_they_are_written() -> None:
    assert [digits(value) for value in (4.314, 43.14, 431.4, 4314, 0)] == ["4.31", "43.1", "431", "4,314", "0.00"]
    assert [seconds(value) for value in (1.234, 0.0412, 0.0000412, 0, 124)] == [
        "1.23 s",
        "41.2 ms",
        "41.2 µs",
        "0.00 s",
        "124 s",
    ]
    assert (change(0.126), change(-0.03)) == ("+12.6 %", "−3.0 %")
    assert name("a" * 100, 11) == "aaaaaa…aaaa"
    assert name("hf.co/some/long-Model-GGUF:Q4_K_M", 20) == "hf.co/some…UF:Q4_K_M"
    (figure,) = [envelope(run(result("a"))).models[0].cells[0].metrics["decode"]]
    assert measured(replace_figure(figure, median=84.23, ci95=(83.0, 85.2))) == ("84.2", "± 1.1")
    assert measured(replace_figure(figure, median=0.412, ci95=(0.392, 0.432), unit="s")) == ("412 ms", "± 20")
    assert measured(replace_figure(figure, median=84.23, ci95=None)) == ("84.2", "")
    assert measured(None) == ("—", "")


def replace_figure(figure, **fields):  # type: ignore[no-untyped-def]
    return figure.model_copy(update=fields)


def test_scales_put_values_where_they_belong() -> None:
    assert from_zero([50], 0, 104)(25) == pytest.approx(50)
    assert Linear(0, 10, 100, 0)(5) == 50
    assert Linear(0, 1000, 0, 1).ticks(5) == [0, 200, 400, 600, 800, 1000]
    assert Log(1, 16, 0, 4)(4) == pytest.approx(2)
    assert Log(1, 1000, 0, 1).ticks(20) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert Log(1, 1e6, 0, 1).ticks(8) == [1, 10, 100, 1e3, 1e4, 1e5, 1e6]
    assert isinstance(around([1, 100], 0, 1), Log)
    assert isinstance(around([1, 2], 0, 1), Linear)
    assert from_zero([], 0, 1).ticks(4) == [0, 0.25, 0.5, 0.75, 1]


def _luminance(colour: str) -> float:
    """Of WCAG 2, from `#rrggbb`."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_text_has_contrast_enough_in_light_dark_and_print() -> None:
    palettes = re.findall(r":root \{(.*?)\}", report(run()), re.DOTALL)
    assert len(palettes) == 3
    for palette in palettes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", palette))
        for name_ in ("ink", "soft", "accent", "warn", "s0", "s1", "s2", "s3", "s4", "s5"):
            low, high = sorted((_luminance(colours["paper"]), _luminance(colours[name_])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, name_


def embedding(name_: str, per_second: float) -> ModelResult:
    """Measured by requests for embeddings, which have no text and no decode rate."""
    cells = cell(name_, Speed(prefill=per_second), tokens=0)
    records = tuple(
        replace(each, kind="embed", end_ns=each.server.total_ns or 0, vector_length=384,
                server=replace(each.server, load_ns=0, total_ns=int(128e9 / per_second * (1 + index / 500))))
        for index, each in enumerate(cells.records)
    )  # fmt: skip
    return result(name_, None, replace(cells, records=records))


def test_embedding_models_are_told_by_their_own_rates() -> None:
    text = report(run(embedding("slow", 300), embedding("quick", 900)))
    assert heading(text).startswith("quick is the fastest here: 89")
    assert "Embedding <small>tok/s</small>" in text
    assert "Prefill" not in text
