"""What `puna code` costs and saves: contract code-completion §4.5, rows G1, G2, G5 and G6.

A real `puna code` stands in front of a real `puna serve` with SmolLM2, and one client asks both. SmolLM2 has no markers
for filling gaps; the operator's word makes it read Qwen's as ordinary text. What it writes is of no use; what it costs
is that of any model of its size. Every prompt begins with a number of its own, so that the engine has none of it in
its cache unless that is the question.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import perf_counter

import aiohttp
import orjson
from tests.servers import Server, free_port

from bench.figures import Figure, Goal
from bench.models import SMOLLM2, Home

CONTEXT = 4096  # tokens per slot
SLOTS = 4
LENGTH = 16  # tokens of an answer
SETTLE_S = 0.3  # until a cancelled engine is idle for certain

_FUNCTION = "def step_{0}(value):\n    total = value + {0}\n    return total\n\n\n"  # about 20 tokens
_SUFFIX = "".join(_FUNCTION.format(number) for number in range(900, 925))
_SETTINGS = f'[code.models."{SMOLLM2.name}"]\nfim = "qwen-coder"\n'
_MARKED = "<|fim_prefix|>{}<|fim_suffix|>{}<|fim_middle|>"
_TEXT = re.compile(rb'"response":"[^"]')
_COUNTS = re.compile(rb"^puna_(prompt|cached)_tokens_total\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Heard:
    first_ms: float  # to the first visible text
    total_ms: float
    text: str


@dataclass(frozen=True, slots=True)
class Bench:
    """Both servers and a client of each."""

    session: aiohttp.ClientSession
    runtime: Server
    code: Server

    async def ask(self, body: dict[str, object], *, direct: bool = False) -> Heard:
        """One streamed answer of `/api/generate`, to its end."""
        url = f"{(self.runtime if direct else self.code).url}/api/generate"
        first, pieces = 0.0, []
        began = perf_counter()
        async with self.session.post(url, data=orjson.dumps({**body, "stream": True})) as response:
            async for data in response.content:
                first = first or (perf_counter() - began if _TEXT.search(data) else 0.0)
                pieces.append(data)
        total = perf_counter() - began
        lines = [orjson.loads(data) for data in pieces]
        assert lines[-1].get("done"), lines
        return Heard((first or total) * 1000, total * 1000, "".join(line["response"] for line in lines))

    async def evaluated(self, later_than: tuple[float, float] | None = None) -> tuple[float, float]:
        """All prompt tokens so far, and those that the engine had to evaluate.

        An answer is counted a moment after its last byte: `later_than` waits for it.
        """
        while True:
            async with self.session.get(f"{self.runtime.url}/metrics") as response:
                counts = {name: float(value) for name, value in _COUNTS.findall(await response.read())}
            found = counts[b"prompt"], counts[b"prompt"] - counts[b"cached"]
            if found != later_than:
                return found
            await asyncio.sleep(0.01)

    def engine_cpu_s(self) -> float:
        """CPU time of the runner, and of what it started, so far."""
        times = [process.cpu_times() for process in self.runtime.runners()]
        return sum(time.user + time.system for time in times)


async def measure(home: Home, *, turns: int) -> list[Figure]:
    """`turns` samples of each side of every figure."""
    async with _running(home) as bench:
        for _ in range(2):  # connections, the probe-free look at the model, the CPU's clock
            await bench.ask(_body(_prefix(20)))
            await bench.ask(_raw(_prefix(20)), direct=True)
        return [
            *await _through(bench, turns),
            *await _one_more_character(bench, turns),
            *await _after_a_cancellation(bench, turns),
            *await _typing_through(bench, turns),
        ]


async def _through(bench: Bench, turns: int) -> list[Figure]:
    """G1: the same prompt through `puna code` and straight to the runtime, in turns."""
    ours: list[Heard] = []
    theirs: list[Heard] = []
    for turn in range(turns):
        for direct in (turn % 2 == 0, turn % 2 == 1):
            heard = await bench.ask(_raw(_prefix(30)), direct=direct)
            (theirs if direct else ours).append(heard)
    case = "prompt of about 1,100 tokens, cold"
    firsts = [[heard.first_ms for heard in side] for side in (ours, theirs)]
    totals = [[heard.total_ms for heard in side] for side in (ours, theirs)]
    return [
        Figure("G1 first text through puna code ÷ straight", case, "ratio", "ms", *firsts, Goal(1.05, "at most")),
        Figure("G1 whole answer through puna code ÷ straight", case, "ratio", "ms", *totals, Goal(1.03, "at most")),
    ]


async def _one_more_character(bench: Bench, turns: int) -> list[Figure]:
    """G2: a cold prompt of about 2,000 tokens, then the same with one more character typed."""
    cold: list[float] = []
    warm: list[float] = []
    shares: list[float] = []
    for _ in range(turns):
        prefix = f"{_prefix(70)}def last(value):\n    tot"
        known = await bench.evaluated()
        cold.append((await bench.ask(_body(prefix, _SUFFIX))).first_ms)
        before = await bench.evaluated(later_than=known)
        warm.append((await bench.ask(_body(f"{prefix}a", _SUFFIX))).first_ms)
        after = await bench.evaluated(later_than=before)
        shares.append((after[1] - before[1]) / (after[0] - before[0]))
    case = "one more character, about 2,000 tokens"
    return [
        Figure("G2 prompt tokens evaluated ÷ all", case, "alone", "", shares, (), Goal(0.05, "at most")),
        Figure("G2 first text ÷ cold", case, "ratio", "ms", warm, cold, Goal(0.20, "at most")),
    ]


async def _after_a_cancellation(bench: Bench, turns: int) -> list[Figure]:
    """G5: a question right after one that was hung up on, and on an idle server; what the engine did for nobody."""
    step_s = await _cpu_of_a_step(bench)
    ours: list[float] = []
    idle: list[float] = []
    wasted: list[float] = []
    for _ in range(turns):
        idle.append((await bench.ask(_body(_prefix(5)))).first_ms)
        await _hang_up(bench)
        ours.append((await bench.ask(_body(_prefix(5)))).first_ms)
        await _hang_up(bench)
        before = bench.engine_cpu_s()
        await asyncio.sleep(SETTLE_S)
        wasted.append((bench.engine_cpu_s() - before) / step_s)
    mean = [sum(wasted) / len(wasted)]  # one cancellation is shorter than a tick of the CPU's clock
    return [
        Figure(
            "G5 first text ÷ idle server",
            "right after a cancellation",
            "ratio",
            "ms",
            ours,
            idle,
            Goal(1.15, "at most"),
        ),
        Figure(
            "G5 steps of the engine for nobody", "after a cancellation", "alone", "", mean, (), Goal(1.0, "at most")
        ),
    ]


async def _typing_through(bench: Bench, turns: int) -> list[Figure]:
    """G6: every keystroke inside a suggestion, beside an answer that needs one new token of the prompt."""
    hits: list[float] = []
    warm: list[float] = []
    asked = answered = 0
    for turn in range(turns):
        prefix, session = f"{_prefix(70)}def last(value):\n    tot", f"typing {turn}"
        known = await bench.evaluated()
        shown = await bench.ask(_body(prefix, _SUFFIX, session))
        known = await bench.evaluated(later_than=known)
        warm.append((await bench.ask(_body(f"{prefix}#", _SUFFIX))).first_ms)
        before = await bench.evaluated(later_than=known)
        for typed in range(1, len(shown.text)):
            heard = await bench.ask(_body(prefix + shown.text[:typed], _SUFFIX, session))
            asked += 1
            if heard.text == shown.text[typed:]:
                answered += 1
                hits.append(heard.first_ms)
        if answered == asked:
            assert await bench.evaluated() == before, "a hit asked the engine"
    return [
        Figure(
            "G6 first text of a hit ÷ warm",
            "typing what is shown",
            "ratio",
            "ms",
            hits,
            _as_many(warm, hits),
            Goal(0.02, "at most"),
        ),
        Figure(
            "G6 keystrokes that are hits",
            "inside a suggestion",
            "alone",
            "",
            [answered / max(asked, 1)],
            (),
            Goal(0.6, "at least"),
        ),
    ]


async def _hang_up(bench: Bench) -> None:
    """Ask for a long answer and leave after its first text."""
    body = {**_raw(_prefix(5)), "stream": True, "options": {"num_predict": 2000}}
    async with bench.session.post(f"{bench.code.url}/api/generate", data=orjson.dumps(body)) as response:
        async for data in response.content:
            if _TEXT.search(data):
                break


async def _cpu_of_a_step(bench: Bench) -> float:
    """The engine's CPU seconds for one token of an answer, without its prompt."""
    times = []
    for length in (1, 101):
        before = bench.engine_cpu_s()
        await bench.ask({**_raw(_prefix(5)), "options": {"num_predict": length}})
        times.append(bench.engine_cpu_s() - before)
    return (times[1] - times[0]) / 100


