"""A call → the same call again and again, with a signal at each moment that Python has for one."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from types import FrameType
from typing import Any, TypeVar

import tieline
from tests.builds import IS_COMPILED

Thing = TypeVar("Thing")

_SOURCE = os.path.dirname(tieline.__file__)
#: What plays the peer, and gets no signals.
_PEER = os.path.join(_SOURCE, "testing")


def interrupt(thing: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


def _is_ours(frame: FrameType | None) -> bool:
    if frame is None:
        return False
    path = frame.f_code.co_filename
    return path.startswith(_SOURCE) and not path.startswith(_PEER)


def at_every_moment(
    make: Callable[[], Thing],
    act: Callable[[Thing], object],
    handler: Callable[[Thing], object] = interrupt,
    step: int = 1,
) -> Iterator[tuple[Thing, BaseException | None]]:
    """A fresh `make()` for each moment of `act`, after `handler` came on top; and what was raised.

    Those moments are where a Python function begins and where a C function has returned. Only
    tieline's count, and only what is not compiled has any within. `step`: only each so-manieth.
    """
    for moment in count(1, step):
        thing = make()
        error: BaseException | None = None
        left = moment

        def on_event(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal left
            caller = frame.f_back if event == "call" else None
            if event not in ("call", "c_return") or not (_is_ours(frame) or _is_ours(caller)):
                return
            left -= 1
            if left == 0:
                sys.setprofile(None)
                handler(thing)  # noqa: B023 - called within this round only

        before = sys.getprofile()
        gc.disable()  # finalizers of others have moments too, and not the same in each round
        sys.setprofile(on_event)
        try:
            act(thing)
        except BaseException as caught:
            # Without this frame: who clears the others would end the rounds with it.
            error = caught.with_traceback(caught.__traceback__ and caught.__traceback__.tb_next)
        finally:
            sys.setprofile(before)
            gc.enable()
        if left > 0:
            assert moment > 1 or IS_COMPILED, "the call has no moment for a signal"
            return
        yield thing, error
