"""danted and microsocks: SOCKS proxies, running."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence

from tests.peers.proxies import PASSWORD, USER, ProxyProcess


class Microsocks(ProxyProcess):
    """SOCKS 5 for who knows USER and PASSWORD, or for everybody."""

    program = "microsocks"
    scheme = "socks5"

    def __init__(self, *, with_password: bool) -> None:
        self._credentials = ["-u", USER, "-P", PASSWORD] if with_password else []
        super().__init__()

    def command(self) -> Sequence[str]:
        return [self._path, "-i", "127.0.0.1", "-p", str(self.port), *self._credentials]


_DANTED = """
logoutput: {folder}/log
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: {user}
user.unprivileged: {user}
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks block {{ from: 0.0.0.0/0 to: {forbidden}/32 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 protocol: tcp }}
"""


class Danted(ProxyProcess):
    """SOCKS 4 (without 4a) and 5, for everybody, but not to `forbidden`."""

    program = "danted"
    scheme = "socks5"
    forbidden = "127.0.0.66"

    def command(self) -> Sequence[str]:
        configuration = self.folder / "danted.conf"
        user = pwd.getpwuid(os.geteuid()).pw_name
        configuration.write_text(
            _DANTED.format(folder=self.folder, port=self.port, user=user, forbidden=self.forbidden)
        )
        return [self._path, "-f", str(configuration), "-p", str(self.folder / "pid")]
