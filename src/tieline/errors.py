"""Every error tieline raises.

    WebSocketError
    ├── OptionError           (also ValueError)    an option, argument or URL cannot be used
    ├── ConnectError                               no connection came about; the client stays usable
    │   ├── ResolveError                           the host name has no address
    │   ├── ConnectTimeout    (also TimeoutError)  connect_timeout ran out; .phase says where
    │   ├── ConnectCancelled                       disconnect() was called during the dial
    │   ├── ProxyError                             the proxy refused, or cannot be reached
    │   ├── TLSError                               no trusted TLS session
    │   ├── HandshakeError                         the server refused the upgrade; see .response
    │   └── TooManyRedirects                       more than max_redirects, or in a circle
    ├── ConnectionClosed                           not connected (any more); .close_info says why
    ├── ProtocolError                              a rule of RFC 6455 was broken
    ├── MessageTooBig                              a message is over a limit
    ├── SendTimeout           (also TimeoutError)  the peer does not take what is sent
    └── SendBufferFull                             no room: in a handler, or while offline

Each text names what was wrong, what was expected and what can be done. No text holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tieline.headers import HTTPResponse
    from tieline.protocol.events import CloseInfo
    from tieline.protocol.handshake import HandshakeResponse


class WebSocketError(Exception):
    """The base of all errors of this package."""

    #: The error name of the system that tieline grew from; the same on every error.
    err = "WEBSOCKET-ERROR"

    def __reduce__(self) -> Any:
        # An error that cannot be unpickled would break the process pool that it is raised in.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[WebSocketError], arguments: tuple[Any, ...], attributes: dict[str, Any]
) -> WebSocketError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class OptionError(WebSocketError, ValueError):
    """An option, an argument or a URL cannot be used. Nothing was sent or changed."""


class ConnectError(WebSocketError):
    """No connection came about. The client is usable: call ``connect()`` again."""


class ResolveError(ConnectError):
    """The host name could not be turned into an address. Check the spelling and the DNS."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        #: True: it is an address that cannot be used here (of the family that was not asked for, or
        #: in a zone that this machine does not have), so trying again changes nothing.
        self.refused = refused


class ConnectTimeout(ConnectError, TimeoutError):
    """``connect_timeout`` ran out. ``phase`` names the step that was under way."""

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message)
        #: One of "dns", "tcp", "proxy", "tls", "upgrade".
        self.phase = phase


class ConnectCancelled(ConnectError):
    """``disconnect()`` (or another ``connect()``) ended the dial before it was done."""


class ProxyError(ConnectError):
    """The proxy cannot be reached or refused the tunnel. ``response`` is its answer, if any."""

    def __init__(
        self, message: str, response: HTTPResponse | None = None, *, refused: bool = False
    ) -> None:
        super().__init__(message)
        #: What an HTTP proxy has answered.
        self.response = response
        #: True: a SOCKS proxy does not accept this client or this target, or what answers is not
        #: such a proxy, so trying again changes nothing. (Of an HTTP proxy's answer, the status
        #: tells that.)
        self.refused = refused


class TLSError(ConnectError):
    """No trusted TLS session: certificate, host name, protocol version or client certificate."""

    def __init__(self, message: str, *, refused: bool = True) -> None:
        super().__init__(message)
        #: True: one side does not accept the other, so trying again changes nothing. False: the
        #: handshake was broken off.
        self.refused = refused


class HandshakeError(ConnectError):
    """The server did not upgrade to WebSocket (RFC 6455 section 4.1).

    ``response`` holds status, headers and (bounded) body of its answer, or is None when the
    answer was not HTTP at all, or broke off.
    """

    def __init__(self, message: str, response: HandshakeResponse | None = None) -> None:
        super().__init__(message)
        self.response = response


class TooManyRedirects(ConnectError):
    """More than ``max_redirects`` redirects, or a circle. ``response`` is the last answer."""

    def __init__(self, message: str, response: HandshakeResponse | None = None) -> None:
        super().__init__(message)
        self.response = response


class ConnectionClosed(WebSocketError):
    """There is no open connection. ``close_info`` says how the last one ended, or is None."""

    def __init__(self, message: str, close_info: CloseInfo | None = None) -> None:
        super().__init__(message)
        self.close_info = close_info


class ProtocolError(WebSocketError):
    """A rule of RFC 6455 was broken, by the peer or by the call that raised this.

    ``close_code`` is the code that the connection is (or would be) failed with.
    """

    def __init__(self, message: str, close_code: int = 1002) -> None:
        super().__init__(message)
        self.close_code = close_code


class MessageTooBig(WebSocketError):
    """A received message is over a limit of this side. The text is the reason of the Close too."""

    close_code = 1009

    def __init__(self, message: str, *, side: str, size: int, limit: int, option: str) -> None:
        super().__init__(message)
        #: Which side's limit it is: "client" or "server".
        self.side = side
        #: Bytes after decompression, or fragments: as far as they were counted, at least so many.
        self.size = size
        #: The most that is accepted.
        self.limit = limit
        #: The option that sets the limit.
        self.option = option


class SendTimeout(WebSocketError, TimeoutError):
    """The peer took no data for ``timeout`` seconds.

    ``accepted`` tells the message's fate: False, nothing of it was sent and it may be sent again;
    True, it is in the write buffer and goes out as soon as the peer reads.
    """

    def __init__(self, message: str, *, accepted: bool) -> None:
        super().__init__(message)
        self.accepted = accepted


class SendBufferFull(WebSocketError):
    """Nothing of the refused message was sent: there is no room, and nothing to wait for.

    A handler sent more than ``write_limit`` while the peer did not read: send from another thread,
    which waits for room, or raise ``write_limit``. Or there is no connection, and ``offline_limit``
    is reached: the text says which.
    """
