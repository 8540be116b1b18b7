"""A stream to an HTTP proxy → a stream through it, by CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from tieline.errors import ConnectCancelled, ConnectTimeout, ProxyError, TLSError
from tieline.headers import HTTPCutShort, HTTPFormatError, HTTPResponse, check_header, status_text
from tieline.hostnames import authority
from tieline.http1 import ClientExchange
from tieline.patterns import pattern
from tieline.redact import MASK, is_secret_header
from tieline.transport.attempt import Attempt
from tieline.transport.exchange import reads_of_answer, send_all
from tieline.transport.proxy import Proxy
from tieline.transport.stream import Stream
from tieline.transport.tls_settings import Peer

#: What an error shows of the body: the proxy's own words, not its whole page.
_EXCERPT = 300
# Markup; what a page's head and scripts hold; controls. Each ends with the text at the latest, so
# that nothing is gone through twice.
_UNREADABLE = pattern(
    r"(?si)<(head|style|script)\b.*?(?:</\1>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)|[\x00-\x1f\x7f-\x9f]",
)


def open_tunnel(stream: Stream, proxy: Proxy, host: str, port: int, attempt: Attempt) -> None:
    """Ask the proxy at the other end of `stream` for a tunnel; from then on the bytes are host's.

    Raises ProxyError with the proxy's response, TLSError, ConnectTimeout or ConnectCancelled; the
    stream is left to the caller, who closes it.
    """
    target = authority(host, port)
    headers = connect_headers(proxy, target)
    exchange = ClientExchange("CONNECT", target, headers)
    with attempt.in_phase("proxy", f"asking the proxy {proxy.name} for a tunnel to {target}"):
        attempt.emit("proxy", proxy=proxy.safe, target=target)
        try:
            send_all(stream, exchange.request_bytes(), attempt)
            response = _receive_response(stream, exchange, attempt)
        except (ConnectTimeout, ConnectCancelled):
            raise
        except HTTPFormatError as error:
            raise ProxyError(
                f"the proxy {proxy.name} did not answer in HTTP: {error}",
                refused=not isinstance(error, HTTPCutShort),
            ) from error
        except OSError as error:
            if (explained := _late_refusal(error, proxy)) is not None:
                raise explained from error
            raise ProxyError(
                f"the connection to the proxy {proxy.name} broke (proxy): {error.strerror or error}"
            ) from error
    attempt.proxy_answer = response.headers
    if not 200 <= response.status < 300:
        raise ProxyError(_refusal(proxy, target, response, headers), response)
    if exchange.trailing_data:
        # The target speaks when it is spoken to, so this can only come from the proxy.
        raise ProxyError(
            f"the proxy {proxy.name} sent {len(exchange.trailing_data)} bytes into the tunnel "
            f"to {target} before anything was asked there",
            refused=True,
        )


def connect_headers(proxy: Proxy, target: str) -> list[tuple[str, str]]:
    """What a CONNECT to `target` says. Raises OptionError."""
    headers = [("Host", target), *proxy.headers]
    for name, value in proxy.headers:
        check_header(name, value)
    given = {name.lower() for name, _ in proxy.headers}
    if proxy.authorization is not None:
        # It was made for this request, so it counts for more than what the user said beforehand.
        headers = [pair for pair in headers if pair[0].lower() != "proxy-authorization"]
        check_header("Proxy-Authorization", proxy.authorization)
        headers.append(("Proxy-Authorization", proxy.authorization))
    elif proxy.username is not None and "proxy-authorization" not in given:
        # RFC 7617 section 2, in the UTF-8 that section 2.1 lets a server ask for.
        pair = f"{proxy.username}:{proxy.password or ''}".encode()
        headers.append(("Proxy-Authorization", "Basic " + base64.b64encode(pair).decode("ascii")))
    return headers


def _receive_response(stream: Stream, exchange: ClientExchange, attempt: Attempt) -> HTTPResponse:
    buffer = memoryview(bytearray(16 * 1024))
    reads = reads_of_answer(stream, buffer, attempt, lambda: exchange.head_complete)
    while exchange.response is None:
        count = next(reads)
        if count is None:
            exchange.finish()
        elif count:
            exchange.receive_data(buffer[:count])
        else:
            exchange.receive_eof()
    return exchange.response


def _refusal(
    proxy: Proxy, target: str, response: HTTPResponse, headers: list[tuple[str, str]]
) -> str:
    answer = shown_status(response, proxy, headers)
    text = f"the proxy {proxy.name} refused a tunnel to {target} (proxy): {answer}"
    if words := _words(response, proxy, headers):
        text += f" ({words!r})"
    if response.status == 407:
        if any(name == "Proxy-Authorization" for name, _ in headers):
            return f"{text}; check the user name and password in the proxy option"
        return f"{text}; give credentials: proxy='{proxy.scheme}://user:password@{proxy.name}'"
    if response.status >= 500:
        return f"{text}; it cannot reach the target now"
    return f"{text}; it may not allow this host or port"


def shown_status(response: HTTPResponse, proxy: Proxy, headers: Iterable[tuple[str, str]]) -> str:
    """The status and reason, for errors, without what the proxy was told in confidence."""
    return _without_secrets(status_text(response), proxy, headers)


def _words(response: HTTPResponse, proxy: Proxy, headers: list[tuple[str, str]]) -> str:
    """The beginning of what the body says, without its markup, or "" if it is no text."""
    kind = response.headers.get("content-type", "text/plain").partition("/")[0].strip().lower()
    if kind != "text" or "content-encoding" in response.headers:
        return ""
    text = _without_secrets(response.body.decode("utf-8", "replace"), proxy, headers)
    words = " ".join(_UNREADABLE.sub(" ", text).split())
    return words if len(words) <= _EXCERPT else words[:_EXCERPT].rpartition(" ")[0] + " ..."


def _without_secrets(text: str, proxy: Proxy, headers: Iterable[tuple[str, str]]) -> str:
    # Some proxies show what they were sent. The longest first: one may be a part of another.
    for secret in sorted(_secrets(proxy, headers), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _secrets(proxy: Proxy, headers: Iterable[tuple[str, str]]) -> set[str]:
    from html import escape  # late: for refusals

    values = [value for name, value in headers if is_secret_header(name)]
    # Also without the scheme: "Basic", "Digest".
    bare = [value.partition(" ")[2] for value in values]
    passwords = [proxy.password or "", *map(_password_in, bare)]
    found = {*values, *bare, *passwords, *map(escape, passwords)}
    return found - {""}


def _password_in(value: str) -> str:
    """What stands behind the user name in the base64 of Basic; "" in anything else."""
    try:
        pair = base64.b64decode(value, validate=True).decode()
    except ValueError:
        return ""
    return pair.partition(":")[2]


def _late_refusal(error: OSError, proxy: Proxy) -> TLSError | None:
    """An https proxy's alert: with TLS 1.3 it judges only now that it was shown no certificate."""
    if proxy.scheme != "https":
        return None
    import ssl

    from tieline.transport.tls_errors import explain_late_refusal

    if not isinstance(error, ssl.SSLError):
        return None
    return explain_late_refusal(error, f"the proxy {proxy.name}", Peer.PROXY)
