"""Places and what they ask for → Apache's httpd, running in front of a peer.

It does Digest (mod_auth_digest) for servers, as squid does for proxies.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.peers.processes import find_program
from tests.peers.proxies import PASSWORD, USER, ProxyProcess

_MODULES = Path("/usr/lib/apache2/modules")

#: In the order in which they need each other.
_NEEDED = (
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "auth_digest",
    "alias",
    "headers",
    "proxy",
    "proxy_http",
    "proxy_wstunnel",
)

_CONFIGURATION = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
Mutex posixsem
Listen 127.0.0.1:{port}
{user}
{modules}
{places}
"""

_PLACE = """
ProxyPass "{path}" "ws://127.0.0.1:{upstream}/echo"
<Location "{path}">
    Require valid-user
    AuthName "{realm}"
    {directives}
</Location>
"""

REALM = "peers"


class Apache(ProxyProcess):
    """httpd with one protected place for each entry of `places`: path → further directives.

    Each leads to /echo of the peer at `upstream`. `outside` is configuration beside them.
    """

    program = "apache2"

    def __init__(self, upstream: int, places: Mapping[str, str], outside: str = "") -> None:
        find_program(self.program)
        if not (_MODULES / "mod_auth_digest.so").exists():
            pytest.skip("Apache's mod_auth_digest is not installed")
        self._upstream = upstream
        self._places = places
        self._outside = outside
        super().__init__()

    def command(self) -> Sequence[str]:
        digest = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode(), usedforsecurity=False)
        (self.folder / "digests").write_text(f"{USER}:{REALM}:{digest.hexdigest()}\n")
        (self.folder / "apache.conf").write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                port=self.port,
                # Its children do not run as root.
                user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
                modules="\n".join(
                    f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in _NEEDED
                ),
                places=self._outside.replace("PORT", str(self.port))
                + "".join(
                    _PLACE.format(
                        path=path,
                        upstream=self._upstream,
                        realm=REALM,
                        directives=directives.replace("FOLDER", str(self.folder)),
                    )
                    for path, directives in self._places.items()
                ),
            )
        )
        return [self._path, "-f", str(self.folder / "apache.conf"), "-DFOREGROUND"]


def digest(further: str = "") -> str:
    """Directives of a place that wants a Digest of USER and PASSWORD."""
    return f"AuthType Digest\nAuthUserFile FOLDER/digests\n{further}"
