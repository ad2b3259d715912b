"""Every knob of Puna in one class: `PUNA_X`, with `OLLAMA_X` accepted where Ollama has the same knob, or `x` in the
settings file. The environment wins over the file.

Built once per server; a command that cannot wait for pydantic reads single knobs through `environment`. Values lose
surrounding blanks and quotes; a number or duration that cannot be read falls back to its default with a warning, as in
the reference (contract ollama-http §9).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, ByteSize, Field, SecretStr, TypeAdapter, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from puna.configfile import FACES, as_text
from puna.environment import CONFIG, KEYS, at_home, config
from puna.errors import BadRequest
from puna.units import NS, parse_setting_duration_ns

log = logging.getLogger(__name__)

_BYTE_SIZE = TypeAdapter(ByteSize)
DURATIONS = ("keep_alive", "load_timeout")  # in nanoseconds
_FALSE = {"0", "f", "F", "false", "FALSE", "False", ""}


def _knob(default: Any, name: str, about: str, *, ollama: bool = True) -> Any:
    names = [f"PUNA_{name}", f"OLLAMA_{name}"] if ollama else [f"PUNA_{name}"]
    return Field(default=default, validation_alias=AliasChoices(*names), description=about)


def _code(default: Any, name: str, about: str) -> Any:
    return _knob(default, f"CODE_{name}", about, ollama=False)


def _arena(default: Any, name: str, web: str, about: str) -> Any:
    """`web` is the name that the arena's public document has for it."""
    return Field(default=default, validation_alias=AliasChoices(f"PUNA_ARENA_{name}", web), description=about)


