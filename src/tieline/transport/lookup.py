"""A host name → its addresses, found by a thread that a deadline can leave behind.

getaddrinfo() cannot be interrupted, and takes as long as the resolver's own time-outs say: often 10
seconds, sometimes 30. A client that reconnects meanwhile would start one such thread after the
other. So look-ups of the same name are shared while they are young, and few run at once.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

#: Seconds for which others join a look-up. After that, it is stuck, maybe with a name server that
#: is gone, and a new one may fare better.
FRESH = 2.0

#: Look-ups of one name and family that run at the same time.
MOST_AT_ONCE = 3


class AddressInfo(NamedTuple):
    """One address to connect to."""

    family: int
    sockaddr: tuple[Any, ...]

    def __str__(self) -> str:
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Lookup:
    """One call of getaddrinfo(), under way or done. `is_done` is written last.

    For any thread, on which `look_up` gave it.
    """

    def __init__(self, host: str, family: int) -> None:
        self.host = host
        self.family = family
        self.started = time.monotonic()
        self.is_done = False
        #: What was found, with port 0, in the resolver's order (RFC 6724).
        self.addresses: list[AddressInfo] = []
        #: Why there is nothing; OSError or UnicodeError.
        self.error: Exception | None = None
        #: Whoever waits for it. A dictionary, because taking one out of it is one step, without the
        #: lock: a signal handler that connects may wait on top of a look-up's beginning.
        self.waiting: dict[Callable[[], None], None] = {}

    def leave(self, wake: Callable[[], None]) -> None:
        """`wake` is not called any more. The look-up goes on, for others or for nobody."""
        self.waiting.pop(wake, None)

    def run(self) -> None:
        """The body of its thread."""
        try:
            self.addresses = numbers_and_names(self.host, 0, self.family)
        except Exception as error:
            self.error = error
        self.finish()

    def finish(self) -> None:
        """Tell everybody. Who joins later finds that it is done."""
        self.is_done = True
        while self.waiting:
            try:
                wake, _ = self.waiting.popitem()
            except KeyError:
                break  # the last one has left just now
            wake()
        with _lock:
            _forget(self)


# Reentrant, because a signal handler may connect on top of a look-up's beginning.
_lock = threading.RLock()
#: Name and family → what runs, the oldest first.
_running: dict[tuple[str, int], list[Lookup]] = {}


def look_up(host: str, family: int, wake: Callable[[], None]) -> Lookup:
    """A look-up of this name, new or shared; `wake()` is called when it is done.

    `family` is `socket.AF_INET`, `AF_INET6`, or 0 for both. `wake` is called on another thread, and
    maybe not at all when `is_done` is true by now.
    """
    lookup = Lookup(host, family)
    # A daemon, so that the interpreter's exit does not wait for it.
    thread = threading.Thread(target=lookup.run, name=f"tieline-resolve-{host}", daemon=True)
    try:
        with _lock:
            running = _running.setdefault((host, family), [])
            if running and (
                len(running) >= MOST_AT_ONCE or lookup.started - running[-1].started < FRESH
            ):
                running[-1].waiting[wake] = None
                return running[-1]
            running.append(lookup)
            lookup.waiting[wake] = None
        thread.start()
    except BaseException as error:
        with _lock:
            _forget(lookup)
        if thread.ident is None:
            # It will never run: who has joined it must not wait for it.
            lookup.error = OSError(f"no thread for the look-up: {error}")
            lookup.finish()
        if not isinstance(error, RuntimeError):
            raise
    return lookup


def numbers_and_names(host: str, port: int, family: int, flags: int = 0) -> list[AddressInfo]:
    """getaddrinfo() for streams."""
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    return [AddressInfo(int(entry[0]), entry[4]) for entry in found]


def _forget(lookup: Lookup) -> None:
    key = lookup.host, lookup.family
    running = _running.get(key, [])
    if lookup in running:
        running.remove(lookup)
    if not running:
        _running.pop(key, None)


def _forget_all() -> None:
    """In a forked child, which has the threads of none of them."""
    global _lock
    _lock = threading.RLock()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
