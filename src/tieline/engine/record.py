"""What becomes known of the way to one connection → the dictionary that users are promised."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tieline.headers import HTTPResponse, printable
from tieline.protocol.handshake import KEY, HandshakeResponse, UpgradeRequest
from tieline.redact import safe_headers, safe_url
from tieline.transport.attempt import Attempt

if TYPE_CHECKING:
    from tieline.auth import Challenge


@lru_cache(maxsize=64)
def _shared(phases: tuple[str, ...]) -> tuple[str, ...]:
    """The first one that was equal to it, for all whose dials went the same way."""
    return phases


class Record:
    """One dial. Written by the thread that dials; `fill` is for any thread, and masks secrets.

    Each open connection keeps one, so what can be derived is derived when somebody asks.
    """

    __slots__ = (
        "_asked",
        "_key",
        "_phases",
        "answer",
        "local",
        "logins",
        "peer",
        "proxy",
        "redirects",
        "timings",
        "tls",
        "url",
    )

    def __init__(self) -> None:
        #: What was dialled first, secrets included; empty while that is not known.
        self.url = ""
        #: Where the server has sent us, in order; None before the dial.
        self.redirects: Sequence[str] | None = None
        #: The challenges that were answered on the way.
        self.logins: Sequence[dict[str, str | None]] = ()
        # What was asked last: connections to the same place share it, but for the key.
        self._asked: UpgradeRequest | None = None
        self._key = ""
        #: The last answer to the upgrade request.
        self.answer: HTTPResponse | HandshakeResponse | None = None
        self.peer: Any = None
        self.local: Any = None
        self.proxy: str | None = None
        self.tls: dict[str, Any] | None = None
        #: Seconds per phase; shared with the attempt, which adds "total" at its end. Once the dial
        #: is over, the seconds of `_phases`: a dictionary takes as much as the rest of this.
        self.timings: dict[str, float] | tuple[float, ...] = {}
        self._phases: tuple[str, ...] = ()

    def take(self, attempt: Attempt) -> None:
        """What the attempt knows of the way, as far as it came."""
        self.proxy, self.tls = attempt.proxy, attempt.tls
        self.peer, self.local = attempt.peer, attempt.local
        self.timings = attempt.timings

    def settle(self) -> None:
        """The dial is over: what is known takes no more room than it must."""
        timings = self.timings
        # On a loop the thread that dials may not be done with it.
        if isinstance(timings, dict) and "total" in timings:
            self._phases = _shared(tuple(timings))
            self.redirects = None if self.redirects is None else tuple(self.redirects)
            self.logins = tuple(self.logins)
            self.timings = tuple(timings.values())  # last: another thread may `fill` meanwhile

    def fill(self, info: dict[str, Any]) -> None:
        """Put all that is known into a user's dictionary."""
        if self.url:
            info["url"] = safe_url(self.url)
        if self.redirects is None:
            return
        info["redirects"] = list(self.redirects)
        info["authentication"] = list(self.logins)
        info["proxy"] = self.proxy
        info["peer"] = self.peer
        info["local"] = self.local
        info["tls"] = self.tls
        timings = self.timings  # looked at once: see `settle`
        if isinstance(timings, tuple):
            timings = dict(zip(self._phases, timings, strict=True))
        info["timings"] = timings
        if self._asked is not None:
            info["request-uri"] = f"GET {self._asked.masked[0]} HTTP/1.1"
            info["request-headers"] = dict(self.request_headers)
        if self.answer is not None:
            answer = self.answer
            line = f"HTTP/{answer.http_version} {answer.status} {printable(answer.reason)}"
            info["response-uri"] = line.rstrip()
            info["response-code"] = answer.status
            pairs = safe_headers(answer.headers.raw)
            info["response-headers"] = {name.lower(): value for name, value in pairs}

    def logged_in(self, url: str, challenge: Challenge) -> None:
        """A challenge is about to be answered."""
        login = {"url": url, "scheme": challenge.scheme, "realm": challenge.realm}
        self.logins = (*self.logins, login)

    def asked(self, request: UpgradeRequest, key: str) -> None:
        """The upgrade request is about to be sent."""
        self._asked, self._key = request, key

    @property
    def request_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of the last upgrade request."""
        headers = () if self._asked is None else self._asked.masked[1]
        return tuple((name, self._key if name == KEY else value) for name, value in headers)
