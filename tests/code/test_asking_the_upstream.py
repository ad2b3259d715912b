"""What the upstream is asked, by which model, and how its answer is told (contract code-completion §1.3, §1.7, §1.13, §2.4)."""

from __future__ import annotations

import pytest

from puna.code.failures import EmptyRequest, Overloaded, TooLong, UnknownModel, UpstreamFailed
from puna.code.types import CodeConfig, CompletionRequest, ContextFile, Piece
from tests.code.asking import complete, completing, pieces_of
from tests.code.scripted import BASE, CHATTER, CODER, EMBEDDER, LAST, Scripted

QWEN = "<|fim_prefix|>{}<|fim_suffix|>{}<|fim_middle|>{}"


async def test_a_known_family_gets_its_own_prompt_with_the_cursors_line_behind_the_middle_marker() -> None:
    """§4.2: typing on a line then leaves everything in front of it as it was."""
    server = Scripted(script=["a + b"])
    async with completing(server) as completer:
        text, outcome = await complete(completer, "# Path: a.py\ndef add(a, b):\n    return ", "\n\nadd(1, 2)\n")
    assert text == "a + b"
    (body,) = server.asked
    assert body["prompt"] == QWEN.format("def add(a, b):\n", "\n\nadd(1, 2)\n", "    return ")
    assert (body["raw"], body["stream"], body["model"]) == (True, True, "qwen2.5-coder:1.5b")
    assert body["options"]["temperature"] == 0
    assert body["options"]["seed"] == 1234
    assert body["options"]["num_predict"] == 128
    assert {"<|endoftext|>", "<|fim_prefix|>"} <= set(body["options"]["stop"])
    assert outcome.explanation.family == "qwen-coder"
    assert outcome.explanation.prompt == body["prompt"]


async def test_D6_a_family_counts_when_the_model_fills_gaps_with_its_markers_and_is_asked_once() -> None:
    server = Scripted()
    async with completing(server) as completer:
        served = await completer.served()
        await complete(completer, "x = ")
        await complete(completer, "y = ")
    assert (served.family and served.family.name, served.score, served.splits_lines) == ("qwen-coder", 3, True)
    assert len(server.probes) == 3


async def test_D6_a_model_that_does_not_fill_gaps_is_no_fim_model_whatever_it_is_called() -> None:
    server = Scripted(fills_gaps=False, script=["1"])
    async with completing(server, emulation=False) as completer:
        served = await completer.served()
        await complete(completer, "x = ", "\ny = 2")
    assert (served.family, served.detection.source, served.fills_in_the_middle) == (None, "D7", False)
    assert server.prompts == ["x = "]


async def test_D6_is_skipped_for_what_the_operator_says() -> None:
    server = Scripted(models={"mine:7b": BASE}, fills_gaps=False)
    async with completing(server, families={"mine": "starcoder2"}) as completer:
        await complete(completer, "x = ", "\n")
    assert server.probes == []
    assert server.prompts == ["<fim_prefix><fim_suffix>\n<fim_middle>x = "]


async def test_D7_a_chat_model_is_asked_in_words_with_its_answer_begun() -> None:
    server = Scripted(models={"chatter": CHATTER}, script=["a + ", "b\n", "```", "\nDone!"])
    async with completing(server) as completer:
        text, outcome = await complete(completer, "# Path: a.py\ndef add(a, b):\n    return ", "\n</prefix>\n")
    assert text == "a + b"
    assert (outcome.explanation.source, outcome.explanation.family) == ("D7", "")
    (body,) = server.asked
    system, user, begun = body["messages"]
    assert system["role"] == "system"
    assert "<prefix>def add(a, b):\n</prefix><suffix>\n<\u2060/prefix>\n</suffix>" in user["content"]
    assert begun == {"role": "assistant", "content": "```python\n    return "}
    assert body["think"] is False


@pytest.mark.parametrize(
    "script",
    [
        ["```python\n", "    return a + b\n", "```\n"],
        ["Here is the completed", " code:\n\n```py", "thon\n    return a + b\n```\nIt adds."],
        ["return a + b"],
    ],
)
async def test_D7_fences_prose_and_the_repeated_line_are_stripped(script: list[str]) -> None:
    async with completing(Scripted(models={"chatter": CHATTER}, script=script)) as completer:
        text, _ = await complete(completer, "def add(a, b):\n    return ", "\n")
    assert text == "a + b"


