"""Model names and digests: what is one, what is none, and how they are shown (contract ollama-store §1, threats T01)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest, InvalidDigest, InvalidName
from puna.names import Digest, ModelName, Source, model_not_found, split_source

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("llama3.2", "registry.ollama.ai/library/llama3.2:latest"),
        ("user/m:7b-q4_K_M", "registry.ollama.ai/user/m:7b-q4_K_M"),
        ("host:5000/ns/m", "host:5000/ns/m:latest"),
        ("localhost:5000/library/foo", "localhost:5000/library/foo:latest"),
        ("https://hf.co/u/repo-GGUF:Q4_K_M", "hf.co/u/repo-GGUF:Q4_K_M"),
        ("http://host:80/n/m:t", "host:80/n/m:t"),
        ("_why/_the/_lucky:_stiff", "_why/_the/_lucky:_stiff"),
        ("h/n/m.x-y_z:1.0", "h/n/m.x-y_z:1.0"),
        (f"{'h' * 350}/{'n' * 80}/{'m' * 80}:{'t' * 80}", f"{'h' * 350}/{'n' * 80}/{'m' * 80}:{'t' * 80}"),
    ],
)
def test_names_are_read_from_right_to_left(text: str, full: str) -> None:
    assert ModelName.parse(text).full == full


HOSTILE_NAMES = [
    "", ":", ":t", "m:", "/", "//", "/n/m", "n//m", "h//m:t", "n/m/", "a/b/c/d", "://", "http://", "http:///n/m",
    "host/na:me/m/t", "host/na:me/m:t", "-m", ".m", "n/-m", "m:-t", "m:.t", ".", "..", "../..", "../m", "m:..", "../../../etc/passwd", "/etc/passwd",
    "h/../m", "n/m\\x", "m\0", "m\n", "m ", " m", "m%2e", "m:t%2f", "é", "m:é", "ｍ", "m@sha256:" + HEX, "localhost:5000/foo",
    "hf.co/repo", "[::1]/n/m", "C:\\m", "$(x)", ";x", "-x", "m:t:u", "a b/c", "~/m", "*", "m?",
    "m" * 81, "m:" + "t" * 81, "n" * 81 + "/m", "h" * 351 + "/n/m",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE_NAMES)
def test_T01_hostile_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidName, match=r"^invalid model name$"):
        ModelName.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("m", "m:latest"),
        ("library/m:t", "m:t"),
        ("Registry.Ollama.AI/Library/m", "m:latest"),
        ("user/m", "user/m:latest"),
        ("hf.co/library/m", "hf.co/library/m:latest"),
        ("hf.co/u/m:Q4", "hf.co/u/m:Q4"),
    ],
)
def test_the_shortest_form_drops_defaults_and_keeps_the_tag(text: str, shown: str) -> None:
    name = ModelName.parse(text)
    assert name.shortest == str(name) == shown


def test_a_manifests_path_gives_its_name_back() -> None:
    name = ModelName.parse("Host:1/n/M:T")
    assert name.parts == ("Host:1", "n", "M", "T")
    assert ModelName.from_parts(name.parts) == name
    for parts in ((), ("h", "n", "m"), ("h", "n", "m", "t", "x"), ("h", "n", "..", "t")):
        with pytest.raises(InvalidName):
            ModelName.from_parts(parts)


ALPHABET = st.sampled_from([*list("aZ09_-.:/\\!@% \x00é~"), "://", "..", "latest"])


@given(st.lists(ALPHABET, max_size=12).map("".join) | st.text(max_size=20))
def test_T01_any_text_is_a_safe_name_or_refused(text: str) -> None:
    try:
        name = ModelName.parse(text)
    except InvalidName:
        return
    assert ModelName.parse(name.full) == name == ModelName.parse(name.shortest)
    for part in name.parts:
        assert part.isascii()
        assert part.isprintable()
        assert not part.startswith((".", "-"))
        assert not {"/", "\\", " ", "%", "!"} & set(part)


@pytest.mark.parametrize(
    ("text", "base", "source"),
    [
        ("m", "m", Source.ANY),
        ("m:7b", "m:7b", Source.ANY),
        (" m ", "m", Source.ANY),
        ("m:cloud", "m", Source.CLOUD),
        ("m:CLOUD", "m", Source.CLOUD),
        ("m:7b-cloud", "m:7b", Source.CLOUD),
        ("m:local", "m", Source.LOCAL),
        ("m:7b:local", "m:7b", Source.LOCAL),
        ("h/n/m:7b-Cloud", "h/n/m:7b", Source.CLOUD),
        ("my-cloud", "my-cloud", Source.ANY),
        ("host:80/n/my-cloud", "host:80/n/my-cloud", Source.ANY),
        ("local", "local", Source.ANY),
    ],
)
def test_a_suffix_tells_where_a_model_lives(text: str, base: str, source: Source) -> None:
    assert split_source(text) == (base, source)


@pytest.mark.parametrize("text", ["", "  ", ":cloud", ":local"])
def test_a_suffix_alone_is_no_model(text: str) -> None:
    with pytest.raises(BadRequest, match="model is required"):
        split_source(text)


@pytest.mark.parametrize("text", ["m:cloud:local", "m:local:cloud", "m:7b-cloud:local", "m:local:local"])
def test_two_suffixes_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=f'use either :local or :cloud, not both: "{text}"'):
        split_source(text)


def test_digests_are_written_in_one_form() -> None:
    digest = Digest.parse(f"sha256:{HEX}")
    assert str(digest) == f"sha256:{HEX}"
    assert digest.short == HEX[:12]
    assert Digest.parse_lenient(f"sha256-{HEX.upper()}") == digest


HOSTILE_DIGESTS = [
    "", "sha256:", HEX, f"sha256:{HEX[1:]}", f"sha256:{HEX}0", f"sha512:{HEX}", f"SHA256:{HEX}", f"sha256:{HEX}\n",
    f" sha256:{HEX}", f"sha256:{HEX[:-1]}g", f"sha256:{HEX[:-1]}\0", "sha256:../../../../x", f"sha256:%2e%2e{HEX[6:]}",
    "sha256:..\\x", "sha256:" + "a" * 10_000, f"sha256:{'٣' * 64}", "/etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE_DIGESTS, ids=range(len(HOSTILE_DIGESTS)))
def test_T01_hostile_digests_are_refused(text: str) -> None:
    for parse in (Digest.parse, Digest.parse_lenient):
        with pytest.raises(InvalidDigest, match=r"^invalid digest format$"):
            parse(text)


@pytest.mark.parametrize("value", [None, 1, b"x", ["sha256"], f"sha256-{HEX}", f"sha256:{HEX.upper()}"])
def test_T01_manifests_get_no_help_with_their_digests(value: object) -> None:
    with pytest.raises(InvalidDigest):
        Digest.parse(value)


@given(st.text(max_size=80) | st.text("0123456789abcdefABCDEF:-", max_size=80).map("sha256:".__add__))
def test_T01_any_text_is_a_safe_digest_or_refused(text: str) -> None:
    try:
        digest = Digest.parse_lenient(text)
    except InvalidDigest:
        return
    assert len(digest.hex) == 64
    assert set(digest.hex) <= set("0123456789abcdef")


def test_the_commonest_404_has_the_words_that_clients_look_for() -> None:
    assert str(model_not_found("m")) == "model 'm' not found"
