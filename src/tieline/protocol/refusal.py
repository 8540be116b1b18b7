"""An answer that is not 101 → what was expected, what came, and what that usually means."""

from __future__ import annotations

from tieline.headers import HTTPResponse, excerpt, status_text
from tieline.patterns import pattern
from tieline.redact import safe_url

#: What servers (nginx, Apache, Go, Node) say to plain HTTP on a port for TLS.
_WANTS_TLS = pattern(
    rb"(?i)plain HTTP request was sent to HTTPS|plain HTTP to an SSL|to an HTTPS s"
)

_MEANINGS = {
    403: "the server may want credentials, or another Origin (origin=)",
    404: "check the path",
    407: "a proxy on the way wants credentials",
    410: "check the path",
    502: "a gateway in front of the server cannot reach it",
    504: "a gateway in front of the server cannot reach it",
}


def explain_status(response: HTTPResponse) -> str:
    """For an error; what it shows of the peer's text is short and holds no secret value."""
    hint = _hint(response)
    text = f"expected status 101, got {status_text(response)}"
    return f"{text}; {hint}" if hint else text


def _hint(response: HTTPResponse) -> str | None:
    headers, status = response.headers, response.status
    if status == 200:
        if _is_page(response):
            return (
                "it is a web page: maybe the login page of a network (captive portal) or proxy, or "
                "the path is not that of a WebSocket"
            )
        return "the server took it for an ordinary request: check the path"
    if 300 <= status < 400 and status != 304:  # whose Location leads nowhere (RFC 9110 15.4.5)
        # Who follows redirects says it when there is nowhere to go.
        places = headers.get_all("location")
        return f"it redirects to {excerpt(safe_url(places[0]))}" if places else None
    if status == 400 and _WANTS_TLS.search(response.body[:4096]):
        return "the port expects TLS: use wss://"
    if status == 426:
        # RFC 6455 section 4.4: which versions the server has.
        if versions := headers.get("sec-websocket-version"):
            return f"the server speaks version {excerpt(versions)} of WebSocket, this is version 13"
        upgrade = headers.get("upgrade")
        if upgrade and upgrade.lower() != "websocket":
            return f"the server wants an upgrade to {excerpt(upgrade)}"
    if status in (429, 503) and (wait := headers.get("retry-after")):
        return f"the server asks to wait (Retry-After: {excerpt(wait)})"
    return _MEANINGS.get(status)


def _is_page(response: HTTPResponse) -> bool:
    kind = response.headers.get("content-type", "").lower()
    return "html" in kind or response.body.lstrip()[:1] == b"<"
