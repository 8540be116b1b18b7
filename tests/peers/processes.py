"""A server's name → the server, running as a process of its own, with what it sees.

The servers and what they all do: `tests/peers/servers/contract.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

#: Seconds after which something that should have happened counts as missing.
PATIENCE = 20.0

ROOT = Path(__file__).parents[2]
_SERVERS = Path(__file__).parent / "servers"

#: Fixture parameter → what is needed, the command.
_PYTHON_SERVERS = {
    "websockets-sync": ("websockets", "websockets_sync"),
    "websockets-asyncio": ("websockets", "websockets_asyncio"),
    "aiohttp": ("aiohttp", "aiohttp_server"),
}
_NODE_SERVERS = {"ws": "plain", "ws-deflate": "deflate"}

PLAIN_PEERS = (*_PYTHON_SERVERS, *_NODE_SERVERS)


def find_program(name: str) -> str:
    """The program's path; the test is skipped without it."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def command_for(name: str) -> list[str]:
    """How a server is started; skips the test when its library is not there."""
    if name in _PYTHON_SERVERS:
        package, module = _PYTHON_SERVERS[name]
        if find_spec(package) is None:
            pytest.skip(f"the Python package {package} is not installed")
        return [sys.executable, "-m", f"tests.peers.servers.{module}"]
    node = find_program("node")
    if not (Path(__file__).parent / "node_modules" / "ws").exists():
        pytest.skip("Node's ws is not installed: npm install --prefix tests/peers")
    return [node, str(_SERVERS / "ws_server.js")]


class Peer:
    """A server of the contract. `key` tells one test's connections from another's."""

    #: Options that a client needs to connect to it.
    options: dict[str, Any] = {}
    #: Whether its URL begins with wss.
    secure = False
    #: The port that the client connects to.
    port: int

    def __init__(self, name: str) -> None:
        self.name = name
        # Before anything is made that a skipped test would leave behind.
        command: Sequence[str] = command_for(name)
        self._folder = tempfile.TemporaryDirectory(prefix="tieline-peer-")
        #: The unix socket on which it listens as well.
        self.unix_path = str(Path(self._folder.name) / "socket")
        command = [*command, self.unix_path]
        if name in _NODE_SERVERS:
            command = [*command, _NODE_SERVERS[name]]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._seen: defaultdict[tuple[str, str], Queue[dict[str, Any]]] = defaultdict(Queue)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.port = self.saw("listening", "")["port"]
        except BaseException:
            self.stop()
            raise

    @property
    def scheme(self) -> str:
        return "wss" if self.secure else "ws"

    def url(self, path: str, key: str, credentials: str = "") -> str:
        return f"{self.scheme}://{credentials}127.0.0.1:{self.port}{path}?{key}"

    def saw(self, event: str, key: str) -> dict[str, Any]:
        """The next such event ("request" or "close") of this key's connections."""
        try:
            return self._seen[event, key].get(timeout=PATIENCE)
        except Empty:
            status = self.process.poll()
            raise AssertionError(
                f"{self.name} saw no {event!r} of {key!r} within {PATIENCE:g} s "
                f"(its process: {'running' if status is None else f'ended with {status}'})"
            ) from None

    def saw_nothing_more(self, event: str, key: str) -> bool:
        return self._seen[event, key].empty()

    def freeze(self) -> None:
        """Stop it. Its threads are told by the one that gets the signal, once it runs."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        self.kill()
        self._reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self._folder.cleanup()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            self._seen[event["event"], event["key"]].put(event)
