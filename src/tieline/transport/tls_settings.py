"""What users say about TLS → checked settings; loads no TLS, which many programs never use."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tieline.errors import OptionError
from tieline.patterns import pattern

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


_SHA_256 = pattern("[0-9a-f]{64}")


class Peer(Enum):
    """Whom TLS is set up with, which decides what of the options counts; and its name in errors."""

    SERVER = "the server"
    #: Gets no client certificate, pin and name, and is always verified, as `trust_only` says.
    PROXY = "the proxy"
    #: Of another origin than the one that the user has named: client certificate and name are not
    #: for it.
    ELSEWHERE = "the server that a redirect leads to"


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """What to trust and what to show. The names are those of the options, less `ssl_`.

    `*_path` are files in PEM format (`ca_path` may be a directory), `*_data` the content itself:
    PEM as str or bytes, or DER as bytes. A CA replaces the system's. `fingerprint` is the SHA-256
    of the server's certificate, or several of which it must have one: an additional condition; with
    `verify_cert` False the only one.
    """

    context: ssl.SSLContext | None = None
    verify_cert: bool = True
    ca_path: str | Path | None = None
    ca_data: str | bytes | None = field(default=None, repr=False)
    cert_path: str | Path | None = None
    cert_data: str | bytes | None = field(default=None, repr=False)
    key_path: str | Path | None = None
    key_data: str | bytes | None = field(default=None, repr=False)
    key_password: str | bytes | None = field(default=None, repr=False)
    server_hostname: str | None = None
    fingerprint: str | tuple[str, ...] | None = None
    #: For the advice of errors only.
    peer: Peer = field(default=Peer.SERVER, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.fingerprint is not None:
            pins = self.fingerprint
            normalised = (
                tuple(map(normalised_fingerprint, pins))
                if isinstance(pins, tuple)
                else normalised_fingerprint(pins)
            )
            object.__setattr__(self, "fingerprint", normalised)

    @property
    def trust_only(self) -> TLSSettings:
        """The same trust, without client certificate, pin and name: for a proxy on the way."""
        if self.context is not None:
            return TLSSettings(peer=Peer.PROXY)
        return TLSSettings(ca_path=self.ca_path, ca_data=self.ca_data, peer=Peer.PROXY)


def normalised_fingerprint(text: object) -> str:
    """Hex digits in lower case, of a SHA-256 written with or without colons. OptionError if not."""
    digits = text.replace(":", "").replace(" ", "").lower() if isinstance(text, str) else ""
    if not _SHA_256.fullmatch(digits):
        raise OptionError(
            "ssl_fingerprint: expected the 64 hex digits of a SHA-256, with or without colons, "
            f"got {text!r}"
        )
    return digits
