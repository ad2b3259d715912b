"""One child process with one model: start, wait until it is ready, stop. Knows nothing of queues or keep-alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson
import psutil

from puna.engine import child
from puna.engine.failures import load_failed, telling_line
from puna.engine.llama import LlamaDriver
from puna.engine.logtail import LogTail
from puna.engine.policy import Plan, draft_tokens
from puna.engine.slots import Slots
from puna.engine.types import Props
from puna.environment import child_environment
from puna.errors import LoadFailed
from puna.settings import Settings
from puna.units import FOREVER_NS

_STOP_SECONDS = 3  # between asking a process to end and ending it
_MEMORY_FACTOR = 2  # between the predicted memory of a model and more than it can need
_LOG_SECONDS = 1  # for the last lines of a process that is gone
_POLL_SECONDS = (0.01, 0.1)  # first and longest pause between two questions whether a runner is ready
_MAX_SOCKET_PATH = 100  # bytes; the kernels' limit is 104 or 108


@dataclass(frozen=True, slots=True)
class Launch:
    """What all runners of one server have in common."""

    environment: Mapping[str, str]
    load_timeout_ns: int = 300 * 10**9  # how long a load may make no progress; 0 = for ever
    flash_attention: str = "auto"  # auto, on, off
    cache_ram_mib: int = 512
    max_queue: int = 512  # requests that wait for a slot where callers share a runner
    llama_server: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            environment=child_environment(),
            load_timeout_ns=0 if settings.load_timeout >= FOREVER_NS else settings.load_timeout,
            flash_attention=_FLASH_ATTENTION.get(settings.flash_attention.lower(), "on"),
            cache_ram_mib=settings.cache_ram_mib,
            max_queue=settings.max_queue,
            llama_server=settings.llama_server,
        )


_FLASH_ATTENTION = {"": "auto", "auto": "auto", "0": "off", "false": "off", "off": "off"}  # anything else forces it on


class Runner:
    """Made by `start`. `driver` talks to it, `props` is what it said when it was ready."""

    def __init__(self, process: asyncio.subprocess.Process, socket_path: Path, plan: Plan, max_queue: int) -> None:
        assert process.stdout is not None
        self.plan = plan
        self.driver = LlamaDriver(
            socket_path,
            slots=Slots(plan.slots, max_queue) if plan.shared else None,
            adapters=[adapter.path for adapter in plan.weights.adapters],
        )
        self.props: Props
        self._process = process
        self._socket_path = socket_path
        self._log = LogTail()
        self._following = asyncio.create_task(self._log.follow(process.stdout))

    @classmethod
    async def start(cls, plan: Plan, model: str, launch: Launch, folder: Path) -> Runner:
        """A runner that is ready to answer. `model` is for error texts; the socket is made in `folder`, which is 0700.

        Raises `LoadFailed`, `OutOfMemory` where that was the reason; cancelling it ends the process.
        """
        socket_path = folder / f"{secrets.token_hex(8)}.sock"
        if len(os.fsencode(socket_path)) > _MAX_SOCKET_PATH:
            raise LoadFailed("the folder for the engine's sockets has too long a path; set PUNA_RUNTIME_DIR")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", child.__file__,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=dict(launch.environment), start_new_session=True,
        )  # fmt: skip
        runner = cls(process, socket_path, plan, launch.max_queue)
        try:
            assert process.stdin is not None
            process.stdin.write(orjson.dumps(_spec(plan, socket_path, launch)) + b"\n")
            await runner._until_ready(model, launch.load_timeout_ns)
            runner._check_peer()
            runner.props = await runner.driver.props()
        except BaseException:
            await asyncio.shield(runner.stop())
            raise
        return runner

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def exited(self) -> str:
        """Wait until the process is gone, for whatever reason; says how it went and its last telling line."""
        await self._process.wait()
        await self._end_of_log()
        return f"{self._exit_status()}: {telling_line(self._log.lines)}"

    def memory(self) -> tuple[int, int]:
        """Bytes in use: all together, and those of it on GPUs."""
        on_gpu = self._log.gpu_bytes
        return self._resident_bytes() + on_gpu, on_gpu

    async def stop(self) -> None:
        """End the process and wait for it: politely first. Idempotent."""
        if self._process.stdin is not None:
            self._process.stdin.close()  # ends the watcher of an exec'ed llama-server too
        for ask in (self._process.terminate, self._process.kill):
            if self.alive:
                with contextlib.suppress(ProcessLookupError):
                    ask()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        await self.driver.close()
        await self._end_of_log()
        self._following.cancel()  # a grandchild may hold the pipe open
        self._socket_path.unlink(missing_ok=True)

    async def _end_of_log(self) -> None:
        await asyncio.wait({self._following}, timeout=_LOG_SECONDS)

    async def _until_ready(self, model: str, timeout_ns: int) -> None:
        """Memory that grows is progress, up to what the model can need: a hostile chat template grows without end."""
        loop = asyncio.get_running_loop()
        pause, longest = _POLL_SECONDS
        enough = _MEMORY_FACTOR * self.plan.memory
        progress, since = (0, 0), loop.time()
        while not await self.driver.healthy():
            if not self.alive:
                await self._end_of_log()
                raise load_failed(self._exit_status(), self._log.lines, model, self._names_of_paths())
            now = (self._log.size, min(self._resident_bytes(), enough))
            if now != progress:
                progress, since = now, loop.time()
            elif timeout_ns and loop.time() - since > timeout_ns / 1e9:
                reason = telling_line(self._log.lines)
                raise LoadFailed(f"timed out waiting for llama-server to start - {reason or 'no progress'}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, longest)

    def _check_peer(self) -> None:
        """The process that answers must be the one that was started (threats T26)."""
        if not hasattr(socket, "SO_PEERCRED"):
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self._socket_path))
            pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if pid != self.pid:
            raise LoadFailed("another process answers on the runner's socket; nothing was sent to it")

    def _resident_bytes(self) -> int:
        try:
            return psutil.Process(self.pid).memory_info().rss
        except psutil.Error:
            return 0

    def _exit_status(self) -> str:
        code = self._process.returncode or 0
        if code >= 0:
            return f"exit status {code}"
        return f"signal: {signal.strsignal(-code) or -code}".lower()

    def _names_of_paths(self) -> dict[str, str]:
        weights = self.plan.weights
        names = {str(weights.path): "the model", str(weights.draft): "the draft model"}
        names |= {str(adapter.path): "the adapter" for adapter in weights.adapters}
        return names | {str(path): "the projector" for path in weights.projectors}


def _spec(plan: Plan, socket_path: Path, launch: Launch) -> child.Spec:
    weights, load = plan.weights, plan.load
    # Completion models embed too (mean pooling). With a projector or a draft model that is not what they are for.
    embeddings = weights.embedding_only or not (weights.projectors or weights.draft)
    return {
        "parent": os.getpid(),
        "llama_server": str(launch.llama_server or ""),
        "socket": str(socket_path),
        "model": str(weights.path),
        "adapters": [str(adapter.path) for adapter in weights.adapters],
        "projector": str(weights.projectors[0]) if weights.projectors else "",
        "draft": str(weights.draft or ""),
        "draft_tokens": draft_tokens(weights, load),
        "n_ctx": plan.n_ctx * plan.slots,
        "n_parallel": plan.slots,
        # Mean pooling divides a batch among the slots and the engine aborts where that leaves a rest.
        "n_batch": -(-plan.n_batch // plan.slots) * plan.slots,
        "n_threads": -1 if load.num_thread is None else load.num_thread,
        "n_gpu_layers": -1 if load.num_gpu is None else load.num_gpu,
        "main_gpu": -1 if load.main_gpu is None else load.main_gpu,
        "mmap": load.use_mmap,
        "context_shift": load.shift,
        "flash_attention": launch.flash_attention,
        "kv_cache_type": plan.kv_cache_type,
        "embeddings": embeddings,
        "pooling": "rank" if weights.reranker else "mean" if embeddings and not weights.embedding_only else "",
        # It is keyed by text alone: not by who sent it (threats T24), not by the adapters that it was read with.
        "cache_ram_mib": 0 if plan.shared or weights.adapters else launch.cache_ram_mib,
        "verbose": plan.has_gpu,  # its log then says what went to the GPU
    }
