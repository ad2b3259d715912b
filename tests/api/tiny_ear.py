"""A projector that lets the tiny llama hear: Ultravox's form with random weights, a quarter of a megabyte.

What it makes of a sound is noise, and yet every part of the way from a form to an answer is real.
"""

from __future__ import annotations

import io
import math
import struct
import wave
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from tests.tiny_models import DIM

_WIDTH = 32  # of the encoder
_MELS = 80
_POSITIONS = 1500  # 30 s, to which every sound is padded
_STACK = 100  # positions that become one token; it divides them evenly, or the engine aborts
_HIDDEN = 32


def tiny_ear(path: Path) -> Path:
    writer = GGUFWriter(path, "clip")
    writer.add_string("general.type", "mmproj")
    writer.add_bool("clip.has_audio_encoder", True)
    writer.add_string("clip.projector_type", "ultravox")
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.audio.num_mel_bins", _MELS)
    writer.add_uint32("clip.audio.embedding_length", _WIDTH)
    writer.add_uint32("clip.audio.feed_forward_length", _WIDTH)
    writer.add_uint32("clip.audio.block_count", 1)
    writer.add_uint32("clip.audio.projection_dim", DIM)
    writer.add_uint32("clip.audio.attention.head_count", 2)
    writer.add_float32("clip.audio.attention.layer_norm_epsilon", 1e-5)
    writer.add_uint32("clip.audio.projector.stack_factor", _STACK)
    rng = np.random.default_rng(1)

    def add(name: str, *shape: int, half: bool = False) -> None:
        values = rng.standard_normal(shape) * 0.1
        writer.add_tensor(name, values.astype(np.float16 if half else np.float32))

    for number, inputs in ((1, _MELS), (2, _WIDTH)):
        add(f"a.conv1d.{number}.weight", _WIDTH, inputs, 3, half=True)
        add(f"a.conv1d.{number}.bias", _WIDTH, 1)
    add("a.position_embd.weight", _POSITIONS, _WIDTH)
    for part in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
        add(f"a.blk.0.{part}.weight", _WIDTH, _WIDTH, half=True)
        if part != "attn_k":
            add(f"a.blk.0.{part}.bias", _WIDTH)
    for part in ("a.blk.0.ln1", "a.blk.0.ln2", "a.post_ln"):
        add(f"{part}.weight", _WIDTH)
        add(f"{part}.bias", _WIDTH)
    add("mm.a.norm_pre.weight", _WIDTH * _STACK)
    add("mm.a.mlp.1.weight", _HIDDEN * 2, _WIDTH * _STACK, half=True)
    add("mm.a.norm_mid.weight", _HIDDEN)
    add("mm.a.mlp.2.weight", DIM, _HIDDEN, half=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tone(seconds: float = 0.5) -> bytes:
    """A WAV of 16 kHz with the note A."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        samples = (int(9000 * math.sin(math.tau * 440 * n / 16_000)) for n in range(int(16_000 * seconds)))
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()
