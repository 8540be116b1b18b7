"""The C server as a process → its ports, its processor time, what it says of a connection."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.certificate import new_certificate
from bench.native_programs import built

#: Seconds to wait for what the server says, and for its end.
_PATIENCE = 10.0


class Server:
    """Made by `running_server`."""

    def __init__(self, process: subprocess.Popen[str], authority: str | None) -> None:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        self.port: int = first["port"]
        #: 0: without TLS.
        self.tls_port: int = first["tls_port"]
        #: The file that clients must trust, or None without TLS.
        self.authority = authority
        self._process = process
        self._said: dict[int, dict[str, Any]] = {}
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="server's words", daemon=True)
        self._reader.start()

    def cpu_seconds(self) -> float:
        """Of all its threads, to the nanosecond (and without what was spent before they began)."""
        total = 0
        tasks = Path(f"/proc/{self._process.pid}/task")
        for task in os.listdir(tasks):
            try:
                total += int((tasks / task / "schedstat").read_text().split()[0])
            except OSError:
                continue  # a thread that has just ended
        return total / 1e9

    def move(self, cores: set[int]) -> None:
        """From now on it runs there."""
        for task in os.listdir(f"/proc/{self._process.pid}/task"):
            os.sched_setaffinity(int(task), cores)

    def said_of(self, run: int) -> dict[str, Any]:
        """What it says of the connection with this number; empty when it says nothing."""
        with self._news:
            self._news.wait_for(lambda: run in self._said, _PATIENCE)
            return self._said.pop(run, {})

    def join(self) -> None:
        self._reader.join(_PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._news:
                self._said[told["run"]] = told
                self._news.notify_all()


@contextmanager
def running_server() -> Iterator[Server]:
    """The server in a process of its own, which ends with the context, and with this process."""
    with new_certificate() as certificate:
        command = [str(built("server"))]
        if certificate is not None:
            command += ["--certificate", certificate.certificate, "--key", certificate.key]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            server = None
            try:
                server = Server(process, certificate.authority if certificate else None)
                yield server
            finally:
                process.stdin.close()  # which is how it learns that it may end
                process.wait(_PATIENCE)
                if server is not None:
                    server.join()