class Settings(BaseSettings):
    """Read once at start and passed down as single values; no room below the faces takes the whole object."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=True, populate_by_name=True)

    host: str = _knob("127.0.0.1:11434", "HOST", "where the server listens and where commands look for it")
    origins: str = _knob("", "ORIGINS", "more web origins that may call the API, comma separated")
    hosts: str = _knob("", "HOSTS", "more names that the Host header may carry, comma separated", ollama=False)
    api_key: SecretStr | None = _knob(
        None, "API_KEY", "key with every right, to be sent as a bearer token; commands send it", ollama=False
    )
    keys: Path = _knob(Path(KEYS), "KEYS", "folder of the API keys that `puna key` makes", ollama=False)
    config: Path = _knob(Path(CONFIG), "CONFIG", "the settings file (TOML; keys as here, lower case)", ollama=False)
    database: str = _knob(
        "", "DATABASE", "where measurements are kept: postgresql://…, or a file; empty = ~/.puna/puna.db", ollama=False
    )
    models: Path = _knob(Path("~/.ollama/models"), "MODELS", "the store: manifests and blobs")
    keep_alive: int = _knob(300 * NS, "KEEP_ALIVE", "how long an idle model stays loaded (5m, 3600, -1 = for ever)")
    load_timeout: int = _knob(300 * NS, "LOAD_TIMEOUT", "how long a load may stall")
    context_length: int = _knob(0, "CONTEXT_LENGTH", "default context in tokens; 0 = from free memory")
    num_parallel: int = _knob(4, "NUM_PARALLEL", "requests that one model answers at once")
    max_loaded_models: int = _knob(0, "MAX_LOADED_MODELS", "models in memory at once; 0 = 3 per device")
    max_queue: int = _knob(512, "MAX_QUEUE", "requests that may wait for a model to load")
    noprune: bool = _knob(False, "NOPRUNE", "keep unreferenced blobs")
    registries: str = _knob(
        "registry.ollama.ai,hf.co,huggingface.co",
        "REGISTRIES",
        "the only registries that are talked to, comma separated; `http://host:port` for one without TLS",
        ollama=False,
    )
    push_registries: str = _knob("", "PUSH_REGISTRIES", "those of them that models may be pushed to", ollama=False)
    pull_rate: int = _knob(0, "PULL_RATE", "bytes per second for all pulls together (20MB); 0 = no limit", ollama=False)
    flash_attention: str = _knob("", "FLASH_ATTENTION", "empty = automatic, otherwise on or off")
    kv_cache_type: str = _knob("f16", "KV_CACHE_TYPE", "f16, q8_0 or q4_0")
    go_template: str = _knob("", "GO_TEMPLATE", "1 = Go templates always win, 0 = Jinja when available")
    debug: str = _knob("", "DEBUG", "1 = debug log")
    log_format: str = _knob("logfmt", "LOG_FORMAT", "the log: logfmt, or json for one object a line", ollama=False)
    editor: str = _knob("", "EDITOR", "editor for Ctrl-G in the chat")
    nohistory: bool = _knob(False, "NOHISTORY", "do not keep the chat's input history")
    llama_server: Path | None = _knob(None, "LLAMA_SERVER", "a llama-server binary to use as engine", ollama=False)
    llama_quantize: Path | None = _knob(None, "LLAMA_QUANTIZE", "a llama-quantize binary for `create -q`", ollama=False)
    cache_ram_mib: int = _knob(512, "CACHE_RAM_MIB", "prompt cache per model in MiB; 0 = off", ollama=False)
    runtime_dir: Path | None = _knob(None, "RUNTIME_DIR", "folder for the engine's sockets (made 0700)", ollama=False)
    embedded_model: bool = _knob(
        True, "EMBEDDED_MODEL", "register the packaged small model in an empty store", ollama=False
    )
    arena_host: str = _arena("127.0.0.1", "HOST", "WEB_BIND", "where `puna arena` listens")
    arena_port: str = _arena("7860", "PORT", "WEB_PORT", "its port; 0 = a free one")
    arena_token: SecretStr | None = _arena(None, "TOKEN", "WEB_CHAT_TOKEN", "secret that callers of the arena send")
    arena_history_limit: str = _arena("40", "HISTORY_LIMIT", "HISTORY_LIMIT", "messages of a chat that models get")
    arena_request_timeout: str = _arena("300", "REQUEST_TIMEOUT", "REQUEST_TIMEOUT", "seconds a model may be silent")
    arena_max_concurrent: str = _arena("8", "MAX_CONCURRENT", "MAX_CONCURRENT_REQUESTS", "answers at once")
    arena_max_instances: str = _arena("8", "MAX_INSTANCES", "MAX_INSTANCES", "models and settings in one question")
    arena_max_body_mb: str = _knob("32", "ARENA_MAX_BODY_MB", "MiB of one request", ollama=False)
    arena_cors_origin: str = _knob(
        "", "ARENA_CORS_ORIGIN", "other web origins that may call the arena, comma separated", ollama=False
    )
    code_host: str = _code("127.0.0.1:8080", "HOST", "where `puna code` listens")
    code_model: str = _code("", "MODEL", "the model that completes; empty = the newest that can")
    code_template: str = _code("", "TEMPLATE", "prompt template for all models; empty = that of the model's family")
    code_template_strict: bool = _code(True, "TEMPLATE_STRICT", "refuse templates with text that no token has")
    code_mode: str = _code("auto", "MODE", "how much is completed: auto, line, block or raw")
    code_window: int = _code(3072, "WINDOW", "prompt tokens, three quarters of them before the cursor")
    code_max_lines: int = _code(16, "MAX_LINES", "lines of a completed block")
    code_trim: bool = _code(True, "TRIM", "off = leave text that repeats what is around the cursor")
    code_rules_off: str = _code("", "RULES_OFF", "ending rules to leave out, comma separated (Z1 … Z8)")
    code_emulation: bool = _code(True, "EMULATION", "off = ask no chat model to fill gaps that has no markers for it")
    code_supersede: bool = _code(True, "SUPERSEDE", "off = newer requests of an editor do not end its older ones")
    code_strict_models: bool = _code(False, "STRICT_MODELS", "refuse unknown model names instead of using the model")
    code_dialect: str = _code("auto", "DIALECT", "answers of /api/generate: auto, seed or ollama")
    code_max_body: int = _code(1_000_000, "MAX_BODY", "bytes of one request")
    code_parallel: int = _code(4, "PARALLEL", "completions at once")
    code_queue: int = _code(16, "QUEUE", "completions that may wait")
    code_queue_ms: int = _code(2000, "QUEUE_MS", "how long one may wait")
    code_deadline_ms: int = _code(30_000, "DEADLINE_MS", "how long one may take")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Raises `BadRequest` for a settings file that is damaged."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _from_file(settings_cls.model_fields))

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: Any) -> Any:
        return value.strip().strip("\"'").strip() if isinstance(value, str) else value

    @field_validator(*DURATIONS, mode="before")
    @classmethod
    def _duration(cls, value: Any, info: Any) -> Any:
        if not isinstance(value, str):
            return value
        default: int = cls.model_fields[info.field_name].default
        try:
            return parse_setting_duration_ns(value) if value else default
        except BadRequest as error:
            log.warning("setting %s: %s; using the default", info.field_name, error)
            return default

    @field_validator("pull_rate", mode="before")
    @classmethod
    def _bytes(cls, value: Any, info: Any) -> Any:
        if not isinstance(value, str):
            return value
        default: int = cls.model_fields[info.field_name].default
        try:
            return int(_BYTE_SIZE.validate_python(value)) if value else default
        except ValidationError:
            log.warning("setting %s: %r is not a size such as 20MB; using the default", info.field_name, value)
            return default

    @field_validator(
        "context_length", "num_parallel", "max_loaded_models", "max_queue", "cache_ram_mib", "code_window",
        "code_max_lines", "code_max_body", "code_parallel", "code_queue", "code_queue_ms", "code_deadline_ms",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _unsigned(cls, value: Any, info: Any) -> Any:
        if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 19):
            if value:
                log.warning("setting %s: %r is not a whole number; using the default", info.field_name, value)
            return cls.model_fields[info.field_name].default
        return value

    @field_validator("noprune", "nohistory", "embedded_model", mode="before")
    @classmethod
    def _boolean(cls, value: Any, info: Any) -> Any:
        if isinstance(value, str):  # any other text is true, as in the reference
            return value not in _FALSE if value else cls.model_fields[info.field_name].default
        return value

    @field_validator(
        "code_template_strict", "code_trim", "code_emulation", "code_supersede", "code_strict_models", mode="before"
    )
    @classmethod
    def _switch(cls, value: Any, info: Any) -> Any:
        return False if isinstance(value, str) and value.lower() == "off" else cls._boolean(value, info)

    @field_validator("models", "keys", "config", mode="after")
    @classmethod
    def _home(cls, value: Path) -> Path:
        return at_home(value).absolute()

    @field_validator("llama_server", "llama_quantize", "runtime_dir", "api_key", "arena_token", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value


def _from_file(names: Iterable[str]) -> dict[str, Any]:
    """The settings file's texts. Other keys than `names` are told in one warning, each with the name it resembles."""
    values = config()
    known = set(names) - {"config"}  # a file cannot say where it is
    faces = {name for name in FACES if isinstance(values.get(name), dict)}
    unknown = sorted(values.keys() - known - faces)
    if unknown:
        log.warning("the settings file holds what is no setting: %s", ", ".join(_told(key, known) for key in unknown))
    return {name: as_text(name, values[name]) for name in known & values.keys()}


def _told(key: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(key.lower().removeprefix("puna_").removeprefix("ollama_"), known, 1)
    return f"{key} (did you mean {nearest[0]}?)" if nearest else key
