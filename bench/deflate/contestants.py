"""What is installed → who is measured, and a contestant's name → how its client is set up.

A name is that of a module in `bench.deflate.clients`, and settings in the form of a URL's query:
``tieline_callback?backend=isal&level=1``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import parse_qsl

#: Name of a backend → the package that has to be importable for it.
BACKENDS = {"zlib": "zlib", "zlib-ng": "zlib_ng", "isal": "isal"}

#: Contestant → the package that has to be importable for it. The first is compared to.
_CONTESTANTS = {
    "tieline_callback": "tieline",
    "tieline_sync": "tieline",
    "tieline_asyncio": "tieline",
    "tieline_asyncio?loop=uvloop": "uvloop",
    "tieline_callback?backend=zlib": "tieline",
    "tieline_callback?backend=zlib-ng": "zlib_ng",
    "tieline_callback?backend=isal": "isal",
    # As aiohttp compresses by default, and as picows and websockets do: nobody is to win by
    # compressing less.
    "tieline_callback?backend=zlib&level=1": "tieline",
    "tieline_callback?backend=zlib&level=6": "tieline",
    "websockets_sync": "websockets",
    "websockets_asyncio": "websockets",
    "aiohttp": "aiohttp",
    "aiohttp?loop=uvloop": "uvloop",
    "aiohttp?backend=isal": "isal",
    "picows": "picows",
    "picows?loop=uvloop": "uvloop",
}


@dataclass(frozen=True)
class Settings:
    """What the client's module is told."""

    #: None: what the client chooses of what is installed.
    backend: str | None
    #: None: the client's default; else with the largest window, as the peers have it.
    level: int | None
    new_loop: Callable[[], asyncio.AbstractEventLoop]
    #: The contestant's settings in words, for the table.
    words: str


def installed() -> tuple[list[str], list[str]]:
    """The contestants, and the packages that are missing for more of them."""
    found, missing = [], []
    for contestant, package in _CONTESTANTS.items():
        client = contestant.partition("?")[0]
        needed = [package, client.partition("_")[0]]
        lacking = [name for name in needed if find_spec(name) is None]
        missing += [name for name in lacking if name not in missing]
        if not lacking:
            found.append(contestant)
    return found, missing


def parse(contestant: str) -> tuple[str, Settings]:
    """The module, and its settings."""
    client, _, query = contestant.partition("?")
    asked = dict(parse_qsl(query, strict_parsing=bool(query)))
    loop = asked.get("loop", "asyncio")
    words = " ".join(
        f"{name} {value}" if name == "level" else value for name, value in asked.items()
    )
    level = int(asked["level"]) if "level" in asked else None
    return client, Settings(asked.get("backend"), level, _loop_maker(loop), words)


def hide_backends(kept: str) -> None:
    """Make all but one of the backends look as if they were not installed. Before any import."""
    for name, package in BACKENDS.items():
        if name not in (kept, "zlib"):
            sys.modules[package] = None  # type: ignore[assignment]


def _loop_maker(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "asyncio":
        return asyncio.new_event_loop
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    raise ValueError(f"loop: expected 'asyncio' or 'uvloop', got {name!r}")
