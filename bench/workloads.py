"""The names on the command line → what every client has to do, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["receive", "echo", "send"]
KINDS: tuple[Kind, ...] = ("receive", "echo", "send")


@dataclass(frozen=True)
class Workload:
    """Work of one kind with messages of one size, in bytes of payload."""

    kind: Kind
    size: int
    #: Messages of the run that finds out how many a client manages.
    first_count: int

    @property
    def title(self) -> str:
        return f"{_TITLES[self.kind]}, {self.size} B"


_TITLES = {
    "receive": "receive burst (text to str)",
    "echo": "echo round trip (binary)",
    "send": "send burst (binary)",
}

WORKLOADS = (
    Workload("receive", 16, 3000),
    Workload("receive", 128, 3000),
    Workload("receive", 1024, 1000),
    Workload("receive", 65536, 30),
    Workload("echo", 256, 500),
    Workload("send", 128, 2000),
)


def text_of(size: int) -> str:
    """A text message as data feeds have it: printable ASCII, one byte each."""
    row = '{"symbol":"TIE","bid":101.25,"ask":101.5,"size":300,"sequence":1234567890},'
    return (row * (size // len(row) + 1))[:size]


def payload_of(size: int) -> bytes:
    """A binary message that holds every byte value, if it is long enough."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]
