"""An iterable of messages → runs of them, each of which is written in one go."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tieline.engine.payloads import encode_payload
from tieline.engine.sender import Data
from tieline.errors import OptionError
from tieline.protocol.big_frame import BIG, is_borrowed
from tieline.protocol.wire import Opcode

#: Messages in one run, at most: what is encoded with the lock held.
LONGEST_RUN = 256

#: Bytes that are encoded before the first of them is written.
_TOGETHER = 64 * 1024

#: Seconds for which a run is gathered from an iterable that takes its time.
_GATHERING = 0.001

_NO_MORE = object()

if TYPE_CHECKING:
    from tieline.engine._runs import gather
else:
    try:
        from tieline.engine._runs import gather
    except ModuleNotFoundError:  # pure, or not on Linux

        def gather(iterator: Iterator[Any], run: list[Any], longest: int, seconds: float) -> bool:
            """Add items until there are `longest`, or about so many seconds have passed.

            False: there are no more.
            """
            until = 0.0
            # (A `for` would have an iterator begin anew whose `__iter__` does.)
            while (item := next(iterator, _NO_MORE)) is not _NO_MORE:
                now = time.monotonic()
                until = until or now + seconds
                run.append(item)
                if len(run) >= longest or now >= until:
                    return True
            return False


def runs_of(messages: Iterable[Any]) -> Generator[list[Any]]:
    """The messages, in order, in lists that are not longer than it takes to gather them.

    What came before the iterable has failed comes first.
    """
    if isinstance(messages, list | tuple):
        for start in range(0, len(messages), LONGEST_RUN):
            yield list(messages[start : start + LONGEST_RUN])
        return
    iterator = iter(messages)
    there_are_more = True
    while there_are_more:
        run: list[Any] = []
        try:
            there_are_more = gather(iterator, run, LONGEST_RUN, _GATHERING)
        except Exception:
            if run:
                yield run
            raise
        if run:
            yield run


def check_messages(messages: object) -> Any:
    """The argument of `send_many`. Raises OptionError."""
    if isinstance(messages, str | bytes | bytearray | memoryview | Mapping):
        raise OptionError(
            f"send_many: expected an iterable of messages, got {type(messages).__name__}; "
            "send() is for one message"
        )
    if not isinstance(messages, Iterable | AsyncIterable):
        raise OptionError(
            f"send_many: expected an iterable of messages, got {type(messages).__name__}"
        )
    return messages


def small_ones(messages: list[Any]) -> list[tuple[Opcode, Data]]:
    """Those at the beginning that may be encoded together: whole, small, and nobody's to change."""
    found: list[tuple[Opcode, Data]] = []
    room = _TOGETHER
    for message in messages:
        if room <= 0:
            break
        encoded = encode_payload(message) if isinstance(message, str | bytes) else None
        if encoded is None or len(encoded[1]) >= BIG or is_borrowed(encoded[1]):
            break
        found.append(encoded)
        room -= len(encoded[1])
    return found


@contextmanager
def telling_how_many(
    sent: Callable[[], int], runs: Generator[list[Any]] | None = None
) -> Iterator[None]:
    """What the body raises says how many messages went before.

    And what the iterable of the `runs` has raised, if it came on top of that.
    """
    try:
        yield
    except BaseException as error:  # Ctrl-C, too, and what the iterable has raised
        _note(error, f"{_NOTE}{sent()} messages were sent or are in the write buffer")
        if runs is not None:
            runs.throw(error)  # where it is raised again
        raise


_NOTE = "send_many: "


def _note(error: BaseException, text: str) -> None:
    """Add a note, in the place of one of ours: an exception may be raised again and again."""
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        notes[:] = [note for note in notes if not str(note).startswith(_NOTE)]
    if notes is None or isinstance(notes, list):
        error.add_note(text)
