"""What `puna meter fit` predicts of decoding, against what the real runtime then does: is 90 % of it in the range?

Each model is predicted twice: from the memory's speed alone, as on a machine that has never measured anything, and
with what the other models have shown. Its own measurement is never part of its prediction. One thread is looked at as
well as all of them: it is another machine for the formula, and one that other programs disturb less. The formula's
constants come from these models, too, so that on the machine where they were taken the range is no surprise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests import tiny_models
from tests.servers import Server

from bench.figures import Figure
from bench.models import SMOLLM2, Home
from puna.engine.memory import system_memory
from puna.meter.fit import bandwidth
from puna.meter.fit.anatomy import Anatomy
from puna.meter.fit.belief import Interval
from puna.meter.fit.predict import Observation, Processor, predict
from puna.store import read_gguf_header

LENGTH = 64  # tokens of an answer
DEPTH = 1500  # tokens before it, in the second row of the largest model
CONTEXT = 2048


@dataclass(frozen=True, slots=True)
class Size:
    """A llama of random weights."""

    name: str
    layers: int
    dim: int
    ffn: int
    quantization: str


SIZES = (
    Size("14 MB F16", 2, 64, 128, "F16"),
    Size("39 MB Q8_0", 12, 256, 768, "Q8_0"),
    Size("61 MB Q4_0", 16, 512, 1536, "Q4_0"),
    Size("66 MB F16", 8, 256, 768, "F16"),
    Size("184 MB F16", 12, 512, 1536, "F16"),
)
QUICK = SIZES[1:4:2]


@dataclass(frozen=True, slots=True)
class _Subject:
    title: str
    model: str
    anatomy: Anatomy
    depth: int = 0


@dataclass(frozen=True, slots=True)
class _Measured:
    subject: _Subject
    bandwidth: float  # bytes per second, just before
    rates: Sequence[float]  # tokens per second

    @property
    def observation(self) -> Observation:
        return Observation(self.subject.anatomy, on_gpu=False, decode=median(self.rates), depth=self.subject.depth)


async def measure(home: Home, sizes: Sequence[Size], *, times: int, threads: Sequence[int] = ()) -> list[Figure]:
    """`threads`: each count is a machine of its own; without any, one thread and as many as there are."""
    figures = []
    with home.server(slots=1, context=CONTEXT) as server:
        subjects = _subjects(server, sizes)
        for count in threads or dict.fromkeys((1, bandwidth.compute_threads())):
            figures += _figures_of(count, [await asyncio.to_thread(_measured, server, subject, count, times)
                                           for subject in subjects])  # fmt: skip
    return figures


def _figures_of(threads: int, measured: Sequence[_Measured]) -> list[Figure]:
    alone = [_predicted(each, threads, ()) for each in measured]
    plain = [each for each in measured if not each.subject.depth]  # as the history keeps them
    learned = [_predicted(each, threads, [other for other in plain if other.subject.model != each.subject.model])
               for each in measured]  # fmt: skip
    return [
        *_figures(f"decode ÷ predicted from memory, {threads} thread(s)", measured, alone),
        *_figures(f"decode ÷ predicted with other models, {threads} thread(s)", measured, learned),
    ]


def _subjects(server: Server, sizes: Sequence[Size]) -> list[_Subject]:
    smollm2 = _anatomy(tiny_models.smollm2_gguf())
    subjects = [_Subject(f"{SMOLLM2.name} Q4_1", SMOLLM2.name, smollm2)]
    subjects.append(_Subject(f"{SMOLLM2.name} Q4_1 after {DEPTH} tokens", SMOLLM2.name, smollm2, DEPTH))
    for number, size in enumerate(sizes):
        path = tiny_models.tiny_llama(
            tiny_models.cache_folder(), name=f"sized-{number}", layers=size.layers, dim=size.dim, ffn=size.ffn,
            quantization=size.quantization,
        )  # fmt: skip
        server.create(f"sized-{number}", path)
        subjects.append(_Subject(size.name, f"sized-{number}", _anatomy(path)))
    return subjects


def _anatomy(path: Path) -> Anatomy:
    return Anatomy.of(read_gguf_header(path), path.stat().st_size)


def _measured(server: Server, subject: _Subject, threads: int, times: int) -> _Measured:
    """The memory's speed and the model's take turns, so that both meet the same machine."""
    _decode(server, subject, threads)  # it is loaded now
    speeds, rates = [], []
    for _ in range(times):
        speeds.append(bandwidth.measure(system_memory().free, threads=threads).median)
        rates.append(_decode(server, subject, threads))
    return _Measured(subject, median(speeds), rates)


def _decode(server: Server, subject: _Subject, threads: int) -> float:
    """Tokens per second, as the server counts. The prompt is the same one, so that only the first answer reads it."""
    prompt = "tell " * max(subject.depth, 1)
    options = {"temperature": 0, "num_predict": LENGTH, "num_thread": threads}
    body = {"model": subject.model, "prompt": prompt, "raw": True, "stream": False, "options": options}
    answer = server.post("/api/generate", body).json
    assert answer["eval_count"] > LENGTH // 2, answer
    return float(answer["eval_count"] / answer["eval_duration"] * 1e9)


def _predicted(measured: _Measured, threads: int, others: Sequence[_Measured]) -> Interval:
    subject = measured.subject
    processor = Processor(measured.bandwidth, threads)
    found = predict(subject.anatomy, processor, subject.depth, [other.observation for other in others])
    interval = found.decode_deep if subject.depth else found.decode
    assert interval is not None
    return interval


def _figures(what: str, measured: Sequence[_Measured], predicted: Sequence[Interval]) -> list[Figure]:
    figures = [
        Figure(
            what,
            f"{each.subject.title}, {interval.low:.0f} to {interval.high:.0f} tok/s",
            "ratio",
            "tok/s",
            list(each.rates),
            [interval.middle] * len(each.rates),
        )
        for each, interval in zip(measured, predicted, strict=True)
    ]
    inside = sum(median(each.rates) in interval for each, interval in zip(measured, predicted, strict=True))
    return [*figures, Figure(what, f"inside the range, of {len(measured)}", "alone", "", [float(inside)])]
