"""The thread of many connections → the class that programs know."""

from __future__ import annotations

from typing import Any, Self

from tieline.engine import reactor


class Reactor(reactor.Reactor):
    """One thread that serves any number of connections: reads, timers and handlers run on it.

    By default every client has a reactor of its own, so that a slow handler holds up nobody else.
    Give one to many clients (``reactor=``) to serve thousands of connections with one thread. The
    thread and its descriptors exist only while there are connections, or for `linger` seconds
    more; a reactor needs no closing.

    Making one and handing it to clients may be done on any thread; the rest is tieline's own use.
    """

    # A class of Python's above one that may be compiled: `help` knows how it is called, and a
    # program may keep attributes of its own on it.

    def __init__(self, name: str | None = None, *, linger: float = 0.0) -> None:
        self.linger = linger
        if name:
            self.name = name

    def __new__(cls, *_: Any, **__: Any) -> Self:
        # Here, because a program's class may forget `super().__init__()`: what is compiled does
        # not bear that anything is missing.
        made = super().__new__(cls)
        reactor.Reactor.__init__(made)
        return made

    __new__.__wrapped__ = __init__  # type: ignore[attr-defined]  # for `help`

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a reactor cannot be copied or pickled; hand the same one to every client")
