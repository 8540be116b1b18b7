"""A configuration → nginx, running in front of a peer on sockets that are bound already.

nginx cannot bind a free port and tell which. But it takes over listening sockets that the
variable NGINX names, as in its upgrade without downtime; so they are bound here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.peers.processes import PATIENCE, Peer, find_program

_CONFIGURATION = """
daemon off;
worker_processes 1;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
    access_log off;
    ssl_protocols TLSv1.2 TLSv1.3;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $http_host;
    {servers}
}}
"""


class Nginx:
    """One nginx with one `server` block for each entry of `servers`: name → its directives."""

    def __init__(self, servers: Mapping[str, str], unix_servers: Sequence[str] = ()) -> None:
        program = find_program("nginx")
        self._closing = ExitStack()
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="nginx-")))
        #: Name of the server block → port.
        self.ports: dict[str, int] = {}
        #: Name of the server block → unix socket, for those in `unix_servers`.
        self.unix_paths = {name: str(folder / f"{name}.socket") for name in unix_servers}
        blocks, listeners = [], []
        for name, directives in servers.items():
            listener = self._closing.enter_context(socket.create_server(("127.0.0.1", 0)))
            self.ports[name] = listener.getsockname()[1]
            listeners.append(listener)
            listens = [f"127.0.0.1:{self.ports[name]}"]
            if name in self.unix_paths:
                listens.append(f"unix:{self.unix_paths[name]}")
            secure = " ssl" if "ssl_certificate" in directives else ""
            lines = "".join(f"listen {address}{secure};\n" for address in listens)
            blocks.append(f"server {{ {lines} {directives} }}")
        descriptors = [listener.fileno() for listener in listeners]
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=folder,
                # The worker must get at the folder, which is ours alone.
                user="user root;" if os.geteuid() == 0 else "",
                servers="\n".join(blocks),
            )
        )
        self._log = folder / "error.log"
        with (folder / "output").open("w") as output:
            self.process = subprocess.Popen(
                [program, "-p", str(folder), "-e", str(self._log), "-c", str(configuration)],
                env={**os.environ, "NGINX": "".join(f"{number};" for number in descriptors)},
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A group of its own, so that `kill` reaches the worker too.
                start_new_session=True,
            )
        try:
            self._await_start(folder)
        except BaseException:
            self.stop()
            raise
        # From here on only nginx listens, so that its end is seen as a refusal.
        for listener in listeners:
            listener.close()

    def _await_start(self, folder: Path) -> None:
        """The pid file is written when the configuration is in use and every socket is open."""
        deadline = time.monotonic() + PATIENCE
        while not (folder / "pid").exists():
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
            said = (folder / "output").read_text() + self._read_log()
            pytest.fail(f"nginx did not start:\n{said}", pytrace=False)

    def _read_log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def kill(self) -> None:
        """End it, master and worker, as a crash would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def stop(self) -> None:
        """End it in good order: the master stops its worker, and waits for it."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        self._closing.close()


class PeerBehindNginx(Peer):
    """A peer that is reached through nginx, which does the TLS."""

    def __init__(self, name: str, authority: trustme.CA, folder: Path) -> None:
        super().__init__(name)
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            folder / "server.pem"
        )
        try:
            self.nginx = Nginx({"tls": tls_directives(folder, self.port)}, ["tls"])
        except BaseException:
            super().stop()
            raise
        self.port = self.nginx.ports["tls"]
        self.unix_path = self.nginx.unix_paths["tls"]
        self.options = {"ssl_ca_path": str(folder / "ca.pem")}
        self.secure = True

    def stop(self) -> None:
        if hasattr(self, "nginx"):
            self.nginx.stop()
        super().stop()


def tls_directives(folder: Path, upstream_port: int) -> str:
    """nginx's own: TLS with server.pem, and the upstream behind it."""
    return f"""
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        location / {{ proxy_pass http://127.0.0.1:{upstream_port}; }}
    """
