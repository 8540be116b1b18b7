"""What the command line of a client says → the work, its messages, and the stopwatch over it."""

from __future__ import annotations

import gc
import json
import os
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import cycle, islice, repeat
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.feed import feed, piece
from bench.memory import forget_peak, peak_bytes, resident_bytes

if TYPE_CHECKING:
    import asyncio

#: Messages of a flood: it ends when its connection does.
_ENDLESS = 1 << 40


class Unsupported(Exception):
    """The client cannot do this work; says why."""


@dataclass
class Task:
    """One client's work of one run. `start` and `stop` enclose what is measured."""

    url: str
    work: str
    size: int
    count: int
    text: bool = False
    deflate: bool = False
    fragments: bool = False
    #: Messages from one call of a handler.
    batch: int = 1
    #: Messages each way on each idle connection.
    exchanged: int = 0
    #: Idle connections beside the one that works.
    crowd: int = 0
    #: Another connection is flooded meanwhile.
    flooded: bool = False
    cafile: str | None = None
    #: How the client is set up: ``loop``, ``backend``, or a parameter of compression.
    settings: dict[str, str] = field(default_factory=dict)
    #: The client's.
    version: str = ""
    #: Nanoseconds between a message's being sent and being had, of the paced work.
    delays: list[int] = field(default_factory=list)
    #: What is printed at the end; filled by `stop`.
    result: dict[str, Any] = field(default_factory=dict)

    # --- messages -----------------------------------------------------------------------------

    @cached_property
    def payload(self) -> bytes:
        """A binary message that holds every byte value, if it is long enough."""
        return (bytes(range(256)) * (self.size // 256 + 1))[: self.size]

    @cached_property
    def messages(self) -> Iterable[str | bytes]:
        """What is to be sent: as many, as long, and as different as the work says."""
        if self.size >= 1 << 20:
            data = piece() * (self.size // len(piece()))
            return repeat(data.decode() if self.text else data, self.count)
        if self.deflate:
            return islice(cycle(feed(self.size)), self.count)
        return repeat(self.payload, self.count)

    def compressible(self) -> tuple[str, ...]:
        """What idle connections exchange."""
        return feed(self.size) if self.exchanged else ()

    def pieces(self) -> Iterator[bytes]:
        """One big message, piece by piece."""
        return repeat(piece(), self.size // len(piece()))

    # --- other connections ----------------------------------------------------------------------

    @property
    def idle(self) -> Task:
        """What an idle connection is opened with."""
        return replace(self, url=self._beside("/idle"))

    @property
    def flood(self) -> Task:
        """What a connection is opened with that gets messages without end, after a first word."""
        return replace(self, url=self._beside("/receive", f"size=128&text=1&count={_ENDLESS}"))

    def refuse_flood(self) -> None:
        """Raise `Unsupported` where there is to be one: the client has a thread for each."""
        if self.flooded:
            raise Unsupported("a thread serves one connection")

    def _beside(self, path: str, query: str = "") -> str:
        return urlsplit(self.url)._replace(path=path, query=query).geturl()

    # --- what clients are opened with -----------------------------------------------------------

    @cached_property
    def ssl_context(self) -> ssl.SSLContext | None:
        if not self.url.startswith("wss:"):
            return None
        return ssl.create_default_context(cafile=self.cafile)

    @property
    def new_loop(self) -> Callable[[], asyncio.AbstractEventLoop]:
        import asyncio

        name = self.settings.get("loop", "asyncio")
        if name == "uvloop":
            import uvloop

            return uvloop.new_event_loop
        if name != "asyncio":
            raise ValueError(f"loop: expected 'asyncio' or 'uvloop', got {name!r}")
        return asyncio.new_event_loop

    # --- the stopwatch --------------------------------------------------------------------------

    def start(self) -> None:
        if self.work == "idle":
            gc.collect()
        if self._looks_at_memory:
            forget_peak()
            self._resident = resident_bytes()
        self._cpu_started = _cpu_seconds()
        self._started = time.perf_counter()

    def stop(self) -> None:
        """The first call counts."""
        if self.result:
            return
        seconds = time.perf_counter() - self._started
        self.result.update(seconds=seconds, cpu_seconds=_cpu_seconds() - self._cpu_started)
        if self._looks_at_memory:
            self.result["peak_bytes"] = max(0, peak_bytes() - self._resident)

    def weigh(self) -> None:
        """What the connections that are open now take; after `stop`."""
        gc.collect()
        grown = resident_bytes() - self._resident
        self.result["kib_each"] = grown / 1024 / self.count

    def leave(self) -> None:
        """Print the result and end the process at once: closing thousands takes its time."""
        print(json.dumps({"version": self.version, **self.result}), flush=True)
        os._exit(0)

    @property
    def _looks_at_memory(self) -> bool:
        return self.work == "idle" or self.size >= 1 << 20

    # --- checks -----------------------------------------------------------------------------------

    def check(self, got: Any) -> str | None:
        """What the work has come to → what is wrong with it."""
        if not self.result:
            return "the stopwatch was not stopped"
        if self.work == "echo":
            return None if got == self.payload else f"the echo is {str(got)[:40]!r}"
        if self.work == "receive":
            return self._check_received(*got)
        if self.work == "stream":
            return None if got == self.size else f"{got} of {self.size} came"
        if self.work == "paced":
            return None if len(self.delays) == self.count else f"{len(self.delays)} messages"
        if self.work.startswith("send"):
            return self._check_sent(str(got))
        return None

    def _check_received(self, messages: int, total: int, last: str | bytes) -> str | None:
        expected = str if self.text else bytes
        right = (messages, total) == (self.count, self.count * self.size)
        if not right or not isinstance(last, expected):
            return f"got {messages} messages, {total} in all, the last a {type(last).__name__}"
        if self.text and 140 <= self.size < 1 << 20:
            json.loads(last)
        return None

    def _check_sent(self, answer: str) -> str | None:
        expected = "1" if self.work == "send_fragments" else str(self.count)
        number, _, checksum = answer.partition(" ")
        if number != expected:
            return f"the server counted {answer!r}, expected {expected}"
        if checksum:
            self.__dict__.pop("messages", None)  # used up
            crc = 0
            for message in self.messages:
                crc = zlib.crc32(message.encode() if isinstance(message, str) else message, crc)
            if checksum != f"{crc:08x}":
                return "what came is not what was sent"
        return None


def _cpu_seconds() -> float:
    """Of this process, all its threads included."""
    return time.process_time()
