"""What text the model sees: Go templates, presets, overrides, raw, suffix, debug renderings, hostile templates (T16)."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import tiny_models
from tests.servers import Answer, Server

MESSAGES = "{{ range .Messages }}<{{ .Role }}>{{ .Content }}</{{ .Role }}>{{ end }}<assistant>"
LEGACY = "{{ if .System }}[S]{{ .System }}[/S]{{ end }}{{ if .Prompt }}[U]{{ .Prompt }}[/U]{{ end }}{{ .Response }}[E]"
INSERT = "{{ if .Suffix }}<PRE>{{ .Prompt }}<SUF>{{ .Suffix }}<MID>{{ else }}{{ .Prompt }}{{ end }}"
HI = [{"role": "user", "content": "hi"}]
PRESETS = [{"role": "user", "content": "p1"}, {"role": "assistant", "content": "p2"}]


def make(server: Server, name: str, **fields: Any) -> str:
    answer = server.post("/api/create", {"model": name, "from": "M", "stream": False, **fields})
    assert answer.json == {"status": "success"}, answer.body
    return name


@pytest.fixture(scope="module", autouse=True)
def models(server: Server) -> None:
    make(server, "go", template=MESSAGES, system="be kind", messages=PRESETS)
    make(server, "legacy", template=LEGACY)
    make(server, "insert", template=INSERT)


def ask(server: Server, path: str, **body: Any) -> Answer:
    return server.post(path, {"stream": False, "_debug_render_only": True, **body})


def generated(server: Server, model: str, **fields: Any) -> str:
    answer = ask(server, "/api/generate", model=model, **{"prompt": "hi", **fields}).json
    assert list(answer) == ["model", "created_at", "response", "done", "_debug_info"]
    assert (answer["response"], answer["done"]) == ("", False)
    return str(answer["_debug_info"]["rendered_template"])


def chatted(server: Server, model: str, messages: list[dict[str, Any]] = HI, **fields: Any) -> str:
    answer = ask(server, "/api/chat", model=model, messages=messages, **fields).json
    assert list(answer) == ["model", "created_at", "message", "done", "_debug_info"]
    assert (answer["message"], answer["done"]) == ({"role": "", "content": ""}, False)
    return str(answer["_debug_info"]["rendered_template"])


PRESET_TEXT = "<user>p1</user><assistant>p2</assistant>"


def test_system_then_presets_then_the_request(server: Server) -> None:
    expected = f"<system>be kind</system>{PRESET_TEXT}<user>hi</user><assistant>"
    assert generated(server, "go") == expected
    assert chatted(server, "go") == expected


def test_a_system_text_of_the_request_replaces_the_models(server: Server) -> None:
    assert generated(server, "go", system="be short").startswith("<system>be short</system><user>p1")
    own = chatted(server, "go", [{"role": "system", "content": "be short"}, *HI])
    assert own == f"{PRESET_TEXT}<system>be short</system><user>hi</user><assistant>"


def test_a_context_even_an_empty_one_drops_the_presets(server: Server) -> None:
    assert generated(server, "go", context=[]) == "<system>be kind</system><user>hi</user><assistant>"


def test_a_context_stands_before_the_new_rendering(server: Server) -> None:
    body = {"model": "go", "prompt": "hi", "stream": False, "options": {"num_predict": 4, "temperature": 0}}
    first = server.post("/api/generate", body).json
    before = generated(server, "go") + first["response"]
    again = generated(server, "go", prompt="and?", context=first["context"])
    assert again == f"{before}<system>be kind</system><user>and?</user><assistant>"


def test_neighbours_of_one_role_are_joined_by_a_blank_line(server: Server) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    assert chatted(server, "go", turns).endswith("<user>a\n\nb</user><assistant>")


def test_a_legacy_template_is_run_turn_by_turn_and_cut_behind_the_response(server: Server) -> None:
    turns = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert chatted(server, "legacy", turns) == "[S]s[/S][U]a[/U]b[E][U]c[/U]"
    assert generated(server, "legacy", system="s") == "[S]s[/S][U]hi[/U]"


def test_roles_are_lower_cased(server: Server) -> None:
    assert chatted(server, "legacy", [{"role": "USER", "content": "hi"}]) == "[U]hi[/U]"


def test_the_jinja_template_of_the_weights_serves_both_routes(server: Server) -> None:
    text = generated(server, "M", system="be kind")
    assert "<|im_start|>system\nbe kind<|im_end|>" in text
    assert text.endswith("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
    assert chatted(server, "M", [{"role": "system", "content": "be kind"}, *HI]) == text


def test_a_template_in_the_request_wins(server: Server) -> None:
    template = "T:{{ .System }}|{{ .Prompt }}|{{ .Response }}never seen"
    assert generated(server, "go", template=template) == "T:be kind|hi|"
    assert generated(server, "M", template=template, system="s") == "T:s|hi|"


def test_a_broken_template_in_the_request_is_a_500(server: Server) -> None:
    answer = server.post("/api/generate", {"model": "M", "prompt": "hi", "template": "{{ if"})
    assert answer.status == 500
    assert answer.json["error"].startswith("template error: ")


def test_a_suffix_fills_in_the_middle_without_the_system_text(server: Server) -> None:
    assert generated(server, "insert", suffix="end", system="s") == "<PRE>hi<SUF>end<MID>"
    assert generated(server, "insert") == "hi"
    assert generated(server, "insert", suffix="end", template="{{ .Suffix }}+{{ .Prompt }}") == "end+hi"
    assert generated(server, "insert", suffix="end", raw=True) == "hi"
    assert "insert" in server.post("/api/show", {"model": "insert"}).json["capabilities"]


def test_raw_sends_the_prompt_as_it_is(server: Server) -> None:
    assert generated(server, "go", raw=True) == "hi"
    answer = server.post("/api/generate", {"model": "go", "prompt": "hi", "raw": True, "stream": False,
                                           "options": {"num_predict": 2}}).json  # fmt: skip
    assert (answer["prompt_eval_count"], "context" in answer) == (1, False)


@pytest.mark.parametrize("field", [{"system": "s"}, {"template": "t"}, {"context": [1]}])
def test_raw_takes_no_template_system_or_context(server: Server, field: dict[str, Any]) -> None:
    answer = server.post("/api/generate", {"model": "M", "prompt": "hi", "raw": True, **field})
    expected = {"error": "raw mode does not support template, system, or context"}
    assert (answer.status, answer.json) == (400, expected)


def test_show_tells_the_template_in_force(server: Server) -> None:
    assert server.post("/api/show", {"model": "go"}).json["template"] == MESSAGES
    assert "im_start" in server.post("/api/show", {"model": "M"}).json["template"]


HOSTILE = {
    "recursion": '{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}',
    "doubling": '{{ $x := "aaaaaaaaaaaaaaaa" }}' + "{{ $x = print $x $x }}" * 40 + "{{ $x }}",
    "width": '{{ printf "%99999999d" 1 }}',
    "wide text": '{{ "a" | printf "%1000000000s" }}',
    "index": "{{ index .Messages 99999 }}",
    "call": "{{ call .Prompt }}",
    "attributes": "{{ .Prompt.__class__.__mro__ }}",
    "slice": "{{ slice .Prompt 5 1 }}",
}
UNREADABLE = {
    "deep blocks": "{{ if true }}" * 5000 + "{{ end }}" * 5000,
    "deep parentheses": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "overflow": "{{ slice .Prompt 1 99999999999999999999 }}",
    "unclosed": "{{ .Prompt",
}


@pytest.mark.parametrize("template", HOSTILE.values(), ids=HOSTILE.keys())
def test_T16_a_template_that_never_ends_or_looks_around_is_a_400_soon(server: Server, template: str) -> None:
    began = time.monotonic()
    answers = [ask(server, "/api/generate", model="M", prompt="hi", template=template)]
    make(server, "hostile", template=template)
    answers.append(ask(server, "/api/chat", model="hostile", messages=HI))
    assert time.monotonic() - began < 8  # two renderings of at most 2 s each, on a busy machine
    for answer in answers:
        assert answer.status == 400
        assert answer.json["error"].startswith("template error: ")


@pytest.mark.parametrize("template", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_T16_a_template_that_cannot_be_read_is_refused_by_create(server: Server, template: str) -> None:
    created = server.post("/api/create", {"model": "never", "from": "M", "template": template, "stream": False})
    assert created.status == 400
    assert created.json["error"].startswith("template error: ")
    assert ask(server, "/api/generate", model="M", prompt="hi", template=template).status == 500
    assert server.post("/api/show", {"model": "never"}).status == 404


def test_T16_loops_over_loops_end_within_the_budget(server: Server) -> None:
    messages = [{"role": ("user", "assistant")[i % 2], "content": "x"} for i in range(200)]
    template = "{{ range .Messages }}" + "{{ range $.Messages }}" * 4 + "x" + "{{ end }}" * 5
    make(server, "loops", template=template)
    began = time.monotonic()
    assert ask(server, "/api/chat", model="loops", messages=messages).status == 400
    assert time.monotonic() - began < 8


def test_T16_a_jinja_template_that_never_ends_holds_up_nobody_for_ever(server: Server) -> None:
    """The engine runs it, in a process of its own: loaded models answer meanwhile, and hanging up ends the load."""
    endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"
    server.create("endless", tiny_models.tiny_llama(tiny_models.cache_folder(), name="endless", chat_template=endless))
    short = {"prompt": "x", "stream": False, "options": {"num_predict": 1}}
    with Server(server.models, server.home.parent / "endless") as alone:  # with room for both: nothing is evicted
        alone.post("/api/generate", {"model": "M", **short})
        before = {runner.pid for runner in alone.runners()}
        connection = _send(alone, {"model": "endless", **short})
        try:
            time.sleep(1)
            assert alone.post("/api/generate", {"model": "M", **short}).json["done"] is True
        finally:
            connection.close()
        assert alone.post("/api/generate", {"model": "tools", **short, "keep_alive": 0}).json["done"] is True
        deadline = time.monotonic() + 10
        while not {runner.pid for runner in alone.runners()} <= before:
            assert time.monotonic() < deadline, "the endless load is still there"
            time.sleep(0.05)


def _send(server: Server, body: dict[str, Any]) -> Any:
    """A request on its way, without waiting for the answer."""
    import json
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/api/generate", json.dumps(body).encode())
    return connection


def test_T16_a_jinja_template_that_recurses_costs_its_own_runner_only(server: Server) -> None:
    endless = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"
    server.create("deep", tiny_models.tiny_llama(tiny_models.cache_folder(), name="deep", chat_template=endless))
    answers: list[Answer] = []
    asking = Thread(target=lambda: answers.append(server.post("/api/generate", {"model": "deep", "prompt": "x"})))
    asking.start()
    asking.join(60)
    assert answers[0].status in (400, 500)
    assert "Traceback" not in answers[0].json["error"]
    assert server.post("/api/generate", {"model": "M"}).json["done_reason"] == "load"


def test_T16_a_jinja_template_reaches_nothing_outside(server: Server, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    escape = (
        "{{ cycler.__init__.__globals__.os.popen('touch FLAG').read() }}{{ ''.__class__.__mro__[1].__subclasses__() }}"
        "{{ lipsum.__globals__['os'].popen('touch FLAG').read() }}{{ messages }}"
    ).replace("FLAG", str(flag))
    server.create("escape", tiny_models.tiny_llama(tmp_path, name="escape", chat_template=escape))
    answer = server.post(
        "/api/chat", {"model": "escape", "messages": HI, "stream": False, "options": {"num_predict": 1}}
    )
    assert answer.status in (200, 400, 500)
    assert not flag.exists()
    server.request("DELETE", "/api/delete", {"model": "escape"})
