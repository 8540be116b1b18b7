"""A folder for its files → tinyproxy, an HTTP proxy that wants user and password, running."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.peers.processes import PATIENCE, find_program

#: tinyproxy cannot choose a port, so one that was free a moment ago is tried, a few times.
_ATTEMPTS = 5


class Tinyproxy:
    """A proxy that wants "Aladdin" and "sesame"."""

    def __init__(self, folder: Path) -> None:
        program = find_program("tinyproxy")
        for _ in range(_ATTEMPTS):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            configuration = folder / "tinyproxy.conf"
            configuration.write_text(
                f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\n"
                f'BasicAuth Aladdin sesame\nLogFile "{folder}/log"\nDisableViaHeader Yes\n'
            )
            self.process = subprocess.Popen(
                [program, "-d", "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if self._answers():
                return
            self.stop()
        pytest.fail(f"tinyproxy did not start:\n{(folder / 'log').read_text()}", pytrace=False)

    def _answers(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except ConnectionRefusedError:
                pass
            try:
                self.process.wait(0.01)
                return False
            except subprocess.TimeoutExpired:
                pass
        return False

    def url(self, credentials: str = "Aladdin:sesame@") -> str:
        return f"http://{credentials}127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
