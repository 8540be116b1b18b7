"""An inbox whose room and drops are noted, and what is put into it."""

from __future__ import annotations

import logging
from typing import Any

from tests.engine.owning import Owner
from tieline.engine.callbacks import Callbacks
from tieline.engine.handlers import Handlers
from tieline.engine.inbox import Inbox
from tieline.protocol.events import MessageChunk


class Bench:
    def __init__(self, max_queue: int = 4) -> None:
        self.room = 0
        self.dropped: list[int] = []
        callbacks = Callbacks(Handlers(), logging.getLogger("tieline"))
        self.owner = Owner(self._on_room, self.dropped.append)
        self.inbox = Inbox(callbacks, None, max_queue, self.owner)

    def _on_room(self) -> None:
        self.room += 1


def take_all(inbox: Inbox) -> list[Any]:
    return [inbox.take() for _ in range(len(inbox))]


def feed(inbox: Inbox, *parts: str | bytes, last: bool = True) -> None:
    """A message in chunks; its last one unless `last` is False."""
    for number, part in enumerate(parts):
        inbox.chunk(MessageChunk(part, last and number == len(parts) - 1))


def chunks_of(inbox: Inbox) -> list[Any]:
    chunks = inbox.take_chunks()
    parts = []
    while (part := chunks.take()) is not None:
        parts.append(part)
    return parts
