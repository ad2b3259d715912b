"""How Modelfiles are read (contract ollama-store §4.3, checks of §7)."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import BadRequest
from puna.modelfile import Modelfile, PresetMessage, parse_modelfile
from puna.modelfile.parser import MAX_BYTES

COMMANDS = (
    'command must be one of "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", '
    '"parameter", "message", or "requires"'
)


def parse(text: str) -> Modelfile:
    return parse_modelfile(text)


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("SYSTEM hello", "hello"),
        ("system \t hello   ", "hello"),
        ("SYSTEM a  b\tc", "a  b\tc"),
        ("SYSTEM # no comment here", "# no comment here"),
        ('SYSTEM "quoted"', "quoted"),
        ('SYSTEM " kept "', " kept "),
        ('SYSTEM "a"b"', 'a"b'),
        ("SYSTEM 'single'", "'single'"),
        ("SYSTEM a\\nb", "a\\nb"),
        ('SYSTEM """one line"""', "one line"),
        ('SYSTEM """\nx""" ', "\nx"),
        ('SYSTEM """x"""y\nz"""', 'x"""y\nz'),
        ('SYSTEM "l1\nl2"', "l1\nl2"),
        ('SYSTEM """a\r\n\r\nb\t"""', "a\r\n\r\nb\t"),
        ('SYSTEM """"""', ""),
        ('SYSTEM """"\n"""', '"\n'),
        ("SYSTEM ", ""),
        ("SYSTEM \nPARAMETER seed 1", ""),
        ("SYSTEM first\nSYSTEM last", "last"),
        ("SYSTEM a\u00a0b\u200bc\u200dd\x07e", "abcde"),
        ("SYSTEM Привет, 世界 🦙 e\u0301", "Привет, 世界 🦙 e\u0301"),
        ("# SYSTEM a\n   # SYSTEM b\n\n\t SYSTEM c", "c"),
        ("SYSTEM a\r\nPARAMETER seed 1\r\n", "a"),
        ("SYSTEM a\rPARAMETER seed 1\r", "a"),
    ],
)
def test_a_value_runs_to_the_end_of_its_line_or_of_its_quotes(text: str, system: str) -> None:
    assert parse(f"FROM a\n{text}").system == system


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "no FROM line"),
        ("# FROM a", "no FROM line"),
        ("SYSTEM a", "no FROM line"),
        ("FROM", "unexpected EOF"),
        ("FROM\n", f"(line 2): {COMMANDS}"),
        ("FROM a\nSYSTEM\nPARAMETER seed 1", f"(line 3): {COMMANDS}"),
        ("FROM a\n\n# x\nBAD x", f"(line 4): {COMMANDS}"),
        ("FROM a\r\nBAD x", f"(line 3): {COMMANDS}"),
        ('FROM a\nSYSTEM """\n\n"""\nBAD x', f"(line 5): {COMMANDS}"),
        ("FROM a\nFROM2 b", f"(line 2): {COMMANDS}"),
        ("FROM a\nMESSAGE", "unexpected EOF"),
        ("FROM a\nMESSAGE robot hi", '(line 2): message role must be one of "system", "user", or "assistant"'),
        ("FROM a\nMESSAGE User hi", '(line 2): message role must be one of "system", "user", or "assistant"'),
        ("FROM a\nMESSAGE user", "unexpected EOF"),
        ("FROM a\nMESSAGE us-er hi", "unexpected EOF: us"),
        ("FROM a\nPARAMETER top-k 1", "unexpected EOF: top"),
        ("FROM a\nPARAMETER seed\n", "unexpected EOF: seed"),
        ("FROM a\nPARAMETER", "unexpected EOF"),
        ('FROM a\nSYSTEM "a" b\nPARAMETER seed 1', "unexpected EOF"),
        ('FROM a\nSYSTEM """', "unexpected EOF"),
        ('FROM a\nSYSTEM """"', "unexpected EOF"),
        ('FROM a\nSYSTEM "', "unexpected EOF"),
        ("FROM a\nREQUIRES 1.x", "requires must be a valid semver (e.g. 0.14.0)"),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, error: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(text)
    assert caught.value.message == error


def test_instructions_come_in_any_order_and_case() -> None:
    modelfile = parse(
        "message user hi\nREQUIRES v0.14.0\nlicense MIT\nFrom ./a.gguf\nPARAMETER stop  <a>\nparameter   seed 7\n"
        "LICENSE Apache\nADAPTER one\nADAPTER two\nDRAFT d\nTEMPLATE {{ .Prompt }}\nRENDERER r\nPARSER p\n"
        'MESSAGE assistant "Hello\nthere"\nFROM base\nPARAMETER stop "\n"'
    )
    assert modelfile == Modelfile(
        sources=("./a.gguf", "base"),
        adapter="two",
        draft="d",
        template="{{ .Prompt }}",
        licenses=("MIT", "Apache"),
        parameters=(("stop", "<a>"), ("seed", "7"), ("stop", "\n")),
        messages=(PresetMessage("user", "hi"), PresetMessage("assistant", "Hello\nthere")),
        renderer="r",
        parser="p",
        requires="0.14.0",
    )


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_a_byte_order_mark_says_the_encoding(mark: bytes, encoding: str) -> None:
    assert parse_modelfile(mark + "FROM a\nSYSTEM größer 🦙".encode(encoding)).system == "größer 🦙"


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert parse_modelfile(b"FROM a\nSYSTEM x\xffy").system == "x\ufffdy"