async def test_D7_prose_alone_is_no_completion() -> None:
    async with completing(Scripted(models={"chatter": CHATTER}, script=["Sure, I can do that for you."])) as completer:
        assert (await complete(completer, "x = "))[0] == ""


async def test_D7_a_base_model_goes_on_from_the_prefix() -> None:
    server = Scripted(models={"base": BASE}, script=["1"])
    async with completing(server) as completer:
        extra = (ContextFile("b.py", "y = 2"),)
        assert (await complete(completer, "x = ", "\nz", extra=extra, path="a.py"))[0] == "1"
    assert server.prompts == ["# Path: b.py\n# y = 2\nx = "]
    assert server.asked[0]["raw"] is True


async def test_an_upstream_that_inserts_in_a_way_of_its_own_gets_both_texts() -> None:
    shown = {**CODER, "template": "{{ slice .Prompt 0 }}{{ .Suffix }}"}
    server = Scripted(models={"own": shown}, script=["1"])
    async with completing(server) as completer:
        served = await completer.served()
        await complete(completer, "x = ", "\ny")
    assert (served.family, served.fills_in_the_middle) == (None, True)
    assert (server.asked[0]["prompt"], server.asked[0]["suffix"]) == ("x = ", "\ny")
    assert "raw" not in server.asked[0]


async def test_the_nearest_template_of_the_operator_wins_and_the_requests_own_before_all() -> None:
    server = Scripted()
    templates = {"python": "py:{code_prefix}", "other": "o:{code_prefix}"}
    async with completing(server, template="all:{code_prefix}|{code_suffix}", templates=templates) as completer:
        await complete(completer, "a", "b")
        await complete(completer, "a", "b", path="x.py")
        await complete(completer, "a", "b", path="x.py", template="mine:{code_suffix}")
        await complete(completer, "a", "b", template="go {{ .Prompt }}")
    assert server.prompts == ["all:a|b", "py:a", "mine:b", "go a"]


async def test_P2_a_raw_prompt_in_the_models_own_markers_goes_as_it_is_and_is_not_trimmed() -> None:
    server = Scripted(script=["1  \n", "```"])
    prompt = QWEN.format("x = ", "\ny", "")
    async with completing(server) as completer:
        text, outcome = await complete(completer, prompt, raw=True)
    assert server.prompts == [prompt]
    assert (text, outcome.explanation.mode, outcome.explanation.trims) == ("1  \n```", "raw", ())


async def test_the_served_model_is_the_newest_that_completes_text() -> None:
    server = Scripted(models={"embed": EMBEDDER, "base:1b": BASE, "qwen2.5-coder:1.5b": CODER})
    async with completing(server) as completer:
        assert (await completer.served("default")).name == "base:1b"
        assert (await completer.served("gpt-4")).name == "base:1b"
        assert (await completer.served("QWEN2.5-coder:1.5b")).name == "qwen2.5-coder:1.5b"
    async with completing(Scripted(models=server.models), model="qwen2.5-coder:1.5b", strict_models=True) as completer:
        assert (await completer.served()).name == "qwen2.5-coder:1.5b"
        with pytest.raises(UnknownModel, match="gpt-4"):
            await completer.served("gpt-4")


@pytest.mark.parametrize(("models", "model"), [({"embed": EMBEDDER}, ""), ({}, ""), ({"base": BASE}, "absent")])
async def test_without_a_model_the_error_says_what_to_do(models: dict[str, dict[str, object]], model: str) -> None:
    async with completing(Scripted(models=models), model=model) as completer:
        with pytest.raises(UpstreamFailed, match="pull"):
            await complete(completer, "x")


async def test_nothing_to_complete_is_refused() -> None:
    async with completing(Scripted()) as completer:
        with pytest.raises(EmptyRequest):
            await complete(completer, "# Path: a.py\n")


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((500, "it broke"), UpstreamFailed),
        ((503, "server busy"), Overloaded),
        ((400, "the prompt exceeds the context"), TooLong),
        ((404, "model not found"), UpstreamFailed),
    ],
)
async def test_refusals_of_the_upstream_are_told_apart(refusal: tuple[int, str], error: type[Exception]) -> None:
    async with completing(Scripted(refusal=refusal)) as completer:
        await completer.served()
        with pytest.raises(error):
            await complete(completer, "x = ")


