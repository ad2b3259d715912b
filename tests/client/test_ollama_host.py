"""`OLLAMA_HOST` says where a server is (contract ollama-http §8.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.client import Endpoint, parse_host
from puna.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  '127.0.0.1'  ", "http://127.0.0.1:11434"),
        ('"1.2.3.4"', "http://1.2.3.4:11434"),
        ("1.2.3.4:5678", "http://1.2.3.4:5678"),
        ("example.com", "http://example.com:11434"),
        ("example.com:0", "http://example.com:0"),
        (":1234", "http://127.0.0.1:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:99", "http://127.0.0.1:99"),
        ("[::]:99", "http://[::1]:99"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:1337", "http://[::1]:1337"),
        ("0:0:0:0:0:0:0:1", "http://[::1]:11434"),
        ("http://h", "http://h:80"),
        ("https://h", "https://h:443"),
        ("https://h:8080", "https://h:8080"),
        ("https://h/path", "https://h:443/path"),
        ("http://h:1/a/b/", "http://h:1/a/b"),
        ("ollama.com", "https://ollama.com:443"),
        ("http://", "http://127.0.0.1:80"),
    ],
)
def test_each_form_of_the_host_gives_its_url(text: str, url: str) -> None:
    endpoint = parse_host(text)
    assert endpoint.url == url
    assert endpoint.warnings == ()


@pytest.mark.parametrize("port", ["66000", "-1", "x", "", "6553600000000", "１２"])
@pytest.mark.parametrize(("prefix", "default"), [("h", 11434), ("http://h", 80), ("https://h", 443)])
def test_a_bad_port_gives_the_default_and_a_warning(prefix: str, default: int, port: str) -> None:
    endpoint = parse_host(f"{prefix}:{port}")
    assert endpoint.port == default
    assert endpoint.warnings == (f'invalid port "{port}", using default {default}',)


def test_a_port_alone_listens_on_every_interface() -> None:
    assert parse_host(":1234").host == ""
    assert parse_host(":0").port == 0


@pytest.mark.parametrize("text", ["ftp://h", "h@evil", "a b", "a\nb", "[::1", "h:1/\\x", "é", "-h", "h/?q"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="invalid host"):
        parse_host(text)


@pytest.mark.parametrize("text", ["", ":1", "localhost:1", "api.localhost", "127.9.9.9", "[::1]", "0.0.0.0"])
def test_this_machine_is_recognised(text: str) -> None:
    assert parse_host(text).is_loopback


@pytest.mark.parametrize("text", ["example.com", "10.0.0.1", "127.0.0.1.evil.example", "[fe80::1]", "localhost.evil"])
def test_another_machine_is_recognised(text: str) -> None:
    assert not parse_host(text).is_loopback


def test_T05_the_key_belongs_to_its_endpoint_and_is_not_printed() -> None:
    endpoint = parse_host("h", api_key="secret")
    assert endpoint.api_key == "secret"
    assert "secret" not in repr(endpoint)
    assert replace(endpoint, api_key=None) == Endpoint(host="h")


@given(st.text(max_size=40))
def test_any_text_is_an_endpoint_or_a_bad_request(text: str) -> None:
    try:
        endpoint = parse_host(text)
    except BadRequest:
        return
    assert 0 <= endpoint.port <= 65535
    assert parse_host(endpoint.url).url == endpoint.url
