"""Inboxes without a connection, for the tests of those who wait for messages."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tests.engine.owning import Owner
from tieline.aio.inbox import LoopInbox
from tieline.engine.callbacks import Callbacks
from tieline.engine.handlers import Handlers


def inbox(max_queue: int = 10, on_room: Callable[[], None] = lambda: None) -> LoopInbox:
    """One of the running loop."""
    callbacks = Callbacks(Handlers(), logging.getLogger("tieline"))
    return LoopInbox(callbacks, None, max_queue, Owner(on_room))
