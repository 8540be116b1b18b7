"""A command's words → a connected client whose messages are printed, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tieline.cli.arrivals import Arrivals
from tieline.cli.output import Output
from tieline.cli.status import OK, CommandError, end_status, note
from tieline.client import WebSocketClient
from tieline.protocol.wire import CloseCode


@contextmanager
def conversation(
    options: dict[str, Any], arrivals: Arrivals, output: Output
) -> Iterator[WebSocketClient]:
    """Connect, and close when the block is left: with 1000, or with 1001 on Ctrl-C.

    Raises `OptionError` and `ConnectError`.
    """
    client = WebSocketClient(
        on_message=arrivals.on_message,
        on_close=arrivals.on_close,
        **options,
    )
    code = CloseCode.GOING_AWAY
    try:
        client.connect()
        yield client
        code = CloseCode.NORMAL_CLOSURE
    finally:
        if arrivals.output_error is not None or code is CloseCode.GOING_AWAY:
            output.release()
        client.disconnect(code)


def outcome(client: WebSocketClient, arrivals: Arrivals, *, tell: bool = True) -> int:
    """The exit status after the conversation; `tell`: also say how an orderly connection ended.

    An abnormal end is told in any case. Raises `CommandError` when the output failed.
    """
    if arrivals.fault is not None:
        raise arrivals.fault
    if isinstance(arrivals.output_error, BrokenPipeError):
        return OK  # the reader, `head` maybe, has all it wanted
    if arrivals.output_error is not None:
        raise CommandError(f"cannot write to standard output: {arrivals.output_error.strerror}")
    info = client.close_info
    assert info is not None
    status = end_status(info)
    if status != OK:
        raise CommandError(f"closed: {info}", status)
    if tell:
        note(f"closed: {info}")
    return status
