"""A projector that lets the tiny llama see: LLaVA's form with random weights, a few kilobytes.

What it makes of a picture is noise, and yet every part of the way from base64 to an answer is real.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from tests.tiny_models import DIM

_WIDTH = 32  # of the encoder
_SIDE = 32  # pixels
_PATCH = 8
_LAYERS = 2  # the last is not used, in this form
_HIDDEN = 32


def tiny_eye(path: Path) -> Path:
    writer = GGUFWriter(path, "clip")
    writer.add_string("general.type", "mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.vision.image_size", _SIDE)
    writer.add_uint32("clip.vision.patch_size", _PATCH)
    writer.add_uint32("clip.vision.embedding_length", _WIDTH)
    writer.add_uint32("clip.vision.feed_forward_length", _WIDTH)
    writer.add_uint32("clip.vision.block_count", _LAYERS)
    writer.add_uint32("clip.vision.projection_dim", DIM)
    writer.add_uint32("clip.vision.attention.head_count", 2)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    rng = np.random.default_rng(1)

    def add(name: str, *shape: int, half: bool = False) -> None:
        values = rng.standard_normal(shape) * 0.1
        writer.add_tensor(name, values.astype(np.float16 if half else np.float32))

    add("v.patch_embd.weight", _WIDTH, 3, _PATCH, _PATCH, half=True)
    add("v.patch_embd.bias", _WIDTH)
    add("v.position_embd.weight", (_SIDE // _PATCH) ** 2, _WIDTH)
    for layer in range(_LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
            add(f"v.blk.{layer}.{part}.weight", _WIDTH, _WIDTH, half=True)
            add(f"v.blk.{layer}.{part}.bias", _WIDTH)
        for part in ("ln1", "ln2"):
            add(f"v.blk.{layer}.{part}.weight", _WIDTH)
            add(f"v.blk.{layer}.{part}.bias", _WIDTH)
    for part, rows, columns in (("mm.0", _HIDDEN, _WIDTH), ("mm.2", DIM, _HIDDEN)):
        add(f"{part}.weight", rows, columns, half=True)
        add(f"{part}.bias", rows)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
