"""The parser for a whole answer: reasoning, then calls, then text, as the chosen template says."""

from __future__ import annotations

from puna.prompts import Piece, TemplateChoice, ToolCall, choose_template, output_parser
from tests.prompts.models import model

TEMPLATE = (
    "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}"
    "{{ if .ToolCalls }}<call>{{ range .ToolCalls }}{{ .Function }}{{ end }}{{ end }}{{ end }}{{ .Tools }}"
)
CHOICE = choose_template(model(template=TEMPLATE))
CALL = '<call>{"name":"f","arguments":{}}'


def pieces(text: str, *, choice: TemplateChoice = CHOICE, prompt: str = "", think: bool | None = True) -> list[Piece]:
    parser = output_parser(choice, prompt, think, tools=True, tool_names=("f",))
    said = [piece for character in text for piece in parser.feed(character)] + parser.finish()
    together: list[Piece] = []
    for piece in said:
        if together and piece.tool_call is None and together[-1].tool_call is None:
            last = together[-1]
            if bool(last.text) == bool(piece.text):
                together[-1] = Piece(last.text + piece.text, last.thinking + piece.thinking)
                continue
        call = piece.tool_call
        together.append(piece if call is None else Piece(tool_call=ToolCall("", call.name, call.arguments, call.index)))
    return together


F = Piece(tool_call=ToolCall("", "f", {}))


def test_reasoning_text_and_calls_come_in_order() -> None:
    assert pieces(f"<think>hm</think>\nok {CALL}") == [Piece(thinking="hm"), Piece("ok "), F]


def test_calls_inside_the_reasoning_are_reasoning() -> None:
    assert pieces(f"<think>{CALL}</think>") == [Piece(thinking=CALL)]


def test_a_prompt_that_ends_with_the_opening_tag_means_that_the_answer_begins_inside() -> None:
    assert pieces("hm</think>ok", prompt="Hi<think>\n") == [Piece(thinking="hm"), Piece("ok")]


def test_unwanted_reasoning_is_still_not_content() -> None:
    assert pieces("<think>hm</think>ok", think=False) == [Piece(thinking="hm"), Piece("ok")]


def test_models_without_the_capability_keep_their_tags() -> None:
    assert pieces("<think>hm</think>ok", think=None) == [Piece("<think>hm</think>ok")]


def test_a_raw_answer_of_a_jinja_model_has_its_reasoning_taken_off_and_its_calls_left() -> None:
    choice = choose_template(model(jinja="{{ messages }} tools <think></think>"))
    assert pieces(f"<think>hm</think>{CALL}", choice=choice) == [Piece(thinking="hm"), Piece(CALL)]


def test_without_tools_calls_are_text() -> None:
    parser = output_parser(CHOICE, "", None, tools=False)
    assert [*parser.feed(CALL), *parser.finish()] == [Piece(CALL)]
