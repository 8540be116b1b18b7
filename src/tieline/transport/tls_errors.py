"""A failed TLS handshake → a TLSError that says which check failed and what to do."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from tieline.errors import TLSError
from tieline.headers import excerpt
from tieline.transport.peer_certificates import PeerCertificate
from tieline.transport.tls_settings import Peer

# What the texts below name in braces, by whom they are about: only what helps there. Advice that
# changes nothing would leave the user with a server that is not verified any more.
_WORDS = {
    Peer.SERVER: {
        "name": "check the URL's host, or give one of the certificate's names as server_hostname=",
        "sent_name": "check server_hostname",
        "authority": "ssl_ca_path=",
        "or_pin": ", or pin it with ssl_fingerprint= and ssl_verify_cert=False",
        "certificate": "give ssl_cert_path= and ssl_key_path=",
        "strict": "; until then an ssl_context= without VERIFY_X509_STRICT accepts it",
        "plain": "is it ws:// (or http://) that it speaks on this port?",
    },
    Peer.PROXY: {
        "name": "the host of the proxy's URL must be one of the certificate's names "
        "(server_hostname= is for the server only)",
        "sent_name": "check the host of the proxy's URL",
        "authority": "ssl_ca_path= or ssl_ca_data= (in place of the system's store, also for the "
        "server)",
        "or_pin": "",
        "certificate": "a proxy is shown none (ssl_cert_path= is for the server only), so it has "
        "to accept a password, or this address",
        "strict": "",
        "plain": "is it http:// that the proxy's URL should begin with?",
    },
}
_WORDS[Peer.ELSEWHERE] = _WORDS[Peer.SERVER] | {
    "name": "server_hostname= is for the first server only, so connect to that URL itself, if it "
    "is meant",
    "sent_name": "server_hostname= is for the first server only, so connect to that URL itself",
    "or_pin": "",
    "certificate": "ssl_cert_path= is for the first server only, so connect to that URL itself, if "
    "it is meant",
}

_NEEDS_NEW = "{peer} needs a new one"
_NEW_CHAIN = f"{_NEEDS_NEW}, from another authority"

# X509_V_ERR_* of OpenSSL's x509_vfy.h, which the ssl module does not name. Those that depend on
# what the certificate says are below, as functions.
_VERIFICATION = {
    3: "there is no revocation list (CRL) of its issuer, and ssl_context asks for one: load it "
    "with load_verify_locations(), or take VERIFY_CRL_CHECK_... out of verify_flags",
    7: f"a signature in its chain is wrong: {_NEEDS_NEW}, or somebody has changed it on the way",
    12: "the revocation list (CRL) of its issuer, which ssl_context asks for, is out of date: load "
    "a newer one",
    22: f"its chain of issuers is too long: {_NEW_CHAIN}",
    23: f"it is revoked: {_NEEDS_NEW}",
    25: "its chain holds more authorities below one another than one of them allows (path length): "
    + _NEW_CHAIN,
    26: "it is not made for servers (extended key usage without serverAuth): " + _NEEDS_NEW,
    32: f"its issuer may not sign certificates (key usage): {_NEW_CHAIN}",
    34: f"it has a critical extension that OpenSSL does not know: {_NEEDS_NEW}",
    47: f"its issuer may not vouch for this name (name constraints): {_NEW_CHAIN}",
    48: f"its issuer may not vouch for this name (name constraints): {_NEW_CHAIN}",
    66: f"its key is too weak for OpenSSL's security level: {_NEEDS_NEW}",
    67: f"the key of its issuer is too weak for OpenSSL's security level: {_NEW_CHAIN}",
    68: "a signature in its chain uses a digest that is too weak for OpenSSL's security level, as "
    f"MD5 and SHA-1 are: {_NEW_CHAIN}",
    79: f"its issuer is no authority (basic constraints without CA): {_NEW_CHAIN}",
}
# What a strict verification (the default of Python 3.13 and newer) finds on top of that.
_STRICT = range(80, 95)

_WRONG_NAME = {62, 63, 64}  # host name, e-mail, IP address

# The same findings as the systems' own verifiers number them, to whom `truststore` passes
# certificates: HRESULTs of Windows (winerror.h), OSStatus of macOS (SecBase.h).
_OTHER_NUMBERS = {
    0x800B0101: 10,  # CERT_E_EXPIRED
    0x800B0109: 19,  # CERT_E_UNTRUSTEDROOT
    0x800B010A: 20,  # CERT_E_CHAINING
    0x800B010C: 23,  # CERT_E_REVOKED
    0x800B010F: 62,  # CERT_E_CN_NO_MATCH
    0x800B0110: 26,  # CERT_E_WRONG_USAGE
    -67602: 62,  # errSecHostNameMismatch
    -67818: 10,  # errSecCertificateExpired
    -67819: 9,  # errSecCertificateNotValidYet
    -67820: 23,  # errSecCertificateRevoked
    -67843: 20,  # errSecNotTrusted
}

# Reasons of OpenSSL, which are the TLS alerts that the server sent (RFC 8446 section 6).
_ALERTS = {
    "CERTIFICATE_REQUIRED": "{peer} wants a client certificate: {certificate}",
    "UNKNOWN_CA": "{peer} does not trust the client certificate's issuer",
    "BAD_CERTIFICATE": "{peer} refused the client certificate",
    "CERTIFICATE_EXPIRED": "{peer} says that the client certificate has expired",
    "CERTIFICATE_REVOKED": "{peer} says that the client certificate is revoked",
    "CERTIFICATE_UNKNOWN": "{peer} refused the client certificate",
    "UNSUPPORTED_CERTIFICATE": "{peer} refused the client certificate",
    "ACCESS_DENIED": "{peer} knows the client certificate and does not let it in",
    "UNRECOGNIZED_NAME": "{peer} knows no host of this name: {sent_name}",
    "PROTOCOL_VERSION": "{peer} has no TLS version in common with this side (1.2 and newer)",
    "UNSUPPORTED_PROTOCOL": "{peer} has no TLS version in common with this side (1.2 and newer)",
    "HANDSHAKE_FAILURE": "{peer} found no cipher or parameters in common, or wants a client "
    "certificate: {certificate}",
    "DH_KEY_TOO_SMALL": "{peer}'s key exchange is too weak for OpenSSL's security level",
    "NO_APPLICATION_PROTOCOL": "{peer} does not speak HTTP/1.1 (ALPN)",
}
_TLS_RECORDS = range(0x14, 0x18)  # RFC 8446 section 5.1

_PINNED = (
    ". The pin (ssl_fingerprint=) is compared beside this check, not in place of it; with "
    "ssl_verify_cert=False it is what decides"
)

#: Names of a certificate that an error shows: some have hundreds.
_NAMES_SHOWN = 5


def explain_handshake_failure(
    error: OSError,
    name: str,
    hostname: str,
    first_bytes: bytes,
    chain: Sequence[PeerCertificate] = (),
    now: datetime | None = None,
    peer: Peer = Peer.SERVER,
    is_pinned: bool = False,
) -> TLSError:
    """`first_bytes` are the first that came from the peer, empty if none did.

    `chain` is what the peer has shown, leaf first, if that is known; `now` is this machine's time.
    `peer`: whom the advice is about. `is_pinned`: a certificate was to be compared, too.
    """
    reason = _reason(error, hostname, first_bytes, chain, now or datetime.now(UTC), peer)
    if is_pinned and peer is Peer.SERVER and isinstance(error, ssl.SSLCertVerificationError):
        reason += _PINNED
    return TLSError(
        f"TLS with {name} failed (tls): {reason}", refused=_is_refusal(error, first_bytes)
    )


def explain_late_refusal(error: ssl.SSLError, name: str, peer: Peer = Peer.SERVER) -> TLSError:
    """An alert after the handshake: with TLS 1.3 a client certificate is judged only then."""
    reason = _reason(error, name, b"", (), datetime.now(UTC), peer)
    return TLSError(f"TLS with {name} failed (tls): {reason}", refused=_is_refusal(error, b""))


def _is_refusal(error: OSError, first_bytes: bytes) -> bool:
    """False when the peer broke off, which a server that restarts does too."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    if first_bytes and first_bytes[0] not in _TLS_RECORDS:
        return True
    # A peer's alert that is not known here, such as INTERNAL_ERROR, may pass.
    return isinstance(error, ssl.SSLError) and _openssl_reason(error).endswith(tuple(_ALERTS))


