"""Where the meter runs and what it measures: this machine, and the servers behind the endpoints."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import monotonic_ns

import psutil

from puna.client import ClientError, Endpoint, OllamaClient, ServerUnreachable
from puna.meter.cell import EndpointInfo, Host
from puna.meter.plan import Target

PROBE_S = 5.0
ROUND_TRIPS = 5


def host() -> Host:
    return Host(
        cpu=_cpu_name(),
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        ram_bytes=psutil.virtual_memory().total,
        gpus=_gpus(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


async def identify(name: str, endpoint: Endpoint) -> Target:
    """Ollama's routes where the server has them, else OpenAI's (§24, row 17). Raises `ClientError`.

    An address that ends in `/v1` is taken without it: the routes of both dialects hang from the same root.
    """
    path = endpoint.path.removesuffix("v1").rstrip("/")
    root = replace(endpoint, path=path) if endpoint.path.rpartition("/")[2] == "v1" else endpoint
    async with OllamaClient(root) as client:
        try:
            if "version" in await _probe(client, "/api/version"):
                return Target(name, root)
        except ServerUnreachable:
            raise
        except ClientError:
            pass  # no such route there, or something else than JSON at it
        if "data" not in await _probe(client, "/v1/models"):
            raise ClientError(f"{root.url} speaks neither Ollama's routes nor OpenAI's")
    return Target(name, root, native=False)


async def endpoint_info(client: OllamaClient, target: Target) -> EndpointInfo:
    """Never raises: what the server does not say is empty."""
    kind = "ollama" if target.native else "openai"
    try:
        said = await _probe(client, "/api/version" if target.native else "/version")  # the latter is vLLM's
        version = str(said.get("version", ""))[:100]
    except ClientError:
        version = ""
    return EndpointInfo(target.name, target.endpoint.url, kind, version, await _round_trip_ns(client))


async def _probe(client: OllamaClient, path: str) -> dict[str, object]:
    try:
        async with asyncio.timeout(PROBE_S):
            return await client.get(path)
    except TimeoutError as error:
        raise ServerUnreachable(f"no answer within {PROBE_S:g} s") from error


async def _round_trip_ns(client: OllamaClient) -> int | None:
    """The median of some of the shortest requests, on a connection that is there; a refusal is an answer, too."""
    times = []
    for _ in range(ROUND_TRIPS + 1):
        sent_ns = monotonic_ns()
        try:
            async with asyncio.timeout(PROBE_S):
                await client.heartbeat()
        except TimeoutError:
            return None
        except ClientError as error:
            if error.answered is None:
                return None
        times.append(monotonic_ns() - sent_ns)
    return int(median(times[1:]))  # the first one may have had to connect


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _gpus() -> tuple[str, ...]:
    """The names of NVIDIA's cards, which their driver lists as files; others have no such place."""
    found = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return tuple(found)