def test_a_comment_mark_inside_a_value_is_text() -> None:
    assert parse("FROM a # x").sources == ("a # x",)


def test_an_oversized_modelfile_is_refused() -> None:
    with pytest.raises(BadRequest, match="larger than 8 MiB"):
        parse_modelfile(b"FROM a\n".ljust(MAX_BYTES + 1, b"#"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("\n#" * 500_000, "no FROM line"),
        ('FROM a\nSYSTEM "' + "\n" * 1_000_000, "unexpected EOF"),
        ("LICENSE \n" * 300_000, "no FROM line"),
    ],
)
def test_a_large_modelfile_is_read_in_linear_time(text: str, error: str) -> None:
    """A quadratic reader would need hours for these, and run into the time limit of the test."""
    with pytest.raises(BadRequest, match=error):
        parse(text)


PIECES = st.sampled_from(
    ["FROM ", "from\t", "SYSTEM ", "PARAMETER ", "MESSAGE ", "user ", "LICENSE ", "#", '"', '"""', "\n", "\r\n", " ",
     "x", "\u200b", "\ufeff", "\0", "é"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(st.lists(PIECES).map("".join), st.text(), st.binary()))
def test_any_text_gives_a_modelfile_or_a_bad_request(text: str | bytes) -> None:
    try:
        modelfile = parse_modelfile(text)
    except BadRequest:
        return
    assert modelfile.sources


@settings(max_examples=200)
@given(st.lists(PIECES).map("".join))
def test_line_by_line_and_letter_by_letter_readers_agree(text: str) -> None:
    """Against the reference's state machine, written out as the contract describes it."""
    try:
        expected: object = _reference(text)
    except _Refused as refused:
        expected = str(refused)
    try:
        found: object = parse_modelfile(text)
    except BadRequest as error:
        found = error.message.split(":")[0] if error.message.startswith("(line") else error.message
    if isinstance(found, Modelfile):
        found = (found.sources, found.system, found.licenses, found.parameters, found.messages)
    assert found == expected


class _Refused(Exception):
    pass


def _reference(text: str) -> tuple[object, ...]:  # noqa: C901  # a state machine in one piece is easier to compare
    """One character at a time: names, keys and values with `unquote` at every line break."""
    state, buffer, key, name, line = "nil", "", "", "", 1
    values: dict[str, list[tuple[str, str]]] = {}

    def unquote(value: str) -> str | None:
        value = value.strip(" \t\r\n")
        for mark in ('"""', '"'):
            if value.startswith(mark):
                closed = len(value) >= 2 * len(mark) and value.endswith(mark)
                return value[len(mark) : -len(mark)] if closed else None
        return value

    for char in text.removeprefix("\ufeff"):
        blank, newline = char in " \t", char in "\r\n"
        letter = char.isascii() and char.isalpha()
        line += newline
        if state == "comment":
            state = "nil" if newline else state
        elif state == "nil" and (char == "#" or blank or newline):
            state = "comment" if char == "#" else "nil"
        elif state in ("nil", "name") and (state == "nil" or letter):
            state, buffer = "name", buffer + (char if char.isprintable() else "")
        elif state == "name":
            name, buffer = buffer.lower(), ""
            if not blank or name not in ("from", "system", "parameter", "message", "license"):
                raise _Refused(f"(line {line})")
            state = "key" if name in ("parameter", "message") else "value"
            key = ""
        elif state == "key":
            if letter or (name == "parameter" and (char == "_" or (char.isascii() and char.isdigit()))):
                buffer += char
            elif not blank:
                raise _Refused(f"unexpected EOF: {buffer}")
            elif buffer:  # Puna: runs of blanks before the key are one
                key, buffer, state = buffer, "", "value"
                if name == "message" and key not in ("system", "user", "assistant"):
                    raise _Refused(f"(line {line})")
        elif newline and (value := unquote(buffer)) is not None:
            values.setdefault(name, []).append((key, value))
            state, buffer = "nil", ""
        else:
            buffer += char if char.isprintable() or blank or newline else ""
    if state == "value":
        value = unquote(buffer)
        if value is None:
            raise _Refused("unexpected EOF")
        values.setdefault(name, []).append((key, value))
    elif state in ("name", "key"):
        raise _Refused("unexpected EOF")
    if "from" not in values:
        raise _Refused("no FROM line")
    return (
        tuple(value for _, value in values["from"]),
        values.get("system", [("", "")])[-1][1],
        tuple(value for _, value in values.get("license", [])),
        tuple(values.get("parameter", [])),
        tuple(PresetMessage(role, value) for role, value in values.get("message", [])),
    )
