"""Who may be talked to, and which URLs are the same place."""

from __future__ import annotations

import pytest
from yarl import URL

from puna.errors import BadRequest, Forbidden, RegistryError
from puna.names import ModelName
from puna.registry.hosts import Origin, Registries

LISTED = "registry.ollama.ai, hf.co,huggingface.co,http://127.0.0.1:5000,Registry.Example:8443,http://plain.example"


def name(host: str) -> ModelName:
    return ModelName(host, "library", "tiny", "latest")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("registry.ollama.ai", "https://registry.ollama.ai"),
        ("REGISTRY.Ollama.AI", "https://registry.ollama.ai"),
        ("registry.ollama.ai:443", "https://registry.ollama.ai"),
        ("hf.co", "https://hf.co"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("registry.example:8443", "https://registry.example:8443"),
        ("plain.example", "http://plain.example"),
    ],
)
def test_a_listed_registry_is_found_by_host_and_port(host: str, origin: str) -> None:
    assert str(Registries.parse(LISTED).origin_of(name(host))) == origin


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.1", "127.0.0.1:5001", "127.0.0.1.:5000", "registry.ollama.ai.", "ollama.ai",
        "registry.ollama.ai:80", "registry.ollama.ai.evil.example", "localhost:5000", "2130706433:5000",
        "127.1:5000", "0.0.0.0:5000", "0177.0.0.1:5000", "registry.example", "1::1", "127.0.0.1:5000:5000",
    ],
)  # fmt: skip
def test_T09_an_unlisted_registry_is_refused_and_the_setting_is_named(host: str) -> None:
    with pytest.raises(Forbidden, match=r"PUNA_REGISTRIES") as caught:
        Registries.parse(LISTED).origin_of(name(host))
    assert host in str(caught.value)


def test_insecure_means_plain_http_and_only_for_listed_hosts() -> None:
    registries = Registries.parse(LISTED)
    assert str(registries.origin_of(name("registry.example:8443"), insecure=True)) == "http://registry.example:8443"
    assert str(registries.origin_of(name("hf.co"), insecure=True)) == "http://hf.co"
    with pytest.raises(Forbidden):
        registries.origin_of(name("evil.example"), insecure=True)


def test_T10_nothing_is_pushed_anywhere_unless_it_was_turned_on() -> None:
    with pytest.raises(Forbidden, match="PUNA_PUSH_REGISTRIES"):
        Registries.parse(LISTED).push_origin_of(name("registry.ollama.ai"))
    registries = Registries.parse(LISTED, "127.0.0.1:5000,evil.example")
    assert str(registries.push_origin_of(name("127.0.0.1:5000"))) == "http://127.0.0.1:5000"
    with pytest.raises(Forbidden, match="PUNA_PUSH_REGISTRIES"):
        registries.push_origin_of(name("hf.co"))
    with pytest.raises(Forbidden, match="PUNA_REGISTRIES"):  # the push list alone allows nothing
        registries.push_origin_of(name("evil.example"))


def test_an_empty_list_allows_nothing() -> None:
    with pytest.raises(Forbidden):
        Registries.parse("").origin_of(name("registry.ollama.ai"))


@pytest.mark.parametrize(
    "entry",
    [
        "ftp://h",
        "h/path",
        "user@h",
        "h:0",
        "h:99999",
        "h:port",
        "*",
        "*.h",
        "h h",
        "2130706433",
        "[::1",
        "http://",
        "h.",
    ],
)
def test_a_bad_entry_is_named_with_its_setting(entry: str) -> None:
    with pytest.raises(BadRequest, match="in PUNA_REGISTRIES: ") as caught:
        Registries.parse(f"hf.co,{entry}")
    assert f'"{entry}"' in str(caught.value)
    with pytest.raises(BadRequest, match="in PUNA_PUSH_REGISTRIES: "):
        Registries.parse("hf.co", entry)


def test_an_address_of_ipv6_may_be_listed() -> None:
    origin = Origin.of(URL("http://[::1]:5000/v2/"))
    assert Registries.parse("http://[::1]:5000").lists(origin)
    assert str(origin) == "http://[::1]:5000"


@pytest.mark.parametrize(
    ("url", "listed", "insecurely"),
    [
        ("https://registry.ollama.ai/x", True, True),
        ("https://REGISTRY.OLLAMA.AI./x", True, True),
        ("http://registry.ollama.ai/x", False, True),
        ("http://registry.ollama.ai:443/x", False, False),
        ("https://registry.ollama.ai:444/x", False, False),
        ("http://127.0.0.1:5000", True, True),
        ("https://127.0.0.1:5000", True, True),
        ("http://127.0.0.1:5001", False, False),
        ("http://registry.example:8443", False, True),
        ("http://plain.example", True, True),
        ("https://evil.example", False, False),
    ],
)
def test_plain_http_counts_as_listed_only_where_it_was_written_or_asked_for(
    url: str, listed: bool, insecurely: bool
) -> None:
    registries, origin = Registries.parse(LISTED), Origin.of(URL(url))
    assert (registries.lists(origin), registries.lists(origin, insecure=True)) == (listed, insecurely)


def test_an_origin_is_the_same_however_it_is_spelt() -> None:
    spellings = ("https://h.example/a", "https://H.Example:443", "https://h.example./b?c", "HTTPS://h.example")
    assert len({Origin.of(URL(text, encoded=True)) for text in spellings}) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/x", "file:///etc/passwd", "/v2/", "//h/x", "https://user@h/", "https://h@evil/", "https://@h/",
        "https://:pw@h/", "https://h:0/", "https:///x", "https://2130706433/", "https://127.1/", "https://0x7f.1/",
        "https://[fe80::1%25eth0]/", "https://a..b/", "https://-a/",
    ],
)  # fmt: skip
def test_T05_a_url_that_nobody_should_follow_has_no_origin(url: str) -> None:
    with pytest.raises(RegistryError):
        Origin.of(URL(url, encoded=True))
