"""A program that has to be told its ports → that program, running, on ports that were free.

None of these proxies can choose a port and tell which, so some that were free a moment ago are
tried, a few times.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.peers.processes import PATIENCE, find_program

_ATTEMPTS = 5

#: What every proxy here wants to hear, when it asks at all.
USER, PASSWORD = "Aladdin", "sesame"


class ProxyProcess:
    """A proxy on loopback. `command` is what differs between them."""

    #: Name of the program.
    program: str
    #: How the URL of its first port begins.
    scheme = "http"
    ports_needed = 1

    def __init__(self) -> None:
        self._path = find_program(self.program)
        for _ in range(_ATTEMPTS):
            self.ports = _free_ports(self.ports_needed)
            # Not below pytest's folder, which is for one user: some proxies change theirs.
            folder = tempfile.mkdtemp(prefix=f"tieline-{self.program}-")
            os.chmod(folder, 0o755)
            self.folder = Path(folder)
            with (self.folder / "output").open("w") as output:
                self.process = subprocess.Popen(
                    self.command(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    # A group of its own, so that `kill` reaches what it starts too.
                    start_new_session=True,
                )
            if all(self._answers(port) for port in self.ports):
                return
            said = (self.folder / "output").read_text()
            self.stop()
        pytest.fail(f"{self.program} did not start:\n{said}", pytrace=False)

    @property
    def port(self) -> int:
        return self.ports[0]

    def command(self) -> Sequence[str]:
        """The program (`self._path`) and its arguments; files go to `self.folder`."""
        raise NotImplementedError

    def url(self, credentials: str = f"{USER}:{PASSWORD}@", scheme: str | None = None) -> str:
        return f"{scheme or self.scheme}://{credentials}127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it as a crash would."""
        # Also when the process itself has ended: what it has started may still run.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        self.kill()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def _answers(self, port: int) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except ConnectionRefusedError:
                pass
            try:
                self.process.wait(0.01)
                return False
            except subprocess.TimeoutExpired:
                pass
        return False


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        listeners = [
            held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [listener.getsockname()[1] for listener in listeners]
