"""What runs in a runner's process: one model in one engine, on one socket, until the parent is gone.

Started as a plain script with the standard library only, so that nothing of Puna's other packages is imported. The
first line of stdin is a JSON object (`Spec`); the pipe stays open for as long as the parent lives. Its end, and on
Linux the parent-death signal, end this process: kill -9 of the server leaves no runner behind (threats T26).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn, TypedDict

_PR_SET_PDEATHSIG = 1
_OOM_SCORE = "300"  # when memory runs out the kernel should take the runner, not the server


class Spec(TypedDict):
    """How to start: sizes in tokens or layers, -1 or empty = the engine's choice."""

    parent: int  # pid
    llama_server: str  # a binary to run instead of the packaged engine
    socket: str
    model: str
    adapters: list[str]
    projector: str
    draft: str
    draft_tokens: int
    n_ctx: int  # all slots together
    n_parallel: int
    n_batch: int
    n_threads: int
    n_gpu_layers: int
    main_gpu: int
    mmap: bool | None
    context_shift: bool
    flash_attention: str  # auto, on, off
    kv_cache_type: str
    embeddings: bool
    pooling: str  # mean, rank, or empty for the model's own
    cache_ram_mib: int
    verbose: bool


def main() -> NoReturn:
    if sys.argv[1:] == ["--devices"]:
        _print_devices()
        os._exit(0)
    spec: Spec = json.loads(sys.stdin.buffer.readline())
    _die_with(spec["parent"])
    if spec["llama_server"]:
        _kill_at_parents_end()
        os.execv(spec["llama_server"], arguments(spec))  # noqa: S606 - an argument list, no shell
    threading.Thread(target=_wait_for_parents_end, daemon=True).start()
    _serve(spec)


def parameters(spec: Spec) -> dict[str, Any]:
    """The fields of xllamacpp's `CommonParams`, dotted where they are nested; enumerations by member name."""
    chosen: dict[str, Any] = {
        "hostnames": [spec["socket"]],
        "model.path": spec["model"],
        "n_ctx": spec["n_ctx"],
        "n_parallel": spec["n_parallel"],
        "n_batch": spec["n_batch"],
        "n_ubatch": spec["n_batch"],
        "kv_unified": False,  # each slot has its own part of the cache: no stream can starve another
        "ctx_shift": spec["context_shift"],
        "cache_ram_mib": spec["cache_ram_mib"],
        "cpuparams.n_threads": spec["n_threads"],
        "n_threads_http": spec["n_parallel"] + 64,  # a waiting request holds one; questions must still get through
        "flash_attn_type": f"llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_{_FLASH_NAMES[spec['flash_attention']]}",
        "cache_type_k": f"ggml_type.GGML_TYPE_{spec['kv_cache_type'].upper()}",
        "cache_type_v": f"ggml_type.GGML_TYPE_{spec['kv_cache_type'].upper()}",
        "use_jinja": True,
        "verbosity": 3 if spec["verbose"] else 2,
        "warmup": False,
        "ui": False,
        "endpoint_slots": False,  # it shows prompts
        "endpoint_props": False,  # this switches off changing them; reading stays
        "cors_origins": "",
    }
    if spec["n_gpu_layers"] >= 0:
        chosen |= {"n_gpu_layers": spec["n_gpu_layers"], "fit_params": False}
    if spec["main_gpu"] >= 0:
        chosen["main_gpu"] = spec["main_gpu"]
    if spec["mmap"] is not None:
        chosen["load_mode"] = f"llama_load_mode.LLAMA_LOAD_MODE_{'MMAP' if spec['mmap'] else 'NONE'}"
    if spec["embeddings"]:
        chosen["embedding"] = True
    if spec["pooling"]:
        chosen["pooling_type"] = f"llama_pooling_type.LLAMA_POOLING_TYPE_{spec['pooling'].upper()}"
    if spec["projector"]:
        chosen["mmproj.path"] = spec["projector"]
    if spec["draft"] and spec["draft_tokens"]:
        chosen |= {
            "speculative.draft.mparams.path": spec["draft"],
            "speculative.draft.n_max": spec["draft_tokens"],
            "speculative.types": ["common_speculative_type.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE"],
        }
    return chosen


