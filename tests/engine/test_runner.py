"""Runner processes: they start, they stop, they die, and nothing of them is left (threats T26)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from puna.engine.effects import Processes
from puna.engine.runner import Launch, Runner
from puna.engine.types import Adapter, Completion, SamplingOptions
from puna.environment import child_environment
from puna.errors import LoadFailed, RunnerDied
from tests.engine.conftest import StartRunner, plan_for

LONG = Completion("Once upon a time", SamplingOptions(num_predict=100_000))


async def until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    for _ in range(int(seconds * 50)):
        if condition():
            return True
        await asyncio.sleep(0.02)
    return condition()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_runner_starts_answers_and_stops(start_runner: StartRunner, tiny_llama: Path, folder: Path) -> None:
    runner = await start_runner(tiny_llama)
    assert runner.alive
    assert (runner.props.n_ctx, runner.props.supports_tools) == (2048, False)
    total, on_gpu = runner.memory()
    assert total > 2**20
    assert on_gpu == 0
    await runner.stop()
    assert gone(runner.pid)
    assert list(folder.iterdir()) == []
    await runner.stop()


async def test_each_slot_has_the_whole_context(start_runner: StartRunner, tiny_llama: Path) -> None:
    runner = await start_runner(tiny_llama, slots=3, num_ctx=1024)
    assert runner.props.n_ctx == 1024


async def test_load_options_reach_the_engine(start_runner: StartRunner, tiny_llama: Path, tiny_lora: Path) -> None:
    options = {"num_thread": 1, "num_batch": 64, "use_mmap": False, "num_gpu": 0, "main_gpu": 0, "shift": False}
    runner = await start_runner(tiny_llama, adapters=(Adapter(tiny_lora, 0),), **options)
    assert runner.alive


async def test_T26_planted_secrets_are_not_in_the_childs_environment(
    start_runner: StartRunner, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        monkeypatch.setenv(f"SECRET_{number}_TOKEN", f"canary-{number}")
    monkeypatch.setenv("PUNA_API_KEY", "canary-key")
    runner = await start_runner(tiny_llama)
    environment = psutil.Process(runner.pid).environ()
    assert "canary" not in repr(environment)
    assert "canary" not in repr(psutil.Process(runner.pid).cmdline())


async def test_T26_a_killed_runner_ends_its_stream_with_an_error(start_runner: StartRunner, tiny_llama: Path) -> None:
    runner = await start_runner(tiny_llama)
    stream = runner.driver.complete(LONG)
    await anext(stream)
    os.kill(runner.pid, signal.SIGKILL)
    with pytest.raises(RunnerDied):
        async for _ in stream:
            pass
    assert (await runner.exited()).startswith("signal: killed")
    assert not runner.alive
    with pytest.raises(RunnerDied):
        await runner.driver.tokenize("a")


SERVER = """
import asyncio, sys
from pathlib import Path
from puna.engine.runner import Launch, Runner
from puna.environment import child_environment
from tests.engine.conftest import plan_for

