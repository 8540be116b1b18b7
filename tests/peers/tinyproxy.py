"""tinyproxy, an HTTP proxy that wants user and password, running."""

from __future__ import annotations

from collections.abc import Sequence

from tests.peers.proxies import PASSWORD, USER, ProxyProcess


class Tinyproxy(ProxyProcess):
    """A proxy that wants USER and PASSWORD."""

    program = "tinyproxy"

    def command(self) -> Sequence[str]:
        configuration = self.folder / "tinyproxy.conf"
        configuration.write_text(
            f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\n"
            f"BasicAuth {USER} {PASSWORD}\nDisableViaHeader Yes\n"
        )
        return [self._path, "-d", "-c", str(configuration)]