_FLASH_NAMES = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}


def arguments(spec: Spec) -> list[str]:
    """The same for a `llama-server` binary's command line, program name first."""
    words = [
        spec["llama_server"],
        "--host", spec["socket"],
        "--model", spec["model"],
        "--ctx-size", str(spec["n_ctx"]),
        "--parallel", str(spec["n_parallel"]),
        "--batch-size", str(spec["n_batch"]),
        "--ubatch-size", str(spec["n_batch"]),
        "--no-kv-unified",
        "--context-shift" if spec["context_shift"] else "--no-context-shift",
        "--cache-ram", str(spec["cache_ram_mib"]),
        "--threads", str(spec["n_threads"]),
        "--threads-http", str(spec["n_parallel"] + 64),
        "--flash-attn", spec["flash_attention"],
        "--cache-type-k", spec["kv_cache_type"],
        "--cache-type-v", spec["kv_cache_type"],
        "--jinja", "--no-warmup", "--no-webui", "--no-slots", "--offline",
        "--log-verbosity", "3" if spec["verbose"] else "2",
    ]  # fmt: skip
    if spec["n_gpu_layers"] >= 0:
        words += ["--n-gpu-layers", str(spec["n_gpu_layers"])]
    if spec["main_gpu"] >= 0:
        words += ["--main-gpu", str(spec["main_gpu"])]
    if spec["mmap"] is not None:
        words += ["--load-mode", "mmap" if spec["mmap"] else "none"]
    if spec["embeddings"]:
        words += ["--embeddings"]
    if spec["pooling"]:
        words += ["--pooling", spec["pooling"]]
    for adapter in spec["adapters"]:
        words += ["--lora", adapter]
    if spec["projector"]:
        words += ["--mmproj", spec["projector"]]
    if spec["draft"] and spec["draft_tokens"]:
        words += ["--spec-type", "draft-simple", "--spec-draft-model", spec["draft"]]
        words += ["--spec-draft-n-max", str(spec["draft_tokens"])]
    return words


def _serve(spec: Spec) -> NoReturn:
    import xllamacpp

    params = xllamacpp.CommonParams()
    for path, value in parameters(spec).items():
        _assign(params, path, _member(xllamacpp, value))
    if spec["adapters"]:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in spec["adapters"]]
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    print("ready", server.listening_address, flush=True)
    threading.Event().wait()  # a signal or the watcher ends the process; the interpreter never winds down
    os._exit(0)


def _assign(params: Any, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    owner = params
    for parent in parents:
        owner = getattr(owner, parent, None)
    if not hasattr(owner, name):
        print(f"invalid engine: this xllamacpp has no parameter {path}; install the version Puna names", flush=True)
        os._exit(1)
    setattr(owner, name, value)


def _member(module: Any, value: Any) -> Any:
    """`llama_pooling_type.LLAMA_POOLING_TYPE_MEAN` as that member; every other value as it is."""
    if isinstance(value, list):
        return [_member(module, one) for one in value]
    kind, dot, name = value.partition(".") if isinstance(value, str) else ("", "", "")
    known = getattr(module, kind, None) if dot and "/" not in value else None
    return value if known is None else getattr(known, name)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    if os.getppid() != parent:  # it died before the signal was armed
        os._exit(1)


def _wait_for_parents_end() -> NoReturn:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _kill_at_parents_end() -> None:
    """Leave a small watcher behind: what is exec'ed over this process cannot watch the pipe itself."""
    engine = os.getpid()
    if os.fork():
        return
    os.closerange(1, 3)  # the log ends with the engine, not with its watcher
    while os.read(0, 4096):
        pass
    if os.getppid() == engine:
        os.kill(engine, signal.SIGKILL)
    os._exit(0)


def _print_devices() -> None:
    import xllamacpp

    cpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    accelerator = getattr(xllamacpp.ggml_backend_dev_type, "GGML_BACKEND_DEVICE_TYPE_ACCEL", cpu)
    devices = [device for device in xllamacpp.get_device_info() if device["type"] not in (cpu, accelerator)]
    rows = [{"name": d["description"], "free": d["memory_free"], "total": d["memory_total"]} for d in devices]
    print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    main()