def _prefix(functions: int) -> str:
    """Code that no prompt before it begins with."""
    return f"# {next(_numbers)}\n" + "".join(_FUNCTION.format(number) for number in range(functions))


def _body(prefix: str, suffix: str = "", session: str = "") -> dict[str, object]:
    """A question of a session of its own unless one is named: nothing is typed through, nothing superseded."""
    more = {"session": session or f"once {next(_numbers)}", "mode": "raw"}  # no rule ends it: it has its full length
    return {"prompt": prefix, "suffix": suffix, "options": {"num_predict": LENGTH}, "puna": more}


def _raw(prefix: str) -> dict[str, object]:
    """The same bytes for `puna code` and for the runtime behind it: a whole prompt in the model's own markers."""
    options = {"num_predict": LENGTH, "temperature": 0, "seed": 1234}
    return {"model": SMOLLM2.name, "prompt": _MARKED.format(prefix, _SUFFIX), "raw": True, "options": options}


def _as_many(samples: list[float], others: list[float]) -> list[float]:
    """`samples` again and again, until each of `others` has a neighbour."""
    return list(itertools.islice(itertools.cycle(samples), len(others)))


@asynccontextmanager
async def _running(home: Home) -> AsyncIterator[Bench]:
    with home.serving(SMOLLM2, slots=SLOTS, context=CONTEXT) as runtime, _code_server(home, runtime) as code:
        async with aiohttp.ClientSession() as session:
            yield Bench(session, runtime, code)


@contextmanager
def _code_server(home: Home, runtime: Server) -> Iterator[Server]:
    """`puna code` in front of `runtime`."""
    folder = home.folder / "code"
    folder.mkdir(exist_ok=True)
    settings = folder / "config.toml"
    settings.write_text(_SETTINGS)
    port = free_port()
    environment = {
        "PUNA_HOST": runtime.url,
        "PUNA_CODE_HOST": f"127.0.0.1:{port}",
        "PUNA_CODE_MODEL": SMOLLM2.name,
        "PUNA_CONFIG": str(settings),
        "PUNA_CODE_DEADLINE_MS": "600000",  # a slow machine is measured too
    }
    with Server(home.models, folder, environment, command="code", port=port) as server:
        yield server
