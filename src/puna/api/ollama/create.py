"""What `/api/create` was asked, from today's body or from one of the two forms of 2023 (seed 002), and the doing of it.

`{"name", "path"}` names a Modelfile on the server's disk: only a loopback caller of a loopback listener may, and every
failure answers with the same text, so that the route tells nothing about the disk (threats T03).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from starlette.requests import Request

from puna.api.ollama.schemas import CreateBody
from puna.api.state import Runtime
from puna.errors import BadRequest, InvalidName, PunaError
from puna.modelfile import CreateRequest, create_model, missing_base, request_from_modelfile, request_from_path
from puna.names import ModelName
from puna.progress import Progress
from puna.serving.streams import in_thread

MAX_MODELFILE = 1 << 20


def create_request(body: CreateBody, state: Runtime, request: Request) -> CreateRequest:
    """Blocking: may read a Modelfile and take files into the store. Raises `BadRequest`."""
    try:
        target = ModelName.parse(body.target)
    except InvalidName:
        raise BadRequest("invalid model name") from None
    if body.path and not (body.from_ or body.files):
        return _from_path(target, body.path, state, request)
    if body.modelfile and not (body.from_ or body.files):
        return request_from_modelfile(target, body.modelfile)
    licenses = [body.license] if isinstance(body.license, str) else body.license
    return CreateRequest(
        target=target,
        base=body.from_,
        files=body.files,
        adapters=body.adapters,
        draft_files=body.draft_files,
        draft_quantize=body.draft_quantize,
        template=body.template,
        system=body.system,
        licenses=tuple(text for text in licenses if text),
        parameters=body.parameters,
        messages=tuple(body.messages),
        quantize=body.quantize or body.quantization,
        renderer=body.renderer,
        parser=body.parser,
        requires=body.requires,
        remote_host=body.remote_host,
        info=body.info,
    )


async def creating(asked: CreateRequest, state: Runtime) -> AsyncGenerator[Progress]:
    """The steps of the create. A base that is not here is pulled first, with the steps of the pull (§3.9).

    Raises as `create_model` and `Registry.pull` do.
    """
    base = await asyncio.to_thread(missing_base, state.store, asked)
    if base is not None:
        async with aclosing(state.registry.pull(base)) as pulling:
            async for step in pulling:
                if step.status != "success":  # which is the last word of the whole
                    yield step
    making = create_model(state.store, asked, quantizer=state.settings.llama_quantize)
    async with aclosing(in_thread(making)) as steps:
        async for step in steps:
            yield step


def _from_path(target: ModelName, path: str, state: Runtime, request: Request) -> CreateRequest:
    refusal = BadRequest(
        "the Modelfile at this path could not be used: send its text as `modelfile`, or use `puna create`"
    )
    if not (state.loopback and _is_local(request)):
        raise refusal
    try:
        return request_from_path(state.store, target, Path(path).expanduser(), limit=MAX_MODELFILE)
    except (PunaError, OSError, ValueError, RuntimeError):
        raise refusal from None


def _is_local(request: Request) -> bool:
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for")):
        return False  # a proxy on this machine speaks for a caller elsewhere
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
