"""A TLS session, also one whose verification failed → what it and the peer's certificates say.

For error texts and `info` only: nothing here decides whom to trust. Whatever is in a certificate
that was not trusted was chosen by a stranger.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What one certificate says of itself."""

    subject: str  #: "CN=localhost, O=example"; empty if it has none
    issuer: str
    #: DNS names and IP addresses of the subjectAltName, which alone say for whom it is.
    names: tuple[str, ...]
    not_before: datetime | None  #: None: not readable
    not_after: datetime | None

    @property
    def is_self_signed(self) -> bool:
        """By its names; the signature was OpenSSL's to look at."""
        return self.subject == self.issuer


def peer_certificates(session: ssl.SSLObject) -> tuple[PeerCertificate, ...]:
    """The chain, leaf first, as far as it is known; empty when Python does not tell.

    The public interface hands out certificates of verified sessions only. What lies below it has
    both chains, decoded, from Python 3.10 on; should it go, errors just say less.
    """
    inner = getattr(session, "_sslobj", session)
    for method in ("get_verified_chain", "get_unverified_chain"):
        with suppress(AttributeError, ssl.SSLError, ValueError):
            if found := getattr(inner, method)():
                return tuple(_read(certificate.get_info()) for certificate in found)
    return ()


def certificate_in(path: str) -> PeerCertificate | None:
    """The first certificate of a PEM file; None when Python does not tell.

    The ssl module has its decoder for its own tests only, and no other way to it.
    """
    decode = getattr(getattr(ssl, "_ssl", None), "_test_decode_cert", None)
    if decode is None:
        return None
    try:
        return _read(decode(path))
    except (OSError, ValueError):  # an ssl.SSLError is an OSError
        return None


def _read(info: dict[str, Any]) -> PeerCertificate:
    return PeerCertificate(
        subject=shown_name(info.get("subject", ())),
        issuer=shown_name(info.get("issuer", ())),
        names=tuple(
            value
            for kind, value in info.get("subjectAltName", ())
            if kind in ("DNS", "IP Address") and isinstance(value, str)
        ),
        not_before=_moment(info.get("notBefore")),
        not_after=_moment(info.get("notAfter")),
    )


def shown_name(name: Any) -> str:
    """A distinguished name, as the ssl module gives it, on one line."""
    return ", ".join(f"{key}={value}" for part in name for key, value in part)


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def session_facts(session: ssl.SSLObject) -> dict[str, Any]:
    """What is told of a session, by name."""
    from hashlib import sha256  # for who asks

    cipher = session.cipher()
    certificate = session.getpeercert(binary_form=True) or b""
    # Only a verified certificate is decoded by the ssl module.
    subject: Any = (session.getpeercert() or {}).get("subject", ())
    return {
        "version": session.version(),
        "cipher": cipher[0] if cipher else None,
        "subject": shown_name(subject) or None,
        "fingerprint": sha256(certificate).hexdigest() if certificate else None,
        "alpn": session.selected_alpn_protocol(),
    }
