"""What the environment says about measuring (contract meter §5, C15). The command line wins over all of it.

Each name is looked for in the environment and then in three `.env` files; the first one that has it counts. A key goes
only to an address that the same person named: a `.env` file of the folder one happens to stand in may name an address,
but no key from elsewhere is sent there (threats T05).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from puna import environment
from puna.client.endpoint import Endpoint, parse_host
from puna.errors import BadRequest

HERE = Path(".env")
FILES = (HERE, Path("~/.env"), Path("~/.config/ometer/.env"))
LOCAL_URL = "http://localhost:11434"
CLOUD_URL = "https://ollama.com"
RUNS = (1, 3)
PARALLEL = (1, 10)

_HERE = 1 + FILES.index(HERE)  # among the layers, the environment being the first


@dataclass(frozen=True, slots=True)
class Config:
    """`warnings` are for the person, one line each."""

    local: Endpoint
    cloud: Endpoint
    num_runs: int = 3
    num_parallel: int = 1
    database: str = ""  # a URL or a path; empty = the default
    warnings: tuple[str, ...] = ()
    _layers: Sequence[Mapping[str, str]] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_env(cls, runs: int | None = None, parallel: int | None = None) -> Config:
        """`runs` and `parallel` are the command line's, which win; all are clamped. Raises `BadRequest`."""
        return cls.of(environment.layers(FILES), runs, parallel)

    @classmethod
    def of(cls, layers: Sequence[Mapping[str, str]], runs: int | None = None, parallel: int | None = None) -> Config:
        names = _Names(layers)
        return cls(
            local=_local(names),
            cloud=names.endpoint(CLOUD_URL, ("PUNA_METER_CLOUD_BASE_URL", "OLLAMA_CLOUD_BASE_URL"), _CLOUD_KEYS),
            num_runs=_clamped(runs, names.text("PUNA_METER_RUNS", "OMETER_RUNS"), 3, RUNS),
            num_parallel=_clamped(parallel, names.text("PUNA_METER_PARALLEL", "OMETER_PARALLEL"), 1, PARALLEL),
            database=names.text("PUNA_METER_HISTORY_DB", "OMETER_HISTORY_DB")
            or environment.knob("DATABASE", ollama=False),
            warnings=tuple(names.warnings),
            _layers=layers,
        )

    def endpoint(self, name: str, url: str) -> Endpoint:
        """`--endpoint NAME=URL` with the key of `PUNA_METER_NAME_API_KEY`, if there is one. Raises `BadRequest`."""
        variable = f"PUNA_METER_{re.sub('[^A-Z0-9]', '_', name.upper())}_API_KEY"
        return parse_host(url, api_key=_Names(self._layers).text(variable) or None)


_CLOUD_KEYS = ("PUNA_METER_CLOUD_API_KEY", "OLLAMA_CLOUD_API_KEY")
_LOCAL_KEYS = ("PUNA_METER_LOCAL_API_KEY",)


class _Names:
    """Looks variables up, and gathers what is worth a warning."""

    def __init__(self, layers: Sequence[Mapping[str, str]]) -> None:
        self._layers = layers
        self.warnings: list[str] = []

    def text(self, *names: str) -> str:
        """The first of `names` that is set to something; a name that is set to nothing hides later files' values."""
        return self._found(names)[0]

    def endpoint(self, default: str, urls: Sequence[str], keys: Sequence[str]) -> Endpoint:
        url, url_from = self._found(urls)
        key, key_from = self._found(keys)
        if url_from == _HERE and key and key_from != _HERE:
            self.warnings.append(f"the .env file here names {url}: the API key from elsewhere is not sent there")
            key = ""
        endpoint = parse_host(url or default, api_key=key or None)
        self.warnings += endpoint.warnings
        return endpoint

    def _found(self, names: Sequence[str]) -> tuple[str, int | None]:
        """A value and the layer that it comes from."""
        for name in names:
            layer = next((index for index, layer in enumerate(self._layers) if name in layer), None)
            if layer is not None and (value := self._layers[layer][name].strip()):
                return value, layer
        return "", None


def _local(names: _Names) -> Endpoint:
    urls = ("PUNA_METER_LOCAL_BASE_URL", "OLLAMA_LOCAL_BASE_URL")
    if names.text(*urls):
        return names.endpoint(LOCAL_URL, urls, _LOCAL_KEYS)
    host = environment.knob("HOST")
    key = names.text(*_LOCAL_KEYS) or environment.knob("API_KEY", ollama=False)
    endpoint = parse_host(host or LOCAL_URL, api_key=key or None)
    names.warnings += endpoint.warnings
    return endpoint


def _clamped(chosen: int | None, text: str, default: int, limits: tuple[int, int]) -> int:
    if chosen is None:
        try:
            chosen = int(text)
        except ValueError:
            chosen = default
    return max(limits[0], min(limits[1], chosen))


def parse_endpoint(text: str) -> tuple[str, str]:
    """NAME and URL of `--endpoint NAME=URL`. Raises `BadRequest`."""
    name, equals, url = text.partition("=")
    if not (equals and url and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", name)) or name in ("local", "cloud"):
        raise BadRequest(f"'{text}' is no endpoint: give NAME=URL, with another name than local and cloud")
    return name, url
