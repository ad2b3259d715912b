"""The family of a model is told by its name and by what `/api/show` says of it (contract code-completion §2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from puna.errors import BadRequest
from puna.prompts.fim import Detection, FimParts, Vocabulary, can_chat, can_insert, candidates, detect, render

Show = dict[str, Any]
CONTROL, NORMAL, USER_DEFINED = 3, 1, 4

QW = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
SC = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")


def show(
    *special: str,
    architecture: str = "",
    kind: int = CONTROL,
    ids: tuple[str, str, str] | None = None,
    older: bool = False,
    template: str = "",
    capabilities: tuple[str, ...] = ("completion",),
) -> Show:
    """An answer of `/api/show` whose vocabulary holds `special`; `ids` are named by the fill-in-the-middle keys."""
    tokens = ["a", *special]
    info: Show = {
        "general.architecture": architecture,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [NORMAL] + [kind] * len(special),
    }
    names = ("prefix", "suffix", "middle") if older else ("fim_pre", "fim_suf", "fim_mid")
    for name, text in zip(names, ids or (), strict=False):
        info[f"tokenizer.ggml.{name}_token_id"] = tokens.index(text)
    return {"model_info": info, "template": template, "capabilities": list(capabilities)}


def told(detection: Detection) -> tuple[str | None, str]:
    return (detection.family.name if detection.family else None), detection.source


class TestD0:
    def test_D0_the_operators_family_ends_the_search(self) -> None:
        found = candidates("qwen2.5-coder", show(*QW, ids=QW), "CodeLlama")
        assert [told(one) for one in found] == [("codellama", "D0")]
        assert not found[0].probed

    def test_D0_off_turns_it_off(self) -> None:
        assert told(detect("qwen2.5-coder", show(*QW), "off")) == (None, "D0")

    def test_D0_a_template_is_kept_for_the_one_who_reads_templates(self) -> None:
        found = detect("m", {}, "{<PRE>}{code_prefix}{<SUF>}{code_suffix}{<MID>}")
        assert (found.source, found.template[:7]) == ("D0", "{<PRE>}")

    def test_D0_an_unknown_family_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(BadRequest, match=r"qwen-codr.*qwen-coder"):
            detect("m", {}, "qwen-codr")


@pytest.mark.parametrize(
    "name",
    [
        "yi-coder:9b",
        "opencoder",
        "replit-code-v1_5",
        "opencodeinterpreter-ds:6.7b",
        "codegeex2",
        "codellama:34b",
        "codellama:7b-python",
        "deepseek-coder-v2:236b",
        "mamba-codestral",
        "zeta",
        "ns/sweep:latest",
    ],
)
def test_D1_names_without_documented_training_count_by_vocabulary_alone(name: str) -> None:
    template = "<fim_prefix>{{ .Prompt }}<fim_suffix>{{ .Suffix }}<fim_middle>"
    assert candidates(name, show("x", ids=("x", "x", "x"), template=template)) == ()
    found = candidates(name, show(*SC, "<file_sep>", "<repo_name>", ids=SC, template=template))
    assert [told(one) for one in found] == [("starcoder2", "D3")]
    assert found[0].probed


@pytest.mark.parametrize("older", [False, True])
def test_D2_the_files_own_ids_name_the_markers(older: bool) -> None:
    found = candidates("coder", show(*QW, "<|repo_name|>", "<|file_sep|>", ids=QW, older=older))
    assert told(found[0]) == ("qwen-coder", "D2")
    assert found[0].probed


def test_D2_markers_of_no_known_set_make_a_family_of_their_own() -> None:
    own = ("<|pre|>", "<|suf|>", "<|mid|>")
    found = detect("m", show(*own, ids=own)).family
    assert found is not None
    assert render(found, FimParts("a", "b")).text == "<|pre|>a<|suf|>b<|mid|>"
    assert render(found, FimParts("<|suf|>", "b")).text == "<|pre|><\u2060|suf|><|suf|>b<|mid|>"


def test_D2_without_the_vocabulary_the_name_has_to_help() -> None:
    answer = show(*QW, ids=QW)
    for key in ("tokens", "token_type"):
        answer["model_info"][f"tokenizer.ggml.{key}"] = None
    assert told(detect("qwen2.5-coder:1.5b", answer)) == ("qwen-coder", "D2")
    assert told(detect("m", answer)) == (None, "D7")


@pytest.mark.parametrize("broken", [{"fim_mid": None}, {"fim_mid": "x"}, {"fim_mid": 10**9}, {"fim_mid": -1}])
def test_D2_needs_all_three_ids(broken: Mapping[str, Any]) -> None:
    answer = show("x", "y", "z", ids=("x", "y", "z"))
    for name, value in broken.items():
        answer["model_info"][f"tokenizer.ggml.{name}_token_id"] = value
    assert told(detect("m", answer)) == (None, "D7")


FIRST = ("<reponame>", "<filename>")
SECOND = ("<repo_name>", "<file_sep>")


@pytest.mark.parametrize(
    ("name", "architecture", "special", "family"),
    [
        ("m", "qwen2", (*QW, "<|repo_name|>", "<|file_sep|>"), "qwen-coder"),
        ("m", "gemma", (*QW, "<|file_separator|>"), "codegemma"),
        ("m", "", (*QW, "<|file_separator|>"), "codegemma"),
        ("m", "granite", QW, "granite4"),
        ("granite-4.0-h-small", "granitehybrid", QW, "granite4"),
        ("m", "starcoder2", (*SC, *SECOND), "starcoder2"),
        ("m", "", (*SC, *SECOND), "starcoder2"),
        ("m", "granite", SC, "granite-code"),
        ("m", "stablelm", SC, "stable-code"),
        ("codeqwen:7b", "qwen2", (*SC, *SECOND), "codeqwen"),
        ("m", "starcoder", (*SC, *FIRST), "starcoder"),
        ("m", "llama", (*SC, *FIRST), "mellum"),
        ("m", "llama", (*SC, "<filename>"), "mellum"),
        ("jetbrains/mellum", "starcoder", (*SC, *FIRST), "mellum"),
        ("m", "llama", ("▁<PRE>", "▁<SUF>", "▁<MID>"), "codellama"),
        ("m", "", ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"), "santacoder"),
        ("m", "", ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"), "deepseek-coder"),
        ("m", "", ("[PREFIX]", "[SUFFIX]"), "codestral"),
        ("m", "", ("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"), "seed-coder"),
        ("m", "glm4moe", ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"), "glm"),
        ("m", "chatglm", ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"), "codegeex4"),
    ],
)
@pytest.mark.parametrize("kind", [CONTROL, USER_DEFINED])
def test_D3_a_complete_set_in_the_vocabulary(
    name: str, architecture: str, special: tuple[str, ...], family: str, kind: int
) -> None:
    assert told(candidates(name, show(*special, architecture=architecture, kind=kind))[0]) == (family, "D3")


@pytest.mark.parametrize("special", [QW[:2], (QW[0], SC[1], QW[2]), ("[PREFIX]",), ()])
def test_D3_an_incomplete_set_is_none(special: tuple[str, ...]) -> None:
    assert told(detect("m", show(*special))) == (None, "D7")


def test_D3_ordinary_tokens_do_not_count() -> None:
    assert told(detect("m", show(*QW, kind=NORMAL))) == (None, "D7")


@pytest.mark.parametrize(
    ("name", "template", "family", "order"),
    [
        ("m", "{{ if .Suffix }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>{{ else }}{{ .Prompt }}{{ end }}", "codellama", "psm"),
        ("m", "<PRE> <SUF>{{ .Suffix }} <MID> {{ .Prompt }}", "codellama", "spm"),
        ("m", "[SUFFIX]{{ .Suffix }}[PREFIX] {{- .Prompt }}", "codestral", "spm"),
        ("m", "<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>", "qwen-coder", "psm"),
        ("m", "<|fim_suffix|>{{ .Suffix }}<|fim_prefix|>{{ .Prompt }}<|fim_middle|>", "qwen-coder", "spm"),
        ("granite-code", "<fim_prefix>{{ .Prompt }}<fim_suffix>{{ .Suffix }}<fim_middle>", "granite-code", "psm"),
        ("m", "{{ if .Suffix }}<|fim_begin|>{{ .Prompt }}<|fim_hole|>{{ .Suffix }}<|fim_end|>{{ end }}", "custom", "psm"),
        ("m", "[S] {{ .Suffix }} [P] {{ .Prompt }}", "custom", "spm"),
    ],
)  # fmt: skip
def test_D4_the_text_around_prompt_and_suffix(name: str, template: str, family: str, order: str) -> None:
    found = candidates(name, show(template=template))[0]
    assert found.family is not None
    assert (found.family.name, found.family.order, found.source) == (family, order, "D4")
    data = template.replace("{{- ", "{{ ").replace(
        "] {{ .Prompt", "]{{ .Prompt" if family == "codestral" else "] {{ .Prompt"
    )
    rendered = render(found.family, FimParts("a", "b")).text
    plain = data.replace("{{ .Prompt }}", "a").replace("{{ .Suffix }}", "b")
    assert rendered in plain


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{{ .Prompt }}",
        "{{ .Prompt }}{{ .Suffix }}",
        "Text before: {{ .Prompt }} Text after: {{ .Suffix }} Between:",
        "{{ .Suffix }}{{ .Prompt }}{{ .Prompt }}<x>",
        "{{ if .Suffix }}",
        "{{ .Suffix.x }}{{ .Prompt }}",
    ],
)
def test_D4_templates_without_markers_name_no_family(template: str) -> None:
    assert told(detect("m", show(template=template))) == (None, "D7")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("qwen2.5-coder:1.5b", "qwen-coder"),
        ("hf.co/someone/Qwen2.5-Coder-7B-GGUF:Q4_K_M", "qwen-coder"),
        ("qwen3-coder:30b", "qwen-coder"),
        ("codeqwen:7b-code", "codeqwen"),
        ("codellama:7b-code", "codellama"),
        ("CodeLlama-13b-hf", "codellama"),
        ("starcoder2:3b", "starcoder2"),
        ("starcoder:1b", "starcoder"),
        ("santacoder", "santacoder"),
        ("deepseek-coder:6.7b", "deepseek-coder"),
        ("deepseek-coder-v2:16b-lite-base", "deepseek-coder"),
        ("codegemma:2b", "codegemma"),
        ("codestral:22b", "codestral"),
        ("devstral", "codestral"),
        ("granite-code:3b", "granite-code"),
        ("granite4:tiny", "granite4"),
        ("stable-code:3b", "stable-code"),
        ("mellum", "mellum"),
        ("seed-coder-8b-base", "seed-coder"),
        ("glm-4.5-air", "glm"),
        ("codegeex4:9b", "codegeex4"),
        ("mercury-coder", "mercury"),
        ("llama3.2:1b", None),
        ("qwen2.5:7b", None),
        ("granite3.3:8b", None),
        ("deepseek-r1", None),
        ("starcoder2-org/llama3", None),
    ],
)
def test_D5_the_base_name(name: str, family: str | None) -> None:
    assert told(detect(name, {})) == (family, "D5" if family else "D7")


def test_candidates_come_in_the_order_of_the_rule_and_each_once() -> None:
    template = "<|fim_suffix|>{{ .Suffix }}<|fim_prefix|>{{ .Prompt }}<|fim_middle|>"
    answer = show(*QW, "<|repo_name|>", "<|file_sep|>", template=template)
    found = candidates("codellama:7b", answer)
    assert [told(one) for one in found] == [("qwen-coder", "D3"), ("qwen-coder", "D4"), ("codellama", "D5")]
    assert [one.family.order for one in found if one.family] == ["psm", "spm", "psm"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"model_info": None, "template": None, "capabilities": None},
        {"model_info": [], "template": 1, "capabilities": "insert"},
        {"model_info": {"tokenizer.ggml.tokens": "abc", "tokenizer.ggml.token_type": 3}},
        {"model_info": {"tokenizer.ggml.tokens": [1, 2], "tokenizer.ggml.token_type": [3, 3]}},
        {"model_info": {"tokenizer.ggml.tokens": ["a", "b"], "tokenizer.ggml.token_type": [3]}},
    ],
)
def test_an_answer_of_another_shape_tells_nothing(answer: Show) -> None:
    assert Vocabulary.from_show(answer) is None
    assert told(detect("m", answer)) == (None, "D7")
    assert not can_insert(answer)
    assert not can_chat(answer)


def test_what_the_vocabulary_tells() -> None:
    answer = show("<s>", "</s>", "<|x|>", " ", "\n")
    answer["model_info"] |= {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2}
    found = Vocabulary.from_show(answer)
    assert found is not None
    assert (found.bos, found.eos, found.adds_bos) == ("<s>", "</s>", False)
    assert found.controls == ("<s>", "</s>", "<|x|>")
    assert (found.text_of(3), found.text_of(99), found.text_of(-1)) == ("<|x|>", None, None)


@pytest.mark.parametrize(
    ("model", "told_by_file", "adds"),
    [("llama", None, True), ("llama", False, False), ("gpt2", None, False), ("gpt2", True, True)],
)
def test_V4_whether_the_tokenizer_adds_the_start_token(model: str, told_by_file: bool | None, adds: bool) -> None:
    answer = show("<s>")
    answer["model_info"]["tokenizer.ggml.model"] = model
    if told_by_file is not None:
        answer["model_info"]["tokenizer.ggml.add_bos_token"] = told_by_file
    found = Vocabulary.from_show(answer)
    assert found is not None
    assert found.adds_bos is adds


def test_what_the_upstream_can_do_itself() -> None:
    assert can_insert(show(capabilities=("completion", "insert")))
    assert can_insert(show(template="{{ .Prompt }} {{ .Suffix }}"))
    assert not can_insert(show(template="{{ .Prompt }}"))
    assert not can_chat(show(template="{{ .Prompt }}"))
    assert can_chat(show(template="<|im_start|>user\n{{ .Prompt }}"))
    own = show(template="{{ .Prompt }}")
    own["model_info"]["tokenizer.chat_template"] = "{{ messages }}"
    assert can_chat(own)