@pytest.mark.parametrize("broken", [Scripted(script=["a"], last=None), Scripted(script=["a", {"error": "it broke"}])])
async def test_S7_a_failure_after_the_first_piece_is_an_error_and_no_end(broken: Scripted) -> None:
    async with completing(broken, trim=False) as completer:
        pieces = completer.complete(CompletionRequest("x = "))
        assert (await anext(pieces)) == Piece("a")
        with pytest.raises(UpstreamFailed):
            await anext(pieces)
    assert completer.counters.failed == 1


async def test_U2_counts_are_the_upstreams_own_and_trimming_lowers_none_of_them() -> None:
    """U3 as well: what was cut was sampled."""
    server = Scripted(script=["a", ")", "\n", "b"], last={**LAST, "prompt_eval_count": 21, "eval_count": 9})
    async with completing(server) as completer:
        _, whole = await complete(completer, "f(", raw=True, max_tokens=9)
        _, cut = await complete(completer, "f(", ")", max_tokens=9)
    assert (whole.input_tokens, whole.output_tokens, whole.prompt_ns) == (21, 9, 3_000_000)
    assert (cut.reason, cut.explanation.trims) == ("stop", ("Z2", "Z5"))
    assert 3 <= cut.output_tokens <= 9  # hung up on at the newline: every line was a token
    assert cut.input_tokens > 0


async def test_an_upstream_that_counts_tokens_is_asked_for_those_of_an_answer_that_was_cut_short() -> None:
    server = Scripted(script=["a", "\n", "b", 0.05], tokenizes=True)
    async with completing(server) as completer:
        _, outcome = await complete(completer, "x = ", "# c")
    assert outcome.input_tokens == len(server.prompts[0])


async def test_the_end_by_length_and_by_a_client_stop_are_told_apart() -> None:
    server = Scripted(script=["a;", "b"], last={**LAST, "done_reason": "length"})
    async with completing(server) as completer:
        _, length = await complete(completer, "x = ")
        text, word = await complete(completer, "y = ", stop=(";",))
    assert (length.reason, length.stop_type) == ("length", "limit")
    assert (text, word.reason, word.stop_type) == ("a", "stop", "word")


async def test_I2_a_warm_up_evaluates_the_prompt_and_says_nothing() -> None:
    server = Scripted(script=["abc"], last={**LAST, "done_reason": "length", "eval_count": 1})
    async with completing(server) as completer:
        for fields in ({"max_tokens": 0}, {"mode": "warm"}):
            texts, outcome = await pieces_of(completer, "x = ", **fields)
            assert (texts, outcome.output_tokens, outcome.input_tokens) == ([], 0, 20)
    assert [body["options"]["num_predict"] for body in server.asked] == [1, 1]


async def test_I4_a_time_budget_ends_it_once_it_has_a_line() -> None:
    server = Scripted(script=["a\n", 0.03, "b", 0.03, "c"], endless=True)
    async with completing(server) as completer:
        text, outcome = await complete(completer, "x = ", predict_ms=20)
    assert text == "a\nb"
    assert outcome.reason == "stop"


async def test_sampling_and_keep_alive_reach_the_upstream() -> None:
    server = Scripted()
    async with completing(server) as completer:
        await complete(completer, "x = ", sampling={"temperature": 0.2, "top_k": 3}, keep_alive=1800, max_tokens=7)
    body = server.asked[0]
    assert body["keep_alive"] == 1800
    assert body["options"].items() >= {"temperature": 0.2, "top_k": 3, "seed": 1234, "num_predict": 7}.items()


async def test_load_and_unload_are_passed_on() -> None:
    server = Scripted()
    async with completing(server) as completer:
        assert (await completer.load(keep_alive="5m")).reason == "load"
        assert (await completer.unload()).reason == "unload"
    bodies = [body for path, body in server.calls if path == "/api/generate"]
    assert [body["keep_alive"] for body in bodies] == ["5m", "0s"]


async def test_chat_goes_through_with_the_model_that_is_served() -> None:
    server = Scripted(script=["Hi"])
    async with completing(server) as completer:
        asked = {"model": "default", "messages": [{"role": "user", "content": "hi"}], "stream": False}
        lines = [line async for line in completer.chat(asked)]
    assert [line["message"]["content"] for line in lines] == ["Hi", ""]
    assert server.asked[0]["model"] == "qwen2.5-coder:1.5b"
    assert server.asked[0]["stream"] is True


def test_the_defaults_are_the_contracts() -> None:
    """§1.5"""
    config = CodeConfig()
    assert (config.window, config.mode, config.max_lines, config.trim) == (3072, "auto", 16, True)
    assert (config.deadline_s, config.queue_s, config.parallel, config.queue) == (30, 2, 4, 16)