async def main():
    binary = Path(sys.argv[3]) if sys.argv[3:] else None
    launch = Launch(environment=child_environment(), llama_server=binary)
    runner = await Runner.start(plan_for(Path(sys.argv[1])), "tiny", launch, Path(sys.argv[2]))
    print(runner.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("engine", ["packaged", "llama-server"])
async def test_T26_kill_9_of_the_server_takes_its_runner_along(
    engine: str, tiny_llama: Path, folder: Path, llama_server: Path
) -> None:
    words = [str(llama_server)] if engine == "llama-server" else []
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(tiny_llama), str(folder), *words,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert server.stdout is not None
    pid = int(await server.stdout.readline())
    family = [pid, *(child.pid for child in psutil.Process(pid).children())]
    server.kill()
    await server.wait()
    assert await until(lambda: all(gone(one) for one in family))


@pytest.fixture
def llama_server(folder: Path) -> Path:
    """A stand-in for the binary: takes llama-server's flags and is the same engine."""
    script = folder / "llama-server"
    script.write_text(f"""#!{sys.executable}
import sys, threading, xllamacpp
words = dict(zip(sys.argv[1:], sys.argv[2:]))
params = xllamacpp.CommonParams()
params.hostnames = [words["--host"]]
params.model.path = words["--model"]
params.n_ctx, params.n_parallel = int(words["--ctx-size"]), int(words["--parallel"])
params.endpoint_slots = "--no-slots" not in sys.argv
params.warmup = False
server = xllamacpp.Server(params)
threading.Event().wait()
""")
    script.chmod(0o700)
    return script


async def test_a_llama_server_binary_is_driven_the_same_way(
    start_runner: StartRunner, tiny_llama: Path, llama_server: Path
) -> None:
    launch = Launch(environment=child_environment(), llama_server=llama_server)
    runner = await start_runner(tiny_llama, launch)
    assert psutil.Process(runner.pid).cmdline()[1] == str(llama_server)
    assert await runner.driver.detokenize(await runner.driver.tokenize("hello")) == "hello"
    watchers = [child.pid for child in psutil.Process(runner.pid).children()]
    await runner.stop()
    assert await until(lambda: all(gone(pid) for pid in [runner.pid, *watchers]))


async def test_a_binary_that_is_not_there_is_a_failed_load(start_runner: StartRunner, tiny_llama: Path) -> None:
    launch = Launch(environment=child_environment(), llama_server=Path("/nowhere/llama-server"))
    with pytest.raises(LoadFailed, match="has terminated: exit status 1"):
        await start_runner(tiny_llama, launch)


async def test_a_corrupt_model_is_quoted_from_the_log_without_its_path(
    start_runner: StartRunner, tiny_llama: Path, folder: Path
) -> None:
    broken = folder / "broken.gguf"
    broken.write_bytes(tiny_llama.read_bytes()[:3_000_000])
    with pytest.raises(LoadFailed, match="not within the file bounds") as caught:
        await start_runner(broken)
    assert str(folder) not in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["broken.gguf"]


async def test_a_file_that_is_no_model_is_a_failed_load(start_runner: StartRunner, folder: Path) -> None:
    junk = folder / "junk.gguf"
    junk.write_bytes(b"junk" * 1000)
    with pytest.raises(LoadFailed, match=r"has terminated: exit status 1: .*(magic|the model)"):
        await start_runner(junk)


async def test_cancelling_a_start_leaves_no_process_and_no_socket(tiny_llama: Path, folder: Path) -> None:
    before = {child.pid for child in psutil.Process().children()}
    launch = Launch(environment=child_environment())
    starting = asyncio.create_task(Runner.start(plan_for(tiny_llama), "tiny", launch, folder))
    assert await until(lambda: bool({child.pid for child in psutil.Process().children()} - before))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert {child.pid for child in psutil.Process().children()} == before
    assert list(folder.iterdir()) == []


async def test_T16_a_load_that_grows_without_end_makes_no_progress(
    start_runner: StartRunner, tiny_llama: Path, folder: Path
) -> None:
    greedy = folder / "llama-server"
    grow = (
        "import time\nheld = []\nwhile len(held) < 100: held.append(b'x' * 2**24); time.sleep(0.02)\ntime.sleep(600)\n"
    )
    greedy.write_text(f"#!{sys.executable}\n{grow}")
    greedy.chmod(0o700)
    launch = Launch(environment=child_environment(), load_timeout_ns=300_000_000, llama_server=greedy)
    with pytest.raises(LoadFailed, match="timed out waiting for llama-server to start"):
        await start_runner(tiny_llama, launch)


async def test_a_load_without_progress_is_given_up(start_runner: StartRunner, tiny_llama: Path, folder: Path) -> None:
    stuck = folder / "llama-server"
    stuck.write_text(f"#!{sys.executable}\nimport time\nprint('loading part 1', flush=True)\ntime.sleep(600)\n")
    stuck.chmod(0o700)
    launch = Launch(environment=child_environment(), load_timeout_ns=500_000_000, llama_server=stuck)
    with pytest.raises(LoadFailed, match="timed out waiting for llama-server to start - loading part 1"):
        await start_runner(tiny_llama, launch)


async def test_T26_another_process_behind_the_socket_gets_no_prompt(
    tiny_llama: Path, folder: Path, start_runner: StartRunner
) -> None:
    """The child hands its socket to a process of its own: not the one that was started."""
    impostor = folder / "llama-server"
    impostor.write_text(f"""#!{sys.executable}
import os, socket, sys, time
if os.fork():
    time.sleep(600)
server = socket.socket(socket.AF_UNIX)
server.bind(dict(zip(sys.argv[1:], sys.argv[2:]))["--host"])
server.listen()
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    client.close()
""")
    impostor.chmod(0o700)
    launch = Launch(environment=child_environment(), llama_server=impostor)
    before = psutil.Process().children(recursive=True)
    starting = asyncio.create_task(start_runner(tiny_llama, launch))
    try:
        with pytest.raises(LoadFailed, match="another process answers"):
            await asyncio.wait_for(starting, 60)
    finally:
        starting.cancel()
        for process in psutil.Process().children(recursive=True):
            if process not in before:
                process.kill()


async def test_T26_sockets_live_in_a_folder_of_this_user_alone(tiny_llama: Path) -> None:
    effects = Processes(Launch(environment=child_environment()))
    runner = await effects.start(plan_for(tiny_llama), "tiny")
    process = psutil.Process(runner.pid)
    paths = {Path(str(connection.laddr)) for connection in process.net_connections("unix") if connection.laddr}
    listening = [connection for connection in process.net_connections("inet") if not connection.raddr]
    (folder,) = {path.parent for path in paths}
    mode = stat.S_IMODE(folder.stat().st_mode)
    await effects.stop(runner)
    await effects.close()
    assert mode == 0o700
    assert listening == []
    assert not folder.exists()


async def test_T26_the_folder_of_the_settings_is_closed_to_others(tiny_llama: Path, folder: Path) -> None:
    chosen = folder / "run"
    effects = Processes(Launch(environment=child_environment()), chosen)
    runner = await effects.start(plan_for(tiny_llama), "tiny")
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o700
    await effects.stop(runner)
    await effects.close()
    assert chosen.exists()


async def test_a_folder_with_too_long_a_path_says_which_setting_helps(tiny_llama: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with pytest.raises(LoadFailed, match="PUNA_RUNTIME_DIR"):
        await Runner.start(plan_for(tiny_llama), "tiny", Launch(environment=child_environment()), deep)


async def test_T26_pages_slots_and_foreign_origins_are_off(
    start_runner: StartRunner, tiny_llama: Path, folder: Path
) -> None:
    await start_runner(tiny_llama)
    (path,) = folder.glob("*.sock")

    def answer(request: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(
                f"{request} HTTP/1.1\r\nHost: x\r\nOrigin: http://evil\r\nConnection: close\r\n\r\n".encode()
            )
            return b"".join(iter(lambda: client.recv(65536), b""))

    for request, status in (("GET /", b"404"), ("GET /slots", b"501"), ("GET /metrics", b"501")):
        head = await asyncio.to_thread(answer, request)
        assert head.split()[1] == status, request
        assert b"evil" not in head


async def test_eight_streams_progress_together(start_runner: StartRunner, tiny_llama: Path) -> None:
    """Four answer, four wait for a slot; all end, and nobody ends before everybody of its four has begun."""
    runner = await start_runner(tiny_llama)
    order: list[int] = []

    async def stream(number: int) -> int:
        ask = Completion(f"Story {number}", SamplingOptions(num_predict=300))
        final = None
        async for batch in runner.driver.complete(ask):
            order.append(number)
            final = batch[-1].final
        assert final is not None
        return final.output_tokens

    counts = await asyncio.gather(*(stream(number) for number in range(8)))
    assert counts == [300] * 8
    first_end = min(max(i for i, who in enumerate(order) if who == number) for number in range(8))
    assert len(set(order[:first_end])) >= 4


async def test_T23_clients_that_hang_up_free_their_slots(start_runner: StartRunner, tiny_llama: Path) -> None:
    runner = await start_runner(tiny_llama, num_ctx=8192)
    for _ in range(3):
        streams = [runner.driver.complete(LONG) for _ in range(4)]
        await asyncio.gather(*(anext(stream) for stream in streams))
        for stream in streams:
            await stream.aclose()
    async with asyncio.timeout(5):  # LONG would hold all four slots for minutes
        short = Completion("a", SamplingOptions(num_predict=2))
        batches = [batch async for batch in runner.driver.complete(short)]
    assert batches[-1][-1].final is not None


async def test_T23_cancelling_a_task_in_mid_stream_frees_its_slot(start_runner: StartRunner, tiny_llama: Path) -> None:
    runner = await start_runner(tiny_llama, slots=1, num_ctx=8192)

    async def read() -> None:
        async for _ in runner.driver.complete(LONG):
            pass

    for _ in range(5):
        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(5):
        assert [b async for b in runner.driver.complete(Completion("a", SamplingOptions(num_predict=1)))]