def _openssl_reason(error: ssl.SSLError) -> str:
    """OpenSSL's name for it; of the newer alerts Python knows the words only."""
    if reason := getattr(error, "reason", None):
        return str(reason)
    words = str(error.args[-1] if error.args else error).partition("] ")[2].partition(" (")[0]
    return words.upper().replace(" ", "_")


def _reason(
    error: OSError,
    hostname: str,
    first_bytes: bytes,
    chain: Sequence[PeerCertificate],
    now: datetime,
    peer: Peer,
) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, hostname, chain, now, peer)
    if first_bytes and first_bytes[0] not in _TLS_RECORDS:
        return (
            f"{peer.value} did not answer with TLS but with {first_bytes[:32]!r}; "
            + _WORDS[peer]["plain"]
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return f"{peer.value} closed the connection during the handshake; is this a TLS port?"
    if isinstance(error, ssl.SSLError):
        reason = _openssl_reason(error) or str(error)
        for alert, meaning in _ALERTS.items():
            if reason.endswith(alert):
                return f"{_told(meaning, peer)} [{reason}]"
        return reason
    said = error.strerror or str(error)
    # Others are this machine's, such as too many open files.
    return f"{said}; is this a TLS port?" if isinstance(error, ConnectionError) else said


def _told(text: str, peer: Peer) -> str:
    """`text` is one of ours: a stranger's would be taken for a pattern."""
    return text.format(peer=peer.value, **_WORDS[peer])


def _distrust(
    error: ssl.SSLCertVerificationError,
    hostname: str,
    chain: Sequence[PeerCertificate],
    now: datetime,
    peer: Peer,
) -> str:
    words = _WORDS[peer]
    # Who verifies with something else than OpenSSL may not set them.
    number = getattr(error, "verify_code", None) or 0
    code = _OTHER_NUMBERS.get(number, number)
    leaf = chain[0] if chain else None
    if code in _WRONG_NAME:
        return f"the certificate is for {_names(leaf)}, not for {hostname!r}: {words['name']}"
    if code in (9, 10):
        fault = _wrong_time(chain, now, peer, is_early=code == 9)
    elif code == 18:
        fault = f"it is self-signed: give it as {words['authority']}{words['or_pin']}"
    elif code == 19:
        root = f" {excerpt(chain[-1].issuer)}," if chain else ""
        fault = (
            f"its chain ends in an authority,{root} that is not trusted: give it as "
            + words["authority"]
        )
    elif code in (2, 20, 21, 27):
        issuer = f", {excerpt(chain[-1].issuer)}," if chain else ""
        fault = (
            f"its issuer{issuer} is not known: give the authority as {words['authority']}, or let "
            f"{peer.value} send its intermediate certificates"
        )
    else:
        said = getattr(error, "verify_message", None) or error.args[-1]
        fault = excerpt(str(said)).strip("'\"")
        if code in _VERIFICATION:
            fault = _told(_VERIFICATION[code], peer)
        if code in _STRICT:
            fault += (
                " (RFC 5280, which Python takes strictly from 3.13 on): "
                + _told(_NEEDS_NEW, peer)
                + words["strict"]
            )
    return f"the certificate for {hostname!r} is not trusted: {fault}"


def _names(leaf: PeerCertificate | None) -> str:
    if leaf is None:
        return "another name"
    if not leaf.names:
        # OpenSSL then takes the common name, as it was done long ago.
        return f"{excerpt(leaf.subject)} (it has no subjectAltName)"
    more = len(leaf.names) - _NAMES_SHOWN
    return _listed(leaf.names[:_NAMES_SHOWN]) + (f" and {more} more names" if more > 0 else "")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(excerpt, names))


def _wrong_time(chain: Sequence[PeerCertificate], now: datetime, peer: Peer, is_early: bool) -> str:
    needs_new = _told(_NEEDS_NEW, peer)
    clock = f"this machine's clock says {_shown(now)}"
    for depth, certificate in enumerate(chain):
        moment = certificate.not_before if is_early else certificate.not_after
        if moment is None or (moment <= now if is_early else moment >= now):
            continue
        what = "it" if depth == 0 else f"its issuer {excerpt(certificate.subject)}"
        distance = _span(moment - now if is_early else now - moment)
        if is_early:
            return (
                f"{what} is not valid yet, only from {_shown(moment)} ({distance} from now): "
                f"{clock}"
            )
        return (
            f"{what} has expired on {_shown(moment)} ({distance} ago): {needs_new}, unless the "
            f"time is wrong: {clock}"
        )
    if is_early:
        return f"it is not valid yet: {clock}"
    return f"it has expired: {needs_new}, unless the time is wrong: {clock}"


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _span(distance: timedelta) -> str:
    """Two days, say: enough to tell a wrong year from a lapse."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := int(distance.total_seconds() // seconds)) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
