"""How an engine process is told what to load, and how little it brings along."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

import xllamacpp

from puna.engine import child

EVERYTHING: child.Spec = {
    "parent": os.getpid(),
    "llama_server": "/opt/llama-server",
    "socket": "/run/x.sock",
    "model": "/models/m",
    "adapters": ["/models/a", "/models/b"],
    "projector": "/models/p",
    "draft": "/models/d",
    "draft_tokens": 4,
    "n_ctx": 8192,
    "n_parallel": 2,
    "n_batch": 512,
    "n_threads": 3,
    "n_gpu_layers": 7,
    "main_gpu": 1,
    "mmap": False,
    "context_shift": True,
    "flash_attention": "on",
    "kv_cache_type": "q8_0",
    "embeddings": True,
    "pooling": "mean",
    "cache_ram_mib": 64,
    "verbose": True,
}


def test_the_child_needs_the_standard_library_and_the_engine_only() -> None:
    assert child.__file__ is not None
    tree = ast.parse(Path(child.__file__).read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"xllamacpp"}


def test_every_parameter_exists_in_the_installed_engine() -> None:
    params = xllamacpp.CommonParams()
    for path, value in child.parameters(EVERYTHING).items():
        child._assign(params, path, child._member(xllamacpp, value))
    assert params.model.path == "/models/m"
    assert params.mmproj.path == "/models/p"
    assert params.speculative.draft.mparams.path == "/models/d"
    assert params.speculative.draft.n_max == 4
    assert params.cpuparams.n_threads == 3
    assert params.flash_attn_type == xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    assert params.cache_type_k == xllamacpp.ggml_type.GGML_TYPE_Q8_0
    assert (params.n_gpu_layers, params.main_gpu, params.fit_params) == (7, 1, False)
    assert (params.ui, params.endpoint_slots, params.endpoint_props, params.cors_origins) == (False, False, False, "")


def test_what_is_left_open_is_the_engines_choice() -> None:
    silent: Any = EVERYTHING | {"n_gpu_layers": -1, "main_gpu": -1, "mmap": None, "projector": "", "draft": ""}
    chosen = child.parameters(silent)
    assert not {"n_gpu_layers", "main_gpu", "load_mode", "mmproj.path", "speculative.types"} & chosen.keys()
    words = child.arguments(silent)
    assert not {"--n-gpu-layers", "--main-gpu", "--load-mode", "--mmproj", "--spec-draft-model"} & set(words)


def test_T27_a_binary_gets_one_argument_per_value() -> None:
    odd: Any = EVERYTHING | {"model": "/models/$(x); -y\n"}
    words = child.arguments(odd)
    assert words[words.index("--model") + 1] == "/models/$(x); -y\n"
    assert words[0] == "/opt/llama-server"
    assert [words[i + 1] for i, word in enumerate(words) if word == "--lora"] == ["/models/a", "/models/b"]
    assert {"--no-webui", "--no-slots", "--no-kv-unified", "--context-shift", "--embeddings"} <= set(words)
