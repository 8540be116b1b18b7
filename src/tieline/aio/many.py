"""An iterable of messages → the session, in runs with turns for other tasks between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from tieline.aio.line import LoopLine
from tieline.engine.many import check_messages, runs_of, telling_how_many


async def say_many(
    line: LoopLine, send: Callable[[object], Awaitable[Any]], messages: object, together: bool
) -> None:
    """`together`: they may be written together; what cannot be goes to `send`."""
    checked = check_messages(messages)
    sent = 0
    runs = None if isinstance(checked, AsyncIterable) else runs_of(checked)
    with telling_how_many(lambda: sent, runs):
        if runs is None:
            async for message in checked:
                await send(message)
                sent += 1
            return
        for run in runs:
            while run:
                session, left = line.session, len(run)
                try:
                    if session is not None and together:
                        session.lane.send_run(run)
                    if len(run) == left:
                        await send(run[0])
                        del run[0]
                finally:
                    sent += left - len(run)
            # Many runs may find room, and other tasks want a turn.
            await asyncio.sleep(0)
