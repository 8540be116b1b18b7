"""A program for a network namespace of its own: a network with flaws, and dials in it → JSON.

`python -m tests.peers.small_world NAME`, as root of a new network and mount namespace. There:

* `both.test` has an IPv4 address that answers, and an IPv6 address before which every packet is
  lost without a word; `only4.test` has the first of them. Both are in /etc/hosts.
* A name server at 127.0.0.53 knows a few further names, see `NAMES`.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import tieline
from tieline.events import ConnectingEvent
from tieline.testing import EchoServer

IPV4 = "10.9.9.9"
IPV6 = "2001:db8::1"
BLACK_HOLE = "2001:db8::99"
A, AAAA = 1, 28

#: Name → record type → its address after so many seconds, or None: no such record. A type that is
#: missing is never answered.
NAMES: dict[str, dict[int, tuple[float, str] | None]] = {
    "quick.test": {A: (0, IPV4), AAAA: None},
    # What many boxes do between a client and its name server.
    "no-answer-for-ipv6.test": {A: (0, IPV4)},
    "no-answer-for-ipv4.test": {AAAA: (0, IPV6)},
    "late-ipv6.test": {A: (0, IPV4), AAAA: (0.6, IPV6)},
    "nobody-answers.test": {},
}


def build() -> None:
    """Interfaces, addresses, names. They go away with the namespace."""
    for command in (
        "ip link set lo up",
        f"ip address add {IPV4}/32 dev lo",
        "ip link add hole type veth peer name bottom",
        "ip link set hole up",
        "ip link set bottom up",
        f"ip address add {IPV6}/64 dev hole nodad",
        # Frames for this address reach nobody, and nobody says so.
        f"ip neighbour add {BLACK_HOLE} lladdr 02:00:00:00:00:99 dev hole nud permanent",
    ):
        subprocess.run(command.split(), check=True)
    over("/etc/hosts", f"{BLACK_HOLE} both.test\n{IPV4} both.test\n{IPV4} only4.test\n")
    over("/etc/resolv.conf", "nameserver 127.0.0.53\n")
    over("/etc/nsswitch.conf", "hosts: files dns\n")


def over(path: str, content: str) -> None:
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(content)
    subprocess.run(["chmod", "644", file.name], check=True)
    subprocess.run(["mount", "--bind", file.name, path], check=True)
    os.unlink(file.name)  # the mount keeps it


class NameServer:
    """Answers what `NAMES` says, when it says."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.53", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(512)
            labels, position = [], 12
            while size := query[position]:
                labels.append(query[position + 1 : position + 1 + size].decode())
                position += 1 + size
            (kind,) = struct.unpack("!H", query[position + 1 : position + 3])
            records = NAMES.get(".".join(labels).lower())
            if records is None or kind not in records:
                continue
            delay, address = records[kind] or (0, None)
            answer = query[:2] + struct.pack("!HHHHH", 0x8180, 1, address is not None, 0, 0)
            answer += query[12 : position + 5]
            if address is not None:
                family = socket.AF_INET if kind == A else socket.AF_INET6
                data = socket.inet_pton(family, address)
                answer += struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
            timer = threading.Timer(delay, self._socket.sendto, (answer, sender))
            timer.daemon = True
            timer.start()


def timed(host: str, port: int, **options: Any) -> dict[str, Any]:
    """Connect, and close: how long it took, what was tried, and how it ended."""
    tried: list[str] = []

    def note(event: Any) -> None:
        if isinstance(event, ConnectingEvent):
            tried.append(event.address)

    began = time.monotonic()
    peer, error = None, None
    try:
        connection = tieline.connect(f"ws://{host}:{port}/", proxy=None, on_event=note, **options)
        took = time.monotonic() - began
        peer = connection.connection_info()["peer"][0]
        connection.close()
    except tieline.ConnectError as failure:
        took = time.monotonic() - began
        error = f"{type(failure).__name__}: {failure}"
    return {"took": took, "tried": tried, "peer": peer, "error": error}


def black_hole() -> dict[str, Any]:
    with EchoServer(host=IPV4) as server:
        timed("only4.test", server.port)  # whatever is loaded on the first dial
        return {name: timed(f"{name}.test", server.port) for name in ("only4", "both")}


def slow_names() -> dict[str, Any]:
    names = ("quick", "no-answer-for-ipv6")
    with EchoServer(host=IPV4) as server:
        timed("only4.test", server.port)
        found = {name: timed(f"{name}.test", server.port) for name in names}
    with EchoServer(host=IPV6) as server:
        name = "no-answer-for-ipv4"
        found[name] = timed(f"{name}.test", server.port)
        # Nobody listens on this port at the IPv4 address.
        found["late-ipv6"] = timed("late-ipv6.test", server.port)
    return found


def silence() -> dict[str, Any]:
    before = threading.active_count()
    dials = [timed("nobody-answers.test", 80, connect_timeout=0.25) for _ in range(20)]
    return {
        "took": max(dial["took"] for dial in dials),
        "errors": sorted({dial["error"] for dial in dials}),
        "threads": threading.active_count() - before,
    }


STORIES: dict[str, Callable[[], dict[str, Any]]] = {
    "black hole": black_hole,
    "slow names": slow_names,
    "silence": silence,
}

if __name__ == "__main__":
    build()
    NameServer()
    print(json.dumps(STORIES[sys.argv[1]]()))
