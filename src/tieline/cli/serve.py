"""``tieline serve``: an address → a server that sends every message back, and its clients' log."""

from __future__ import annotations

import ssl
from argparse import Namespace
from itertools import count

from tieline.cli.arrivals import LONGEST_WAIT
from tieline.cli.escaping import escape
from tieline.cli.output import Output, standard_output
from tieline.cli.status import CommandError, usage_error
from tieline.protocol.events import CloseInfo
from tieline.redact import safe_url
from tieline.testing import EchoConnection, EchoServer


def run(arguments: Namespace) -> int:
    """Serve until Ctrl-C."""
    context = _tls_context(arguments)
    with standard_output() as output:
        log = _ClientLog(output)
        try:
            server = EchoServer(
                arguments.host,
                arguments.port,
                ssl_context=context,
                on_open=log.opened,
                on_close=log.closed,
            )
        except OSError as error:
            where = f"{arguments.host}:{arguments.port}"
            raise CommandError(f"cannot listen on {where}: {error.strerror or error}") from error
        try:
            log.line(f"listening on {server.url}")
            while not server.wait(LONGEST_WAIT) and not log.broken:
                pass
        finally:
            output.release()
            server.close()
    return 0


class _ClientLog:
    """One line for each connection that begins or ends. The server's thread calls it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._numbers = count(1)
        self._number_of: dict[EchoConnection, int] = {}
        #: Nobody reads the log any more.
        self.broken = False

    def opened(self, connection: EchoConnection) -> None:
        number = self._number_of[connection] = next(self._numbers)
        request = connection.request
        assert request is not None
        self.line(f"{number} open from {_address(connection.peer)} {safe_url(request.target)}")

    def closed(self, connection: EchoConnection, info: CloseInfo) -> None:
        number = self._number_of.pop(connection, None)
        if number is not None:
            self.line(f"{number} closed {info}")

    def line(self, text: str) -> None:
        try:
            self._output.line(escape(text))
        except OSError:
            self.broken = True


def _address(peer: object) -> str:
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "a unix socket"


def _tls_context(arguments: Namespace) -> ssl.SSLContext | None:
    if arguments.cert is None:
        if arguments.key is not None:
            usage_error("--key: expected --cert as well, the certificate that the key belongs to")
        return None
    for option, path in (("--cert", arguments.cert), ("--key", arguments.key)):
        if path is not None:
            _check_readable(option, path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # An empty password: an encrypted key is an error, not a prompt in a server's log.
        context.load_cert_chain(arguments.cert, arguments.key, password="")
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        usage_error(f"--cert, --key: expected PEM files with a certificate and its key: {reason}")
    return context


def _check_readable(option: str, path: str) -> None:
    """OpenSSL would not say which of the two it is."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        usage_error(f"{option}: cannot read {path!r}: {error.strerror}")
