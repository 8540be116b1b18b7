# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Descriptors → those of them that are ready, asked for in the way that suits their number."""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable
from math import ceil

#: What may be waited for. With `POLL_WRITE` alone a descriptor that has failed counts as ready too.
READ = 1
WRITE = 4


class Descriptors:
    """What one thread waits for. Of that thread, but for what `is_for_all` says."""

    #: May other threads `watch` while it waits? What comes ends the wait.
    is_for_all = False

    def watch(self, descriptor: int, before: int, events: int) -> None:
        """Wait for `events` of it from now on, instead of those `before`. 0: for none."""
        raise NotImplementedError

    def wait(self, seconds: float, largest: int) -> list[tuple[int, int]]:
        """Which are ready, `largest` of them at most; [] after so many seconds.

        What has failed is ready for anything, whatever bits that is told with.
        """
        raise NotImplementedError

    def close(self) -> None:
        """It will not be used any more. Nothing is to be done where nothing is open."""


class Few(Descriptors):
    """By `poll`: all of them are told to the kernel in every wait, and in no other call.

    There is nothing to be opened and closed, so it is what a short life begins and ends soonest
    with.
    """

    def __init__(self) -> None:
        self._poll = select.poll()

    def watch(self, descriptor: int, before: int, events: int) -> None:
        if events:
            self._poll.register(descriptor, events)
        elif before:
            self._poll.unregister(descriptor)

    def wait(self, seconds: float, largest: int) -> list[tuple[int, int]]:
        return self._poll.poll(ceil(seconds * 1000))


class Many(Descriptors):
    """By `epoll`: a wait costs the same for ten thousand of them."""

    is_for_all = True

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def watch(self, descriptor: int, before: int, events: int) -> None:
        if before == events:
            return
        if not events:
            try:
                self._epoll.unregister(descriptor)
            except OSError:
                pass  # the kernel forgets what is closed
        elif before:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)

    def wait(self, seconds: float, largest: int) -> list[tuple[int, int]]:
        # Up to the next millisecond: a wait that ends too soon would be followed by another one.
        return self._epoll.poll(ceil(seconds * 1000) / 1000, largest)

    def close(self) -> None:
        self._epoll.close()


class Portable(Descriptors):
    """By what the system has."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, descriptor: int, before: int, events: int) -> None:
        wanted = selectors.EVENT_READ if events & READ else 0
        if events & WRITE:
            wanted |= selectors.EVENT_WRITE
        if not events:
            if before:
                self._selector.unregister(descriptor)
        elif before:
            self._selector.modify(descriptor, wanted)
        else:
            if descriptor in self._selector.get_map():
                # Somebody has closed what had the number before. The kernel forgets such ones.
                self._selector.unregister(descriptor)
            self._selector.register(descriptor, wanted)

    def wait(self, seconds: float, largest: int) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = []
        for key, events in self._selector.select(seconds):
            told = READ if events & selectors.EVENT_READ else 0
            ready.append((key.fd, told | WRITE if events & selectors.EVENT_WRITE else told))
        return ready

    def close(self) -> None:
        self._selector.close()


#: For a handful.
few: Callable[[], Descriptors] = Few if hasattr(select, "poll") else Portable
#: For any number.
many: Callable[[], Descriptors] = Many if hasattr(select, "epoll") else Portable
