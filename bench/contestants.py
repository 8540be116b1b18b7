"""The names of the clients → how each is started, and which of them are here."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from bench.native_programs import CannotBuild, built

#: Where `python -m bench.client` is found.
ROOT = Path(__file__).parent.parent

#: What a client is compared as: the C limit, the floor of CPython, tieline itself, another library;
#: or what was added on the command line, which is shown and not ranked.
Kind = Literal["limit", "floor", "ours", "peer", "added"]


@dataclass(frozen=True)
class Contestant:
    name: str
    kind: Kind
    #: Without the options of the work.
    command: tuple[str, ...]


def _client(name: str, kind: Kind, module: str) -> Contestant:
    return Contestant(name, kind, (sys.executable, "-m", "bench.client", module))


#: Its name → how it is compared, the module in `bench.clients` with its settings, and the packages
#: that have to be importable.
_CLIENTS: dict[str, tuple[Kind, str, tuple[str, ...]]] = {
    "cpython-floor": ("floor", "floor", ()),
    "tieline-callback": ("ours", "tieline_callback", ("tieline",)),
    "tieline-plain": ("ours", "tieline_plain", ("tieline",)),
    "tieline-asyncio": ("ours", "tieline_asyncio", ("tieline",)),
    "tieline-uvloop": ("ours", "tieline_asyncio?loop=uvloop", ("tieline", "uvloop")),
    "picows-asyncio": ("peer", "picows", ("picows",)),
    "picows-uvloop": ("peer", "picows?loop=uvloop", ("picows", "uvloop")),
    "picows-websockets-asyncio": ("peer", "picows_websockets", ("picows",)),
    "picows-websockets-uvloop": (
        "peer",
        "picows_websockets?loop=uvloop",
        ("picows", "uvloop"),
    ),
    "websocket-rs-sync": ("peer", "websocket_rs_sync", ("websocket_rs",)),
    "websocket-rs-asyncio": ("peer", "websocket_rs", ("websocket_rs",)),
    "websocket-rs-uvloop": ("peer", "websocket_rs?loop=uvloop", ("websocket_rs", "uvloop")),
    "websockets-sync": ("peer", "websockets_sync", ("websockets",)),
    "websockets-asyncio": ("peer", "websockets_asyncio", ("websockets",)),
    "aiohttp-asyncio": ("peer", "aiohttp", ("aiohttp",)),
    "aiohttp-uvloop": ("peer", "aiohttp?loop=uvloop", ("aiohttp", "uvloop")),
    "websocket-client": ("peer", "websocket_client", ("websocket",)),
}
LIMIT = "c-limit"
NAMES = (LIMIT, *_CLIENTS)
#: The fronts of tieline whose names take settings: tieline-plain?backend=isal&mem_level=1
_FRONTS = tuple(name for name, (kind, _, _) in _CLIENTS.items() if kind == "ours")


def chosen(patterns: list[str]) -> tuple[list[Contestant], dict[str, str]]:
    """Those that the patterns name (without any: all) and that are here; and why others are not.

    Raises `ValueError` for a pattern that names nobody.
    """
    found: list[Contestant] = []
    missing: dict[str, str] = {}
    for name in _names(patterns):
        contestant = _found(name)
        if isinstance(contestant, str):
            missing[name] = contestant
        else:
            found.append(contestant)
    return found, missing


def added(text: str, kind: Kind) -> Contestant:
    """NAME=COMMAND of the command line. Raises `ValueError`."""
    name, equals, command = text.partition("=")
    if not name or not equals or not command:
        raise ValueError(f"expected NAME=COMMAND, got {text!r}")
    return Contestant(name, kind, tuple(shlex.split(command)))


def _names(patterns: list[str]) -> list[str]:
    if not patterns:
        return list(NAMES)
    names: list[str] = []
    for pattern in patterns:
        if pattern.partition("?")[0] in _FRONTS:
            matching = [pattern]
        else:
            matching = [name for name in NAMES if fnmatchcase(name, pattern)]
        if not matching:
            raise ValueError(f"no client is called {pattern!r}; --list shows all of them")
        names += [name for name in matching if name not in names]
    return names


def _found(name: str) -> Contestant | str:
    """The contestant, or why it is not here."""
    if name == LIMIT:
        try:
            return Contestant(LIMIT, "limit", (str(built("limit")),))
        except CannotBuild as reason:
            return str(reason).splitlines()[0]
    front, _, settings = name.partition("?")
    kind, module, packages = _CLIENTS[front]
    lacking = [package for package in packages if find_spec(package) is None]
    if "websocket_rs" in lacking and sys.version_info < (3, 12):
        return "needs Python 3.12"
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    if settings:
        module += ("&" if "?" in module else "?") + settings
    if kind == "floor":
        try:
            built("cpython_floor.so")
        except CannotBuild as reason:
            return str(reason).splitlines()[0]
    return _client(name, kind, module)
