"""What `puna meter fit` makes of a GGUF header: vectors computed by hand. Nothing is loaded or asked."""

from __future__ import annotations

import math
from types import MappingProxyType

import pytest

from puna.engine.types import GpuMemory, Memory
from puna.errors import BadRequest
from puna.meter.fit.anatomy import Anatomy
from puna.meter.fit.belief import Belief, Interval
from puna.meter.fit.description import described
from puna.meter.fit.predict import DECODE, LAYER_S, Observation, Processor, predict
from puna.meter.fit.room import Fit, fit
from puna.store import GgufHeader, TensorInfo

GB = 10**9
BUFFERS = 128 * 2**20
DESKTOP = Processor(50 * GB, 8)


def header(tensors: dict[str, tuple[str, tuple[int, ...]]], architecture: str = "llama", **keys: int) -> GgufHeader:
    kv = {f"{architecture}.{key.replace('__', '.')}": value for key, value in keys.items()} | {"general.file_type": 2}
    infos = tuple(TensorInfo(name, kind, shape, 0) for name, (kind, shape) in tensors.items())
    count = sum(math.prod(info.shape) for info in infos)
    return GgufHeader(3, "<", architecture, MappingProxyType(kv), infos, count)


LLAMA2_7B = {  # Q4_0 with a Q6_K output, as the well-known file has it
    "token_embd.weight": ("Q4_0", (4096, 32000)),
    "output.weight": ("Q6_K", (4096, 32000)),
    "output_norm.weight": ("F32", (4096,)),
    **{f"blk.{n}.{part}.weight": ("Q4_0", (4096, 4096)) for n in range(32) for part in ("attn_q", "attn_k", "attn_v", "attn_output")},
    **{f"blk.{n}.{part}.weight": ("Q4_0", (4096, 11008)) for n in range(32) for part in ("ffn_gate", "ffn_up", "ffn_down")},
    **{f"blk.{n}.{part}.weight": ("F32", (4096,)) for n in range(32) for part in ("attn_norm", "ffn_norm")},
}  # fmt: skip
LLAMA2_KEYS = {
    "block_count": 32, "context_length": 4096, "embedding_length": 4096, "attention__head_count": 32,
    "attention__head_count_kv": 32,
}  # fmt: skip
LLAMA2 = Anatomy.of(header(LLAMA2_7B, **LLAMA2_KEYS), 3_825_807_040)


def test_a_known_llama_is_taken_apart_as_by_hand() -> None:
    matrices = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)  # 6,476,005,376 weights of 18 bytes for 32
    norms, output, table = 65 * 4096 * 4, 4096 * 32000 // 256 * 210, 4096 * 32000
    assert LLAMA2.parameters == matrices + 65 * 4096 + 2 * table == 6_738_415_616
    assert LLAMA2.read == matrices // 32 * 18 + norms + output + 4096 // 32 * 18
    assert LLAMA2.read == pytest.approx(3.752e9, rel=1e-3)
    assert LLAMA2.kv_per_token == 32 * 32 * (128 + 128) * 2 == 524_288
    assert LLAMA2.read_at(4096) - LLAMA2.read == 2**31
    assert (LLAMA2.weights, LLAMA2.trained_context, LLAMA2.layers) == (3_825_807_040, 4096, 32)
    assert (LLAMA2.quantization, LLAMA2.experts, LLAMA2.generates) == ("Q4_0", None, True)


def test_grouped_heads_take_less_cache() -> None:
    grouped = Anatomy.of(header({}, **{**LLAMA2_KEYS, "attention__head_count_kv": 8}), GB)
    assert grouped.kv_per_token == LLAMA2.kv_per_token // 4
    assert grouped.attention_per_token == LLAMA2.attention_per_token == 32 * 32 * (128 + 128)  # no less work
    assert (grouped.read, grouped.weights) == (GB, GB)  # without a list of tensors everything counts as read


def test_an_embedding_that_is_the_output_too_is_read_whole() -> None:
    tied = {name: tensor for name, tensor in LLAMA2_7B.items() if name != "output.weight"}
    expected = LLAMA2.read - 4096 * 32000 // 256 * 210 - 4096 // 32 * 18 + 4096 * 32000 // 32 * 18
    assert Anatomy.of(header(tied, **LLAMA2_KEYS), 0).read == expected


