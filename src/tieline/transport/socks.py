"""A stream to a SOCKS proxy → a stream through it: SOCKS 4, 4a and 5 (RFC 1928, RFC 1929).

The bytes are those of `socksio`, which does no I/O: every wait is the attempt's. Replies are read
to their last byte and not beyond it, because what follows is the target's.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from tieline.errors import ConnectCancelled, ConnectTimeout, OptionError, ProxyError
from tieline.hostnames import authority
from tieline.transport.attempt import Attempt
from tieline.transport.exchange import receive, send_all
from tieline.transport.proxy import Proxy
from tieline.transport.stream import Stream

if TYPE_CHECKING:
    from socksio import SOCKS4ARequest, SOCKS4Request

_SOCKS4_REPLIES = {
    0x5B: "request rejected or failed",
    0x5C: "no identd answers on this machine, and the proxy wants one",
    0x5D: "identd on this machine gives another user id than the proxy's URL",
}

# RFC 1928 section 6.
_SOCKS5_REPLIES = {
    0x01: "general failure of the proxy",
    0x02: "connection not allowed by ruleset",
    0x03: "network unreachable",
    0x04: "host unreachable",
    0x05: "connection refused",
    0x06: "TTL expired",
    0x07: "command not supported",
    0x08: "address type not supported",
}

# The others may have to do with the moment, or with one of the target's addresses.
_FINAL_SOCKS4 = {0x5C, 0x5D}
_FINAL_SOCKS5 = {0x02, 0x07, 0x08}

_ANONYMOUS, _WITH_PASSWORD, _NONE_ACCEPTABLE = 0x00, 0x02, 0xFF
#: Bytes of an address by its type, less the two of the port; a name has its length before it.
_ADDRESS_SIZES = {0x01: 4, 0x04: 16}
_NAME = 0x03


class Refusal(NamedTuple):
    """What a proxy says of a tunnel that it does not make."""

    words: str
    #: Would it say so again?
    is_final: bool


def require_library(proxy: Proxy) -> None:
    """Raises OptionError, with what to do, where `socksio` is not installed."""
    try:
        import socksio  # noqa: F401 - few need it, so it is an extra
    except ImportError as error:
        raise OptionError(
            f"proxy {proxy.safe!r}: SOCKS needs the package socksio: pip install 'tieline[socks]'"
        ) from error


def open_tunnel(
    stream: Stream, proxy: Proxy, host: str, port: int, attempt: Attempt
) -> Refusal | None:
    """Ask the proxy at the other end of `stream` for a tunnel; from then on the bytes are host's.

    None: it is there. Otherwise the proxy has said why it cannot be; another address of the target
    may do, over another stream. Raises ProxyError for all else that the proxy does,
    ConnectTimeout or ConnectCancelled; the stream is left to the caller, who closes it.
    """
    from socksio import SOCKSError

    target = authority(host, port)
    ask = _ask_socks4 if proxy.scheme.startswith("socks4") else _ask_socks5
    doing = f"asking the {proxy.scheme} proxy {proxy.name} for a tunnel to {target}"
    with attempt.in_phase("proxy", doing):
        attempt.emit("proxy", proxy=proxy.safe, target=target)
        try:
            return ask(_Talk(stream, proxy, target, attempt), host, port)
        except (ConnectTimeout, ConnectCancelled):
            raise
        except SOCKSError as error:
            raise ProxyError(
                f"the proxy {proxy.name} did not answer as a {proxy.scheme} proxy does: {error}",
                refused=True,
            ) from error
        except OSError as error:
            raise ProxyError(
                f"the connection to the proxy {proxy.name} broke (proxy): {error.strerror or error}"
            ) from error


class _Talk:
    """The conversation with the proxy."""

    def __init__(self, stream: Stream, proxy: Proxy, target: str, attempt: Attempt) -> None:
        self.proxy = proxy
        self.target = target
        self._stream = stream
        self._attempt = attempt

    def send(self, data: bytes) -> None:
        send_all(self._stream, data, self._attempt)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        buffer = bytearray(count)
        have = 0
        while have < count:
            got = receive(self._stream, memoryview(buffer)[have:], self._attempt)
            if not got:
                raise ProxyError(
                    f"the proxy {self.proxy.name} closed the connection instead of answering "
                    f"(proxy); check that it is a {self.proxy.scheme} proxy, and that it lets this "
                    "machine in"
                )
            have += got
        return bytes(buffer)

    def read_answer(self, count: int, version: int) -> bytes:
        """So many bytes, of which the first one tells that the proxy speaks this protocol."""
        answer = self.read(count)
        if answer[0] != version:
            hint = ""
            if answer[:2] == b"HT":
                hint = "; that is HTTP: give the proxy as http://"
            elif answer[0] in (0x15, 0x16):
                hint = "; that is TLS, which SOCKS does not use"
            raise ProxyError(
                f"the proxy {self.proxy.name} did not answer as a {self.proxy.scheme} proxy does: "
                f"it began with {answer!r}{hint}",
                refused=True,
            )
        return answer


def _ask_socks4(talk: _Talk, host: str, port: int) -> Refusal | None:
    from socksio import SOCKS4Connection

    user_id = (talk.proxy.username or "").encode()
    connection = SOCKS4Connection(user_id)
    connection.send(_socks4_request(talk.proxy, host, port, user_id))
    talk.send(connection.data_to_send())
    reply = talk.read_answer(8, 0x00)
    code = reply[1]
    if code != 0x5A:
        return Refusal(_named(_SOCKS4_REPLIES, code), code in _FINAL_SOCKS4)
    connection.receive_data(reply)
    return None


def _socks4_request(
    proxy: Proxy, host: str, port: int, user_id: bytes
) -> SOCKS4Request | SOCKS4ARequest:
    from socksio import SOCKS4ARequest, SOCKS4Command, SOCKS4Request

    if ":" in host:
        raise ProxyError(
            f"the proxy {proxy.name} cannot be asked for [{host}]:{port}: SOCKS4 knows IPv4 "
            "addresses only; use a socks5:// or http:// proxy",
            refused=True,
        )
    connect = SOCKS4Command.CONNECT
    # A name always goes as SOCKS4a: plain SOCKS4 gets here with addresses only.
    try:
        address = socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return SOCKS4ARequest(connect, port, host.encode("ascii"), user_id)
    return SOCKS4Request(connect, port, address, user_id)


def _ask_socks5(talk: _Talk, host: str, port: int) -> Refusal | None:
    from socksio import SOCKS5Command, SOCKS5CommandRequest, SOCKS5Connection

    connection = SOCKS5Connection()
    _authenticate(talk, connection)
    connection.send(SOCKS5CommandRequest.from_address(SOCKS5Command.CONNECT, (host, port)))
    talk.send(connection.data_to_send())
    reply = talk.read_answer(4, 0x05)
    if reply[1]:
        # Some proxies close the connection now, without the address that should follow.
        return Refusal(_named(_SOCKS5_REPLIES, reply[1]), reply[1] in _FINAL_SOCKS5)
    kind = reply[3]
    if kind == _NAME:
        length = talk.read(1)
        reply += length + talk.read(length[0] + 2)
    else:
        reply += talk.read(_ADDRESS_SIZES.get(kind, 0) + 2)
    connection.receive_data(reply)
    return None


def _authenticate(talk: _Talk, connection: Any) -> None:
    from socksio import SOCKS5AuthMethod, SOCKS5AuthMethodsRequest, SOCKS5UsernamePasswordRequest

    proxy = talk.proxy
    has_credentials = proxy.username is not None
    offered = [SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    if has_credentials:
        offered.append(SOCKS5AuthMethod.USERNAME_PASSWORD)
    connection.send(SOCKS5AuthMethodsRequest(offered))
    talk.send(connection.data_to_send())
    answer = talk.read_answer(2, 0x05)
    method = answer[1]
    if method == _NONE_ACCEPTABLE or (method == _WITH_PASSWORD and not has_credentials):
        if has_credentials:
            advice = "it takes neither a user name with password nor clients without"
        else:
            advice = f"give credentials: proxy='{proxy.scheme}://user:password@{proxy.name}'"
        raise ProxyError(
            f"the proxy {proxy.name} wants authentication (proxy); {advice}", refused=True
        )
    if method not in (_ANONYMOUS, _WITH_PASSWORD):
        raise ProxyError(
            f"the proxy {proxy.name} chose the authentication method {method:#04x} (proxy), which "
            "was not offered",
            refused=True,
        )
    connection.receive_data(answer)
    if method == _WITH_PASSWORD:
        username, password = (proxy.username or "").encode(), (proxy.password or "").encode()
        connection.send(SOCKS5UsernamePasswordRequest(username, password))
        talk.send(connection.data_to_send())
        # RFC 1929 has version 1 here; proxies that send SOCKS's 5 mean the same.
        status = talk.read(2)[1]
        if status:
            raise ProxyError(
                f"the proxy {proxy.name} refused the user name and password (proxy): status "
                f"{status}; check them in the proxy option",
                refused=True,
            )
        connection.receive_data(b"\x01\x00")


def _named(replies: dict[int, str], code: int) -> str:
    return replies.get(code) or f"reply {code:#04x}, which means nothing"
