"""A way to ask for credentials → squid, an HTTP proxy, running; with a certificate, on TLS too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from tests.peers.proxies import PASSWORD, USER, ProxyProcess

_CONFIGURATION = """
http_port 127.0.0.1:{port}
{https_port}
pid_filename none
coredump_dir {folder}
cache_log /dev/null
cache_store_log none
access_log none
netdb_filename none
cache deny all
cache_mem 1 MB
max_filedescriptors 1024
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname squid.example
{user}
{authentication}
{access}
http_access deny all
"""

_HELPERS = Path("/usr/lib/squid")

#: What `openssl passwd -apr1` makes of PASSWORD.
_HASH = "$apr1$tieline7$dFR/SdjQ54xPEPNxmg84w0"

REALM = "tieline"


class Squid(ProxyProcess):
    """squid. `authentication` is None, "basic" or "digest": then it wants USER and PASSWORD.

    `digest` holds further `auth_param digest` settings, such as "nonce_max_count 2". With a
    `certificate`, `secure_port` is where it does TLS.
    """

    program = "squid"

    def __init__(
        self,
        authentication: str | None = None,
        *,
        digest: Sequence[str] = (),
        certificate: trustme.LeafCert | None = None,
    ) -> None:
        self._authentication = authentication
        self._digest = digest
        self._certificate = certificate
        self.ports_needed = 1 if certificate is None else 2
        super().__init__()

    @property
    def secure_port(self) -> int:
        return self.ports[1]

    def secure_url(self, credentials: str = f"{USER}:{PASSWORD}@") -> str:
        return f"https://{credentials}127.0.0.1:{self.secure_port}"

    def command(self) -> Sequence[str]:
        https_port = ""
        if self._certificate is not None:
            pem = self.folder / "server.pem"
            self._certificate.private_key_and_cert_chain_pem.write_to_path(pem)
            https_port = f"https_port 127.0.0.1:{self.secure_port} tls-cert={pem}"
        configuration = self.folder / "squid.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                port=self.port,
                https_port=https_port,
                folder=self.folder,
                # It does not run as root, and its helpers neither.
                user="cache_effective_user proxy" if os.geteuid() == 0 else "",
                authentication="\n".join(self._ask()),
                access=(
                    "http_access allow all"
                    if self._authentication is None
                    else "acl known proxy_auth REQUIRED\nhttp_access allow known"
                ),
            )
        )
        # The name is part of its shared memory's: two at once must not share that.
        return [self._path, "-N", "-n", self._service, "-f", str(configuration), "-d", "1"]

    def stop(self) -> None:
        super().stop()
        for left in Path("/dev/shm").glob(f"{self._service}-*"):
            left.unlink(missing_ok=True)

    @property
    def _service(self) -> str:
        return f"tieline{os.getpid()}port{self.port}"

    def _ask(self) -> list[str]:
        if self._authentication is None:
            return []
        name = {"basic": "basic_ncsa_auth", "digest": "digest_file_auth"}[self._authentication]
        if not (_HELPERS / name).exists():
            pytest.skip(f"squid's {name} is not installed")
        passwords = self.folder / "passwords"
        options = ["children 1 startup=1 idle=1", f"realm {REALM}", *self._digest]
        if self._authentication == "basic":
            passwords.write_text(f"{USER}:{_HASH}\n")
            options.insert(0, f"program {_HELPERS / name} {passwords}")
            options.append("casesensitive on")
        else:
            pair = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode(), usedforsecurity=False)
            passwords.write_text(f"{USER}:{REALM}:{pair.hexdigest()}\n")
            options.insert(0, f"program {_HELPERS / name} -c {passwords}")
        return [f"auth_param {self._authentication} {option}" for option in options]