@pytest.mark.parametrize("merged", [True, False])
def test_only_the_experts_that_are_used_are_read(merged: bool) -> None:
    dense = {
        "output.weight": ("F16", (64, 100)),
        "blk.0.attn_q.weight": ("F16", (64, 64)),
        "blk.0.ffn_gate_inp.weight": ("F32", (64, 8)),
    }
    parts = ("gate", "up", "down")
    experts = (
        {f"blk.0.ffn_{part}_exps.weight": ("F16", (64, 128, 8)) for part in parts}
        if merged
        else {f"blk.0.ffn_{part}.{n}.weight": ("F16", (64, 128)) for part in parts for n in range(8)}
    )
    anatomy = Anatomy.of(header({**dense, **experts}, expert_count=8, expert_used_count=2, block_count=1), 0)
    fixed = 2 * (6400 + 4096) + 4 * 512
    assert anatomy.read == fixed + 2 * 3 * 64 * 128 * 2
    assert anatomy.weights == fixed + 2 * 3 * 64 * 128 * 8
    assert anatomy.active_parameters == 6400 + 4096 + 512 + 3 * 64 * 128 * 2
    assert anatomy.experts == (2, 8)


def test_what_images_need_is_not_read_for_a_token() -> None:
    seeing = {**LLAMA2_7B, "v.blk.0.attn_q.weight": ("F16", (1024, 1024)), "mm.0.weight": ("F16", (1024, 4096))}
    assert Anatomy.of(header(seeing, **LLAMA2_KEYS), 0).read == LLAMA2.read


@pytest.mark.parametrize(
    ("free", "context", "verdict"),
    [
        (8 * GB, 0, "fits"),
        (6_107_508_416, 0, "fits"),  # 3.83 GB and 2 GiB of cache and 128 MiB: to the byte
        (6_107_508_415, 0, "fits with context up to 3840"),
        (5 * GB, 1024, "fits"),
        (5 * GB, 0, "fits with context up to 1792"),
        (2 * GB, 0, "does not fit: needs 4.5 GB, 2 GB are free"),
        (8 * GB, 100_000, "fits"),  # no more than it was trained for
    ],
)  # fmt: skip
def test_the_verdict_on_main_memory(free: int, context: int, verdict: str) -> None:
    assert fit(LLAMA2, Memory(free, free), context).verdict == verdict


def test_the_largest_context_that_fits_is_told() -> None:
    long = Anatomy.of(header(LLAMA2_7B, **{**LLAMA2_KEYS, "context_length": 32768}), 3_825_807_040)
    assert fit(long, Memory(8 * GB, 8 * GB)) == Fit(
        32768, 7680, 3_825_807_040 + BUFFERS + 7680 * 524_288, 8 * GB, "memory"
    )
    assert fit(long, Memory(8 * GB, 8 * GB)).verdict == "fits with context up to 7680"
    assert fit(long, Memory(8 * GB, 8 * GB), 4096).verdict == "fits"
    assert fit(long, Memory(8 * GB, 8 * GB), 16384).verdict == "fits with context up to 7680"


@pytest.mark.parametrize(
    ("graphics", "place"), [(8 * GB, "GPU"), (4 * GB, "GPU and memory"), (GB, "GPU and memory")]
)  # fmt: skip
def test_a_gpu_comes_first_and_main_memory_takes_the_rest(graphics: int, place: str) -> None:
    found = fit(LLAMA2, Memory(8 * GB, 8 * GB, (GpuMemory("card", graphics, graphics),)))
    assert (found.fits, found.place) == (True, place)
    assert not fit(LLAMA2, Memory(GB, GB, (GpuMemory("card", GB, GB),))).fits


def test_decoding_is_bound_by_reading_where_there_are_threads_enough() -> None:
    found = predict(LLAMA2, Processor(50 * GB, 64), 4096)
    assert found.decode is not None
    assert found.decode_deep is not None
    assert found.decode.middle == pytest.approx(0.85 / (32 * LAYER_S + LLAMA2.read / 50e9))
    assert found.decode_deep.middle == pytest.approx(0.85 / (32 * LAYER_S + (LLAMA2.read + 2**31) / 50e9))
    assert found.decode.low < found.decode.middle < found.decode.high
    assert found.prefill is None  # nobody measured how fast this machine computes


def test_decoding_is_bound_by_computing_on_few_cores() -> None:
    found = predict(LLAMA2, Processor(50 * GB, 2), 4096)
    q4_0, q6_k, f32 = 6_476_005_376 + 4096, 4096 * 32000, 65 * 4096  # of the table one row
    assert LLAMA2.active_types == (("F32", f32), ("Q4_0", q4_0), ("Q6_K", q6_k))
    computing = q4_0 / 20e9 + q6_k / 10e9 + f32 / 4e9
    assert found.decode is not None
    assert found.decode_deep is not None
    assert found.decode.middle == pytest.approx(0.85 / (32 * LAYER_S + computing / 2))
    assert found.decode_deep.middle == pytest.approx(0.85 / (32 * LAYER_S + (computing + 2**30 / 2.5e9) / 2))


