"""Why a message could not be sent → errors that say what became of it, and what to do."""

from __future__ import annotations

from tieline.errors import SendBufferFull, SendTimeout

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
