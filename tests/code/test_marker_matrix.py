"""Any client with any model: every client's prompt, for every family, becomes exactly that family's prompt (Q5).

The forms are those of the contract's Part 3 (code-completion): which markers a client writes, where it puts what it knows
of the file. `TEXT` and `REST` are the code around the cursor.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from puna.code.analysis import analyse
from puna.code.stops import StopTexts
from puna.code.types import CompletionRequest, ContextFile
from puna.prompts.fim import FAMILIES, MARKER_SETS, Family, render

TEXT = "def area(r):\n    return 3.14 * "
REST = "\n\nprint(area(2))\n"
DS = ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")
QW = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
SC = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
LLAMA_CODER = "# Language: Python\n# Path: src/a.py\n"
TWINNY = "\n# Language: Python (python) \n# File uri: file:///src/a.py (python) \n"


def fim(markers: tuple[str, ...], prefix: str = TEXT, suffix: str = REST) -> str:
    return f"{markers[0]}{prefix}{markers[1]}{suffix}{markers[2]}"


@dataclass(frozen=True)
class Form:
    """What a client sends, and what the server has to understand."""

    request: Mapping[str, Any]
    path: str = ""
    repo: str = ""
    prefix: str = TEXT
    suffix: str = REST
    extra: tuple[ContextFile, ...] = field(default=())


LIB = (ContextFile("src/lib.py", "PI = 3.14"),)

FORMS = {
    "Llama Coder, CodeLlama": Form(
        {"prompt": f"<PRE> {LLAMA_CODER}{TEXT} <SUF> {REST} <MID>", "raw": True}, path="src/a.py"
    ),
    "Llama Coder, DeepSeek": Form({"prompt": fim(DS, LLAMA_CODER + TEXT), "raw": True}, path="src/a.py"),
    "Llama Coder, StarCoder": Form({"prompt": fim(SC, LLAMA_CODER + TEXT), "raw": True}, path="src/a.py"),
    "Llama Coder, without the prefix marker": Form(
        {"prompt": f"{LLAMA_CODER}{TEXT} <SUF> {REST} <MID>", "raw": True}, path="src/a.py"
    ),
    "Continue, suffix": Form({"prompt": TEXT, "suffix": REST, "raw": True}),
    "Continue, repository of Qwen": Form(
        {
            "prompt": "<|repo_name|>geometry\n<|file_sep|>src/lib.py\nPI = 3.14\n<|file_sep|>src/a.py\n" + fim(QW),
            "raw": True,
        },
        path="src/a.py",
        repo="geometry",
        extra=LIB,
    ),
    "Continue, Codestral": Form(
        {"prompt": f"+++++ src/lib.py\nPI = 3.14\n\n[SUFFIX]{REST}[PREFIX]{TEXT}", "raw": True}, extra=LIB
    ),
    "CodeGPT for JetBrains, stray blanks": Form(
        {"prompt": f"<|fim_prefix|> {TEXT} <|fim_suffix|>{REST} <|fim_middle|>", "raw": True, "mode": None},
        prefix=f" {TEXT} ",
        suffix=f"{REST} ",
    ),
    "CodeGPT for JetBrains, suffix": Form({"prompt": TEXT, "suffix": REST, "raw": True}),
    "twinny, CodeLlama": Form({"prompt": f"<PRE> {TWINNY}{TEXT} <SUF> {REST} <MID>"}, path="/src/a.py"),
    "twinny, Qwen": Form({"prompt": fim(QW, TWINNY + TEXT)}, path="/src/a.py"),
    "llama.vim": Form({"prompt": TEXT, "suffix": REST, "extra": LIB, "exact": True}, extra=LIB),
    "minuet, suffix": Form({"prompt": f"# language: Python\n{TEXT}", "suffix": REST}),
    "minuet, rendered": Form(
        {"prompt": fim(QW, f"# language: Python\n# indentation: use 4 spaces for a tab\n{TEXT}")},
        prefix=f"# indentation: use 4 spaces for a tab\n{TEXT}",
    ),
    "llm-ls": Form({"prompt": fim(SC)}),
    "llm-ls, SantaCoder": Form({"prompt": fim(("<fim-prefix>", "<fim-suffix>", "<fim-middle>"))}),
    "cmp-ai": Form({"prompt": f"<PRE> {TEXT} <SUF>{REST} <MID>"}),
    "QodeAssist, CodeLlama": Form({"prompt": f"<PRE> {TEXT} <SUF>{REST} <MID>", "raw": True}),
    "QodeAssist, Qwen": Form({"prompt": fim(QW)}),
    "Zed, Qwen": Form({"prompt": fim(QW), "raw": True}),
    "Zed, CodeGemma": Form({"prompt": f"<|file_separator|>src/a.py\n{fim(QW)}", "raw": True}, path="src/a.py"),
    "Tabby": Form({"prompt": TEXT, "suffix": REST, "path": "src/a.py", "exact": True}, path="src/a.py"),
    "Copilot-style proxy": Form({"prompt": f"# Path: src/a.py\n{TEXT}", "suffix": REST}, path="src/a.py"),
    "a client for Seed-Coder": Form({"prompt": f"<[fim-suffix]>{REST}<[fim-prefix]>{TEXT}<[fim-middle]>"}),
    "a client for CodeGeeX4": Form(
        {
            "prompt": "<|user|>\n###PATH:src/a.py\n###LANGUAGE:Python\n###MODE:BLOCK\n"
            f"<|code_suffix|>{REST}<|code_prefix|>{TEXT}<|code_middle|><|assistant|>\n"
        },
        path="src/a.py",
    ),
}

matrix = [pytest.param(form, id=name) for name, form in FORMS.items()]


@pytest.mark.parametrize("form", matrix)
def test_Q5_every_clients_form_is_split_as_it_was_meant(form: Form) -> None:
    for served in (*FAMILIES, None):
        parts = analyse(CompletionRequest(**form.request), served)
        assert (parts.prefix, parts.suffix) == (form.prefix, form.suffix), served
        assert (parts.path, parts.repo, parts.extra) == (form.path, form.repo, form.extra), served
        told = form.path or "anguage: Python" in form.request["prompt"]
        assert parts.language == ("Python" if told else ""), served


@pytest.mark.parametrize("form", matrix)
def test_Q5_the_model_sees_its_own_markers_once_and_nobody_elses(form: Form) -> None:
    every = {marker for markers in MARKER_SETS for marker in markers.controls}
    for served in FAMILIES:
        prompt = seen(form.request, served)
        assert [prompt.count(marker) for marker in served.markers.fim] == [1] * len(served.markers.fim), served.name
        assert not [marker for marker in every.difference(served.markers.controls) if marker in prompt], served.name
        assert TEXT in prompt, served.name
        assert REST in prompt, served.name


@pytest.mark.parametrize("form", matrix)
def test_Q5_a_client_that_renders_as_we_do_is_passed_through(form: Form) -> None:
    for served in FAMILIES:
        parts = analyse(CompletionRequest(**form.request), served)
        rendered = render(served, parts.fim()).text
        assert seen({"prompt": rendered, "raw": True}, served) == rendered, served.name


def seen(request: Mapping[str, Any], served: Family) -> str:
    """The prompt that the model gets."""
    parts = analyse(CompletionRequest(**request), served)
    return parts.verbatim if parts.verbatim is not None else render(served, parts.fim()).text


def test_Q5_no_marker_leaks_from_ten_thousand_outputs() -> None:
    """Answers that run into markers and end tokens anywhere, in pieces cut anywhere: what is given out has none."""
    dice = random.Random(1)
    for turn in range(10_000):
        family = FAMILIES[turn % len(FAMILIES)]
        words = ["x = 1", "\n", " ", "<", "<|", "[", *family.stops, *(stop[:-1] for stop in family.stops)]
        output = "".join(dice.choice(words) for _ in range(dice.randint(1, 8)))
        cuts = sorted(dice.randint(0, len(output)) for _ in range(3))
        pieces = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)]
        reader = StopTexts(family.stops)
        text = "".join(reader.feed(piece) for piece in pieces) + reader.finish()
        assert [stop for stop in family.stops if stop in text] == [], (family.name, output)
        assert output.startswith(text)