def seen(decode: float, *, on_gpu: bool = False, prefill: float | None = None) -> Observation:
    return Observation(LLAMA2, on_gpu, decode=decode, prefill=prefill)


def test_measurements_of_this_machine_move_and_narrow_the_prediction() -> None:
    before = predict(LLAMA2, DESKTOP, 4096).decode
    learned = predict(LLAMA2, DESKTOP, 4096, [seen(6.0, prefill=30.0)] * 8)
    after = learned.decode
    assert before is not None
    assert after is not None
    assert learned.measured == 8
    assert 6.0 in after
    assert after.middle == pytest.approx(6.0, rel=0.1)
    assert after.high / after.low < before.high / before.low
    assert learned.prefill is not None
    assert learned.prefill.middle == pytest.approx(30.0)


def test_a_gpu_is_predicted_from_measurements_on_it_alone() -> None:
    def on_gpu(*others: Observation) -> Interval | None:
        return predict(LLAMA2, None, 4096, others).decode

    assert on_gpu() is None
    assert on_gpu(seen(6.0)) is None
    learned = on_gpu(seen(120.0, on_gpu=True), seen(6.0))
    assert learned is not None
    assert learned.middle == pytest.approx(120.0)


def test_a_model_that_embeds_has_no_decode_rate() -> None:
    embedder = Anatomy.of(header({"token_embd.weight": ("F16", (64, 100))}, "bert", pooling_type=1, block_count=2), 0)
    assert predict(embedder, DESKTOP, 512).decode is None


def test_the_belief_is_the_textbooks() -> None:
    """Normal-inverse-gamma by hand: prior worth one value 0 and 8 deviations of 0.5, then ln ratios of 1 and 1."""
    after = Belief(0.0, 1, 8, 0.5).after([math.e, math.e])
    assert (after.weight, after.freedom) == (3, 10)
    assert after.mean == pytest.approx(2 / 3)
    assert after.spread == pytest.approx(math.sqrt((8 * 0.25 + 0 + 1 * 2 / 3 * 1) / 10))
    factor = after.factor()
    assert factor is not None
    half = 1.8125 * after.spread * math.sqrt(1 + 1 / 3)  # Student's 95 % quantile with 10 degrees of freedom
    assert math.log(factor.high) == pytest.approx(2 / 3 + half, rel=3e-3)
    assert DECODE.after([0.0, math.inf, -1.0]) == DECODE


def test_nine_of_ten_of_the_next_values_lie_in_the_interval() -> None:
    """Whatever the machine's own factor and spread are, as long as they come from the prior: 4,000 machines."""
    import random

    dice = random.Random(7)
    inside = 0
    for _ in range(4000):
        variance = DECODE.freedom * DECODE.spread**2 / dice.gammavariate(DECODE.freedom / 2, 2)
        mean = dice.gauss(DECODE.mean, math.sqrt(variance / DECODE.weight))
        draws = [math.exp(dice.gauss(mean, math.sqrt(variance))) for _ in range(4)]
        factor = DECODE.after(draws[:3]).factor()
        assert factor is not None
        inside += draws[3] in factor
    assert inside / 4000 == pytest.approx(0.9, abs=0.02)


SHOWN = {
    "model_info": {
        "general.architecture": "llama", "general.parameter_count": 6400, "llama.block_count": 2,
        "llama.context_length": 512, "tokenizer.ggml.tokens": None,
    },
    "tensors": [{"name": "output.weight", "type": "F16", "shape": [64, 100]}],
}  # fmt: skip


def test_a_servers_description_is_enough() -> None:
    anatomy = described(SHOWN, 20_000)
    assert (anatomy.weights, anatomy.read, anatomy.parameters, anatomy.trained_context) == (20_000, 12_800, 6400, 512)


@pytest.mark.parametrize(
    "tensors",
    [None, "many", [None, 3, {}], [{"name": 1, "type": "F16", "shape": [64]}], [{"name": "a", "type": "F16", "shape": [-1]}],
     [{"name": "a", "type": "F16", "shape": [10**30]}], [{"name": "a", "type": "F16", "shape": "64"}], [{"name": "a", "type": "F16", "shape": [True]}]],
)  # fmt: skip
def test_T12_a_server_that_lies_about_tensors_is_read_without_them(tensors: object) -> None:
    assert described({**SHOWN, "tensors": tensors}, 20_000).read == 20_000


def test_a_server_that_says_nothing_of_weights_is_told_so() -> None:
    with pytest.raises(BadRequest, match="the server says nothing about the weights of this model"):
        described({"model_info": {}}, 0)
