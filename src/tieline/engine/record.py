# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What becomes known of the way to one connection → the dictionary that users are promised."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Any

from tieline.headers import HTTPResponse, printable
from tieline.protocol.handshake import KEY, HandshakeResponse, Masked, UpgradeRequest
from tieline.redact import MASK, safe_headers, safe_url
from tieline.transport.attempt import Attempt
from tieline.transport.timings import Timings

if TYPE_CHECKING:
    from tieline.auth import Challenge


class Record:
    """One dial. Written by the thread that dials until that is over; then any may `fill` from it.

    Masks secrets. Each open connection keeps one: so what can be derived is derived when somebody
    asks, and what few have takes room only there.
    """

    def __init__(self) -> None:
        #: What was dialled first, secrets included; empty while that is not known.
        self.url = ""
        # What was asked last. Connections to the same place share it, but for the key.
        self._asked: UpgradeRequest | Masked | None = None
        self._is_shared = False
        # As the bytes that it stands for: they take less room.
        self._key = b""
        #: The last answer to the upgrade request.
        self.answer: HTTPResponse | HandshakeResponse | None = None
        #: The far end, which connections to the same place share, too.
        self.peer: Any = None
        # The near end: its host and port; or all of it, and 0, when it consists of other things.
        self._near: Any = None
        self._near_port = 0
        # Seconds per phase, shared with the attempt; None before the dial.
        self._spent: Timings | None = None
        # What else there is to tell, by its name for users.
        self._further: dict[str, Any] | None = None

    @property
    def local(self) -> Any:
        """The near end."""
        return (self._near, self._near_port) if self._near_port else self._near

    def begin(self, attempt: Attempt) -> None:
        """The dial begins."""
        self._spent = attempt.spent

    def end(self, attempt: Attempt) -> None:
        """What the attempt knows of the way, as far as it came; nothing more will be asked."""
        self.peer, local = attempt.peer, attempt.local
        if _is_host_and_port(local):
            self._near, self._near_port = local
        else:
            self._near, self._near_port = local, 0
        if attempt.proxy is not None or attempt.tls is not None:
            self.add(proxy=attempt.proxy, tls=attempt.tls)
        if isinstance(self._asked, UpgradeRequest) and not self._is_shared:
            # What was said of who we are may be known to nobody else, and is not needed any more.
            self._asked = self._asked.masked

    def add(self, **known: Any) -> None:
        """What few dials have to tell: "redirects", "authentication", "proxy", "tls"."""
        self._further = known if self._further is None else self._further | known

    def fill(self, info: dict[str, Any]) -> None:
        """Put all that is known into a user's dictionary."""
        if self.url:
            info["url"] = safe_url(self.url)
        if self._spent is None:
            return
        further = self._further or {}
        info["redirects"] = list(further.get("redirects", ()))
        info["authentication"] = list(further.get("authentication", ()))
        info["proxy"] = further.get("proxy")
        info["peer"] = self.peer
        info["local"] = self.local
        info["tls"] = further.get("tls")
        info["timings"] = self._spent.known()
        if self._asked is not None:
            info["request-uri"] = f"GET {self._masked[0]} HTTP/1.1"
            info["request-headers"] = _joined(self.request_headers)
        if self.answer is not None:
            answer = self.answer
            line = f"HTTP/{answer.http_version} {answer.status} {printable(answer.reason)}"
            info["response-uri"] = line.rstrip()
            info["response-code"] = answer.status
            pairs = safe_headers(answer.headers.raw)
            info["response-headers"] = _joined([(name.lower(), value) for name, value in pairs])

    def logged_in(self, url: str, challenge: Challenge) -> None:
        """A challenge is about to be answered."""
        login = {"url": url, "scheme": challenge.scheme, "realm": challenge.realm}
        before = () if self._further is None else self._further.get("authentication", ())
        self.add(authentication=(*before, login))

    def asked(self, request: UpgradeRequest, key: str, is_shared: bool) -> None:
        """The upgrade request is about to be sent. `is_shared`: others keep it for good, too."""
        self._asked, self._key, self._is_shared = request, a2b_base64(key), is_shared

    @property
    def request_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of the last upgrade request."""
        headers = () if self._asked is None else self._masked[1]
        key = b2a_base64(self._key, newline=False).decode()
        return tuple((name, key if name == KEY else value) for name, value in headers)

    @property
    def _masked(self) -> Masked:
        asked = self._asked
        assert asked is not None
        return asked.masked if isinstance(asked, UpgradeRequest) else asked


def _joined(pairs: Any) -> dict[str, str]:
    """Every name once, as it was written first, its values joined (RFC 9110 section 5.3)."""
    names: dict[str, str] = {}
    joined: dict[str, str] = {}
    for name, value in pairs:
        known = names.setdefault(name.lower(), name)
        if known not in joined or value == MASK:
            joined[known] = value
        else:
            joined[known] += f", {value}"
    return joined


def _is_host_and_port(address: Any) -> bool:
    if not isinstance(address, tuple) or len(address) != 2 or not isinstance(address[1], int):
        return False
    return 0 < address[1] < 2**16  # other families have larger numbers
