"""Threats T16: a template is a program from a stranger. It reaches nothing of Python and ends within its budget."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from puna.errors import BadRequest
from puna.prompts import GoTemplate, Message, render_messages
from puna.prompts.gotemplate.budget import MAX_OUTPUT, Budget
from puna.prompts.gotemplate.evaluate import execute
from puna.prompts.gotemplate.fault import Fault
from puna.prompts.gotemplate.parser import parse_blocks

NAMES = [
    "__class__", "__init__", "__globals__", "__dict__", "__mro__", "__subclasses__", "__builtins__", "__import__",
    "_fields", "keys", "items", "get", "format", "join", "encode", "value", "json", "func_globals", "gi_frame", "cr_frame",
]  # fmt: skip
ESCAPES = [
    *(f"{{{{ .{name} }}}}" for name in NAMES),
    *(f"{{{{ range .Messages }}}}{{{{ .{name} }}}}{{{{ end }}}}" for name in NAMES),
    *(f'{{{{ index . "{name}" }}}}' for name in NAMES[:8]),
    "{{ .System.__class__ }}",
    "{{ .Messages.__class__.__mro__ }}",
    '{{ (print "").__class__ }}',
    '{{ "".__class__ }}',
    '{{ index "" "__class__" }}',
    "{{ call .System }}",
    "{{ call .__class__ }}",
    '{{ printf "%s" .__class__ }}',
    '{{ printf "%[1]s {0.__class__}" .System }}',
    '{{ printf "{0.__class__.__mro__}" .System }}',
    '{{ printf "%(__class__)s" . }}',
    "{{ .System | attr \"__class__\" }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('touch flag') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ request.application }}",
    "{{ config.items }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ().__class__.__bases__ }}",
    "{{ [].__class__ }}",
    "{% for c in ().__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "{% import os %}{{ os.system('touch flag') }}",
    "${7*7}#{7*7}<%= 7*7 %>{{7*7}}",
    "{{ __import__(\"os\").system(\"touch flag\") }}",
    "{{ eval \"1\" }}",
    "{{ exec \"open('flag','w')\" }}",
    "{{ open \"/etc/passwd\" }}",
    "{{ include \"/etc/passwd\" }}",
    "{{ template \"/etc/passwd\" . }}",
    "{{ block \"../../x\" .System }}{{ .__class__ }}{{ end }}",
    "{{ env \"HOME\" }}",
    "{{ readFile \"/etc/passwd\" }}",
    "{{ $.__class__.__init__ }}",
    "{{ with $x := .__init__ }}{{ $x.__globals__ }}{{ end }}",
    "{{ range $k, $v := .Messages }}{{ $v.__class__.__name__ }}{{ end }}",
    "{{ .Messages.append }}",
    "{{ js .__class__ }}{{ html .__dict__ }}{{ urlquery .__doc__ }}{{ json .__init__ }}",
]  # fmt: skip
LEAKS = ("<class", "<built-in", "<bound", "<function", "object at 0x", "root:", "mappingproxy", "site-packages")


@pytest.mark.parametrize("template", ESCAPES)
def test_T16_escapes_reach_nothing_of_python(template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        text = render_messages(GoTemplate.parse(template), [Message("system", "s"), Message("user", "u")])
    except BadRequest as error:
        text = str(error)
        assert text.startswith("template error: ")
    assert not any(leak in text for leak in LEAKS)
    assert list(tmp_path.iterdir()) == []


def test_T16_the_corpus_has_sixty_escapes() -> None:
    assert len(set(ESCAPES)) >= 60


REPOSITORY = Path(__file__).parents[2]
DATA: dict[str, Any] = {"Long": "é" * 1_000_000, "A": "a"}
MANY = "{{ range $i := 1000 }}"
DOUBLED = "".join(["{{ $s = print $s $s }}"] * 40)
BOMBS = {
    "a range over a billion": "{{ range 1000000000 }}{{ end }}",
    "a range that prints": "{{ range 1000000000 }}0123456789{{ end }}",
    "nested empty ranges": MANY * 5 + "{{ end }}" * 5,
    "a template that calls itself": '{{ define "a" }}x{{ template "a" . }}{{ end }}{{ template "a" . }}',
    "templates that call each other": '{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ template "a" . }}'
    '{{ template "a" . }}{{ end }}{{ template "a" . }}',
    "templates that call the next one ten times": "".join(
        f'{{{{ define "t{n}" }}}}' + f'{{{{ template "t{n + 1}" . }}}}' * 10 + "{{ end }}" for n in range(20)
    )
    + '{{ define "t20" }}{{ end }}{{ template "t0" . }}',
    "a string doubled forty times": '{{ $s := "0123456789" }}' + DOUBLED + "{{ $s }}",
    "a wide string doubled forty times": '{{ $s := "\U0001f600" }}' + DOUBLED + "{{ $s }}",
    "a doubled string nobody prints": '{{ $s := "0123456789" }}' + DOUBLED,
    "a string doubled by printf": '{{ $s := "ab" }}' + '{{ $s = printf "%s%s%s" $s $s $s }}' * 40,
    "a string that escapes to more": '{{ $s := "<<<<" }}' + "{{ $s = html $s $s }}" * 40,
    "a string that is quoted again and again": '{{ $s := "\\"" }}' + "{{ $s = json (json $s) }}" * 40,
    "a string that is urlquoted": '{{ $s := "%%%%" }}' + "{{ $s = urlquery $s $s }}" * 40,
    "a wide printf": '{{ printf "%1000000000d" 1 }}',
    "many wide printfs": '{{ range 100000 }}{{ $x := printf "%9999d%9999d%9999d" 1 2 3 }}{{ end }}',
    "a precise printf": '{{ printf "%.999999999f" 1.5 }}',
    "a printf with a width of its own": '{{ printf "%*d" 999999999 1 }}',
    "long strings measured": '{{ $s := .Long }}{{ range 1000000 }}{{ $x := len $s }}{{ end }}',
    "long strings sliced": '{{ range 1000000 }}{{ $x := slice $.Long 1 }}{{ end }}',
    "long strings escaped": '{{ range 1000000 }}{{ $x := js $.Long }}{{ end }}',
    "all data as JSON": '{{ range 1000000 }}{{ $x := json $ }}{{ end }}',
    "all data printed": '{{ range 1000000 }}{{ $x := printf "%v %q" $ $ }}{{ end }}',
    "many variables": "{{ range 100000 }}{{ $a := 1 }}{{ $b := 2 }}{{ $c := $a }}{{ end }}{{ range 1000000 }}{{ end }}",
    "a thousand parentheses": "{{ " + "(" * 1000 + "1" + ")" * 1000 + " }}",
    "a thousand nested ifs": "{{ if 1 }}" * 1000 + "{{ end }}" * 1000,
    "a hundred thousand nested ifs": "{{if 1}}" * 30_000 + "{{end}}" * 30_000,
    "a source of a megabyte": "{{ .A }}" * 131_072,
    "a number of ten thousand digits": "{{ " + "9" * 10_000 + " }}",
    "an unclosed string": '{{ "' + "a\\" * 50_000,
    "an unclosed comment": "{{/*" * 50_000,
    "blanks before nothing": "{{" + " " * 200_000,
}  # fmt: skip


@pytest.mark.parametrize("template", BOMBS.values(), ids=BOMBS.keys())
def test_T16_bombs_are_refused_within_their_budget(template: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(BadRequest, match=r"^template error: "):
        GoTemplate.parse(template).execute(DATA)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 4  # the budget is two seconds; the rest is for a busy machine


def test_T16_bombs_take_little_memory() -> None:
    """In a process of its own, because the high-water mark of this one may be anywhere already."""
    script = """
