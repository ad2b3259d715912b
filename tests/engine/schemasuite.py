"""Schemas to ask for: Debian's `json-schema-test-suite`, which validators are tested with; and what comes of asking."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

from puna.engine.llama import LlamaDriver
from puna.engine.schema import constrain
from puna.engine.types import Completion, SamplingOptions
from puna.errors import BadRequest
from tests.engine.conftest import whole

PACKAGE = "json-schema-test-suite"
FOLDER = Path("/usr/share/json-schema-test-suite/tests")

VALIDATORS: Mapping[str, Any] = {
    "draft3": None,  # nobody validates that any more
    "draft4": jsonschema_rs.Draft4Validator,
    "draft6": jsonschema_rs.Draft6Validator,
    "draft7": jsonschema_rs.Draft7Validator,
}


def suite() -> Iterator[tuple[str, str, Any]]:
    """Draft, place and schema of every group of tests."""
    assert FOLDER.is_dir(), f"the JSON Schema test suite is not installed; Debian and Ubuntu: apt install {PACKAGE}"
    for draft in sorted(VALIDATORS):
        for path in sorted((FOLDER / draft).rglob("*.json")):
            for group in json.loads(path.read_text()):
                yield draft, f"{path.relative_to(FOLDER)}: {group['description']}", group["schema"]


ENDINGS = ('"', "}", "]", '"}', '"]', "}}", "]]", ', "', ": ", '":')


async def brief(driver: LlamaDriver, **more: Any) -> SamplingOptions:
    """Random words, but the tokens that end a value are likely: an answer that was cut proves nothing."""
    endings = {(await driver.tokenize(text))[-1] for text in ENDINGS}
    return SamplingOptions(num_predict=96, temperature=1, logit_bias=tuple((token, 6.0) for token in endings), **more)


async def answered(driver: LlamaDriver, schema: Any, sampling: SamplingOptions) -> tuple[str, str]:
    """What came of `schema`: `refused` and why, `cut` and what there is, or `whole` and the answer."""
    try:
        ask = Completion("Some JSON:\n", sampling, constraint=constrain(schema))
        chunks = await whole(driver.complete(ask))
    except BadRequest as error:
        return "refused", error.message
    final = chunks[-1].final
    assert final is not None
    return ("whole" if final.reason == "stop" else "cut"), "".join(chunk.text for chunk in chunks)
