"""Why a message could not be sent → errors that say what became of it, and what to do."""

from __future__ import annotations

from tieline.errors import ConnectionClosed, SendBufferFull, SendTimeout
from tieline.protocol.events import CloseInfo

#: What no handler can wait for, because another thread is at it.
FRAGMENT_IN_HANDLER = (
    "another thread is in the middle of a fragmented message, so a handler cannot send a fragment "
    "now: send a whole message instead"
)

#: There is no going on before the interrupted send returns.
SIGNAL_HANDLER = (
    "a signal handler cannot wait for room in the write buffer while it interrupts a send. Nothing "
    "of this message was sent: send it from another thread"
)

FORKED = "the process was forked, and the parent has the connection"


def buffer_full(waiting: int, write_limit: int) -> SendBufferFull:
    """`waiting` bytes are in the buffer, and the caller is a handler."""
    return SendBufferFull(
        f"the peer does not read: {waiting} bytes wait in the write buffer "
        f"(write_limit={write_limit}), and a handler must not wait for room. Nothing of this "
        "message was sent: send it from another thread, or raise write_limit"
    )


def not_taken(size: int, waiting: int, timeout: float) -> SendTimeout:
    """A message of `size` bytes is in the buffer, and the peer has stopped to take bytes."""
    return SendTimeout(
        f"the peer took nothing for timeout={timeout:g} s, in the middle of a message of {size} "
        f"bytes or before it: {waiting} bytes wait in the write buffer and go out as soon as it "
        "reads; do not send the message again",
        accepted=True,
    )


def no_room(waiting: int, write_limit: int, timeout: float) -> SendTimeout:
    """There was no room for the message in time, or another one's end did not come."""
    if waiting >= write_limit:
        text = (
            f"the peer does not read: {waiting} bytes wait in the write buffer "
            f"(write_limit={write_limit}), and it took none for timeout={timeout:g} s"
        )
    else:
        text = (
            "a message waits for the end of the one that another thread or task sends in "
            f"fragments, which did not come within timeout={timeout:g} s"
        )
    return SendTimeout(f"{text}. Nothing of this message was sent", accepted=False)


def not_sent(why: Exception | None, close_info: CloseInfo | None) -> ConnectionClosed:
    """A message did not leave in time, and nobody keeps it."""
    return ConnectionClosed(
        f"the message did not arrive: {_ending(why, close_info)} before all of it was sent. It was "
        "not queued (offline='queue' would have): send it again",
        close_info,
    )


def maybe_arrived(why: Exception | None, close_info: CloseInfo | None) -> ConnectionClosed:
    """TLS or the event loop had taken a message, and nobody knows how much of it went out."""
    return ConnectionClosed(
        f"the message may or may not have arrived: {_ending(why, close_info)} while the last of it "
        "was on its way to the kernel. It is not sent again by itself",
        close_info,
    )


def not_flushed(why: Exception | None, close_info: CloseInfo | None) -> ConnectionClosed:
    """A `flush()` waited for messages of which some will not be sent, or may have been lost."""
    return ConnectionClosed(
        f"flush: {_ending(why, close_info)} before everything was with the kernel", close_info
    )


def offline_full(max_size: int, max_messages: int) -> SendBufferFull:
    """A message does not fit into the queue for the next connection."""
    return SendBufferFull(
        "not connected, and the message finds no room in the queue for the next connection "
        f"(offline_limit=({max_size}, {max_messages}): bytes, messages). Nothing of it was sent: "
        "raise offline_limit, or choose what gives way with offline_overflow"
    )


def too_old(max_age: float | None) -> ConnectionClosed:
    """A message has waited too long for a connection."""
    return ConnectionClosed(
        "the message was dropped: there was no connection within "
        f"offline_max_age={max_age or 0:g} s. Nothing of it was sent"
    )


def not_wanted_offline() -> ConnectionClosed:
    """Its sender did not want it sent later."""
    return ConnectionClosed(
        "the message was dropped: there is no connection now, and when_offline='drop' asked for it"
    )


def not_queued(what: str, error: ConnectionClosed) -> ConnectionClosed:
    """Something was to be sent that is sent now or never."""
    return ConnectionClosed(f"{error}; {what} never queued for the next one", error.close_info)


def _ending(why: Exception | None, close_info: CloseInfo | None) -> str:
    if close_info is not None:
        return f"the connection ended ({close_info})"
    return "the connection broke" if why is None else f"the connection broke ({why})"