import resource
from puna.errors import BadRequest
from tests.prompts.test_hostile_templates import BOMBS, DATA
from puna.prompts import GoTemplate
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for name, template in BOMBS.items():
    if "range" not in template and "define" not in template:
        try: GoTemplate.parse(template).execute(DATA)
        except BadRequest: pass
print(peak() - before)
"""
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert int(child.stdout) < 64 * 1024  # KiB


def test_T16_long_else_if_chains_and_many_actions_are_no_bombs() -> None:
    chain = "{{ if .A }}a" + "{{ else if .B }}b" * 2_000 + "{{ else }}c{{ end }}"
    assert GoTemplate.parse(chain).execute({}) == "c<no value>"
    assert GoTemplate.parse("{{ .A }}" * 10_000).execute({"A": "x", "Response": ""}) == "x" * 10_000


def test_T16_a_prompt_of_the_longest_length_still_renders() -> None:
    text = "a" * (MAX_OUTPUT - 10)
    template = GoTemplate.parse("{{ range .Messages }}{{ .Content }}{{ end }}")
    assert render_messages(template, [Message("user", text)]) == text
    with pytest.raises(BadRequest, match="output is longer than 4000000 bytes"):
        render_messages(template, [Message("user", text + "b" * 11)])


def test_T16_time_is_checked_even_when_steps_are_left() -> None:
    seconds = iter(range(1_000))
    with pytest.raises(Fault, match="longer than 2 seconds"):
        execute(parse_blocks("{{ range 5000 }}{{ end }}"), {}, Budget(lambda: next(seconds)))


def test_T16_values_nested_too_deep_are_refused() -> None:
    value: Any = "x"
    for _ in range(500):
        value = [value]
    for template in ("{{ .V }}", "{{ json .V }}", '{{ printf "%s" .V }}'):
        with pytest.raises(BadRequest, match="nested too deeply"):
            GoTemplate.parse(template).execute({"V": value})
