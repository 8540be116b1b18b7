"""The names of the benchmarks → what each is: the work, its messages, and how it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

#: What is measured: messages (or round trips, or connections) per second; KiB for each connection;
#: MiB of memory at the worst moment; the 99th percentile of delays in milliseconds; milliseconds.
Unit = Literal["per second", "KiB each", "MiB", "ms at p99", "ms"]

MIB = 1 << 20

#: Seconds in which two threads have the interpreter's lock in turns of 5 ms so often that it says
#: little who has the first one.
_MANY_TURNS = 1.0
#: Messages sent from one call of a handler, where the work says so.
BATCH = 256


@dataclass(frozen=True)
class Benchmark:
    """One line of the table; every client does the same work, as far as it can."""

    name: str
    title: str
    #: The function of the client's module.
    work: str
    #: Bytes of one message.
    size: int = 0
    text: bool = False
    tls: bool = False
    deflate: bool = False
    fragments: bool = False
    unit: Unit = "per second"
    #: Messages of the run that finds out how many a client manages; `fixed`: of every run.
    count: int = 1000
    fixed: bool = False
    #: Seconds that a run takes at the least, where a shorter one is mostly its beginning.
    least_seconds: float = 0.0
    #: Most repetitions that make sense; None: as many as asked for.
    repetitions: int | None = None
    #: Server and client on one core, so that nothing idles and nothing pays for waking another
    #: core; False: on two, where what is measured is who waits for whom.
    one_core: bool = True
    #: The main thread counts in pure Python meanwhile.
    busy: bool = False
    #: Idle connections of the same client, on the same thread or loop where it can have them there.
    crowd: int = 0
    #: Another connection on that thread or loop gets more messages than can be taken meanwhile.
    flooded: bool = False
    #: Messages each way on each idle connection, before its memory is looked at.
    exchanged: int = 0
    #: Measured only when it is asked for by name.
    extra: bool = False

    @property
    def more_is_better(self) -> bool:
        return self.unit == "per second"


def _receive(size: int, count: int, **other: bool) -> Benchmark:
    prefix = "tls-" if other.get("tls") else ""
    title = f"receive burst, {_size(size)} text{', TLS' if prefix else ''}"
    return Benchmark(
        f"{prefix}receive/{size}", title, "receive", size, text=True, count=count, **other
    )


def _size(size: int) -> str:
    for unit, factor in (("MiB", MIB), ("KiB", 1024)):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


def _big(name: str, title: str, work: str, **other: bool) -> Benchmark:
    return Benchmark(
        f"big/{name}",
        f"memory of one message of 256 MiB: {title}",
        work,
        256 * MIB,
        unit="MiB",
        count=1,
        fixed=True,
        repetitions=1,
        extra=True,
        **other,
    )


BENCHMARKS = (
    Benchmark("echo/256", "echo round trips, 256 B", "echo", 256, count=300),
    Benchmark("echo/8192", "echo round trips, 8 KiB", "echo", 8192, count=300),
    Benchmark("tls-echo/256", "echo round trips, 256 B, TLS", "echo", 256, tls=True, count=200),
    _receive(16, 20_000),
    _receive(128, 12_000),
    _receive(1024, 3_000),
    _receive(65536, 100),
    _receive(256 * 1024, 25),
    _receive(128, 10_000, tls=True),
    Benchmark(
        "receive/16M-binary",
        "receive 16 MiB messages, binary",
        "receive",
        16 * MIB,
        count=20,
        fixed=True,
    ),
    Benchmark(
        "receive/16M-text",
        "receive 16 MiB messages, text",
        "receive",
        16 * MIB,
        text=True,
        count=20,
        fixed=True,
    ),
    Benchmark("send/128", "send burst, 128 B, one call each", "send", 128, count=2_000),
    Benchmark(
        "send-many/128", "send burst, 128 B, written together", "send_many", 128, count=20_000
    ),
    Benchmark(
        "send-corked/128",
        f"send burst, 128 B, {BATCH} from each call of a handler",
        "send_corked",
        128,
        count=10 * BATCH,
    ),
    Benchmark(
        "deflate-receive/300",
        "receive deflated JSON, 300 B",
        "receive",
        300,
        text=True,
        deflate=True,
        count=3_000,
    ),
    Benchmark(
        "deflate-receive/4096",
        "receive deflated JSON, 4 KiB",
        "receive",
        4096,
        text=True,
        deflate=True,
        count=300,
    ),
    Benchmark(
        "deflate-send/300",
        "send deflated JSON, 300 B",
        "send",
        300,
        text=True,
        deflate=True,
        count=1_000,
    ),
    Benchmark(
        "deflate-send/4096",
        "send deflated JSON, 4 KiB",
        "send",
        4096,
        text=True,
        deflate=True,
        count=200,
    ),
    Benchmark("connect", "connect and close, one after the other", "connect", count=30),
    Benchmark(
        "open/1000",
        "open 1,000 connections that stay open",
        "idle",
        count=1_000,
        fixed=True,
        repetitions=1,
    ),
    Benchmark(
        "idle/1000",
        "memory per idle connection, of 1,000",
        "idle",
        unit="KiB each",
        count=1_000,
        fixed=True,
    ),
    Benchmark(
        "idle/10000",
        "memory per idle connection, of 10,000",
        "idle",
        unit="KiB each",
        count=10_000,
        fixed=True,
        repetitions=1,
    ),
    Benchmark(
        "crowd/receive",
        "receive burst, 128 B, beside 1,000 idle connections",
        "receive",
        128,
        text=True,
        count=12_000,
        crowd=1_000,
    ),
    Benchmark(
        "flood/delay",
        "delay of 500 messages per second, beside a flood on another connection",
        "paced",
        count=200,
        fixed=True,
        unit="ms at p99",
        one_core=False,
        flooded=True,
    ),
    Benchmark(
        "main-quiet/receive",
        "receive burst, 128 B, main thread waits",
        "receive",
        128,
        text=True,
        count=12_000,
        least_seconds=_MANY_TURNS,
        one_core=False,
    ),
    Benchmark(
        "main-busy/receive",
        "receive burst, 128 B, main thread busy in Python",
        "receive",
        128,
        text=True,
        count=12_000,
        least_seconds=_MANY_TURNS,
        one_core=False,
        busy=True,
    ),
    Benchmark(
        "main-busy/delay",
        "delay of 500 messages per second, main thread busy in Python",
        "paced",
        count=200,
        fixed=True,
        unit="ms at p99",
        one_core=False,
        busy=True,
    ),
    Benchmark(
        "import", "import, beyond a bare interpreter", "load", unit="ms", count=8, fixed=True
    ),
    Benchmark(
        "idle-compressed/300",
        "memory per connection after 32 deflated messages of 4 KiB each way, of 300",
        "idle",
        4096,
        text=True,
        deflate=True,
        unit="KiB each",
        count=300,
        fixed=True,
        repetitions=1,
        exchanged=32,
        extra=True,
    ),
    _big("receive-binary", "received, binary in one frame", "receive"),
    _big("receive-fragments", "received, binary in 256 KiB fragments", "receive", fragments=True),
    _big("receive-deflate", "received, compressed binary", "receive", deflate=True),
    _big("receive-text", "received, text (ASCII)", "receive", text=True),
    _big("stream-binary", "received as a stream, binary", "stream"),
    _big("stream-deflate", "received as a stream, compressed binary", "stream", deflate=True),
    _big("stream-text", "received as a stream, text (ASCII)", "stream", text=True),
    _big("send-binary", "sent, binary", "send"),
    _big("send-deflate", "sent, compressed binary", "send", deflate=True),
    _big("send-text", "sent, text (ASCII)", "send", text=True),
    _big("send-iterable", "sent from an iterable of 256 KiB", "send_fragments"),
)
#: Messages per second of the paced work.
PACE = 500


def named(patterns: list[str]) -> list[Benchmark]:
    """Those whose names match one of the patterns; without patterns all that are not extra.

    Raises `ValueError` for a pattern that nothing matches.
    """
    if not patterns:
        return [benchmark for benchmark in BENCHMARKS if not benchmark.extra]
    for pattern in patterns:
        if not any(fnmatchcase(benchmark.name, pattern) for benchmark in BENCHMARKS):
            raise ValueError(f"no benchmark is called {pattern!r}; --list shows all of them")
    return [
        benchmark
        for benchmark in BENCHMARKS
        if any(fnmatchcase(benchmark.name, pattern) for pattern in patterns)
    ]
