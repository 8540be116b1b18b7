"""tieline's part in the benchmark, and the floor's: every work is done, timed and checked."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from importlib.util import find_spec
from typing import Any

import pytest

from bench import client
from bench.catalogue import BENCHMARKS, Benchmark
from bench.contestants import ROOT
from bench.server import Server

FRONTS = {
    "tieline_callback": "tieline",
    "tieline_plain": "tieline",
    "tieline_asyncio": "tieline",
    "tieline_asyncio?loop=uvloop": "uvloop",
    "floor": "tieline",
}
#: Those that end their process, or start others.
IN_PROCESS = [
    benchmark for benchmark in BENCHMARKS if benchmark.work not in ("idle", "load", "paced")
]

pytestmark = pytest.mark.usefixtures("loops_warm")


def words(server: Server, benchmark: Benchmark, count: int, size: int, **query: int) -> list[str]:
    """The command line without the client's name, as the runner makes it."""
    work = benchmark.work
    path = "send" if work.startswith("send") else {"stream": "receive"}.get(work, work)
    asked = {
        "size": size,
        "count": 1 if work == "send_fragments" else count,
        "text": int(benchmark.text),
        "deflate": int(benchmark.deflate),
        "fragments": int(benchmark.fragments),
        "batch": 5 if work == "send_corked" else 0,
        **query,
    }
    port = server.tls_port if benchmark.tls else server.port
    scheme = "wss" if benchmark.tls else "ws"
    url = f"{scheme}://127.0.0.1:{port}/{path}?" + "&".join(f"{k}={v}" for k, v in asked.items())
    options = ["--url", url, "--work", work, "--size", str(size), "--count", str(count)]
    for flag in ("text", "deflate", "fragments", "busy", "flooded"):
        options += [f"--{flag}", str(int(getattr(benchmark, flag)))]
    options += ["--batch", "5", "--exchanged", str(benchmark.exchanged)]
    options += ["--crowd", str(min(benchmark.crowd, 5))]
    return options + (["--cafile", server.authority or ""] if benchmark.tls else [])


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("benchmark", IN_PROCESS, ids=lambda benchmark: benchmark.name)
def test_every_work_is_done_and_timed(
    front: str, benchmark: Benchmark, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec(FRONTS[front]) is None:
        pytest.skip(f"{FRONTS[front]} is not installed")
    # 2 MiB are as big as any: they do not come in one piece.
    size = 1 << 21 if benchmark.size > 1 << 21 else benchmark.size
    count = 1 if size == 1 << 21 else 25
    check = {"check": 1} if benchmark.work in ("send", "send_corked") and size < 1 << 16 else {}
    assert client.main([front, *words(server, benchmark, count, size, **check)]) == 0
    result = json.loads(capsys.readouterr().out)
    if "unsupported" not in result:
        assert result["seconds"] > 0
        assert result["version"].startswith("CPython" if front == "floor" else "tieline ")
    else:
        expected = ("floor", "send_many", "send_corked")
        assert front == "floor" or benchmark.work in expected, result


def run_client(front: str, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.client", front, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("front", [*FRONTS][:3])
def test_idle_connections_are_weighed_also_after_they_have_talked(
    front: str, server: Server
) -> None:
    idle = next(benchmark for benchmark in BENCHMARKS if benchmark.name == "idle/1000")
    talked = next(b for b in BENCHMARKS if b.name == "idle-compressed/300")
    quiet = run_client(front, *words(server, idle, 30, 0))
    busy = run_client(f"{front}?backend=zlib", *words(server, talked, 30, 4096))
    # zlib's receiving window alone is 32 KiB.
    assert 0 < quiet["kib_each"] + 30 < busy["kib_each"]


@pytest.mark.slow
@pytest.mark.parametrize("front", ["tieline_callback", "tieline_asyncio"])
def test_a_flood_leaves_the_others_their_turn(front: str, server: Server) -> None:
    """Of what else is served by the same thread or loop; the plain front has one for each."""
    flood = next(benchmark for benchmark in BENCHMARKS if benchmark.name == "flood/delay")
    assert run_client(front, *words(server, flood, 50, 0, rate=500))["p99_ms"] < 1000
    assert "unsupported" in run_client("tieline_plain", *words(server, flood, 50, 0, rate=500))


@pytest.mark.slow
def test_delays_and_imports_are_measured_in_milliseconds(server: Server) -> None:
    delay = next(benchmark for benchmark in BENCHMARKS if benchmark.name == "main-busy/delay")
    load = next(benchmark for benchmark in BENCHMARKS if benchmark.work == "load")
    assert run_client("tieline_plain", *words(server, delay, 20, 0, rate=2000))["p99_ms"] > 0
    assert run_client("tieline_plain", *words(server, load, 1, 0))["load_ms"] > 0


@pytest.mark.parametrize(("front", "threads"), [("floor", 0), ("floor?thread=1", 3)])
def test_the_floor_has_a_thread_for_each_connection_if_it_is_told_to(
    front: str,
    threads: int,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda it: (started.append(it), start(it)))
    connect = next(benchmark for benchmark in BENCHMARKS if benchmark.name == "connect")
    assert client.main([front, *words(server, connect, 3, 0)]) == 0
    assert json.loads(capsys.readouterr().out)["seconds"] > 0
    assert len(started) == threads
    assert not any(thread.is_alive() for thread in started)


def test_what_comes_otherwise_than_it_was_sent_is_noticed(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = next(benchmark for benchmark in BENCHMARKS if benchmark.name == "deflate-send/300")
    monkeypatch.setattr("bench.task.zlib.crc32", lambda data, value: 0)
    assert client.main(["tieline_plain", *words(server, send, 5, 300, check=1)]) == 1
    assert "not what was sent" in capsys.readouterr().err


def test_a_work_that_a_client_cannot_do(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    corked = next(benchmark for benchmark in BENCHMARKS if benchmark.work == "send_corked")
    assert client.main(["tieline_plain", *words(server, corked, 5, 128)]) == 0
    assert json.loads(capsys.readouterr().out) == {"unsupported": "it has no such call"}
