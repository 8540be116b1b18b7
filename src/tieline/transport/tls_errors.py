"""A failed TLS handshake → a TLSError that says which check failed and what to do."""

from __future__ import annotations

import ssl

from tieline.errors import TLSError

# X509_V_ERR_* of OpenSSL's x509_vfy.h, which the ssl module does not name.
_VERIFICATION = {
    9: "it is not valid yet: check this machine's clock",
    10: "it has expired: the server needs a new one, unless this machine's clock is wrong",
    18: "it is self-signed: give it as ssl_ca_path=, or pin it with ssl_fingerprint= and "
    "ssl_verify_cert=False",
    19: "its chain ends in an authority that is not trusted: give that one as ssl_ca_path=",
    20: "its issuer is not known: give the authority as ssl_ca_path=, or let the server send "
    "its intermediate certificates",
    21: "its issuer is not known: give the authority as ssl_ca_path=, or let the server send "
    "its intermediate certificates",
    23: "it is revoked",
}
_WRONG_NAME = {62, 63, 64}  # host name, e-mail, IP address

# Reasons of OpenSSL, which are the TLS alerts that the server sent (RFC 8446 section 6).
_ALERTS = {
    "CERTIFICATE_REQUIRED": "the server wants a client certificate: give ssl_cert_path= and "
    "ssl_key_path=",
    "UNKNOWN_CA": "the server does not trust the client certificate's issuer",
    "BAD_CERTIFICATE": "the server refused the client certificate",
    "CERTIFICATE_EXPIRED": "the server says that the client certificate has expired",
    "CERTIFICATE_UNKNOWN": "the server refused the client certificate",
    "UNSUPPORTED_CERTIFICATE": "the server refused the client certificate",
    "UNRECOGNIZED_NAME": "the server knows no host of this name: check server_hostname",
    "PROTOCOL_VERSION": "the server has no TLS version in common with this side (1.2 and newer)",
    "UNSUPPORTED_PROTOCOL": "the server has no TLS version in common with this side "
    "(1.2 and newer)",
    "HANDSHAKE_FAILURE": "the server found no cipher or parameters in common, or wants a client "
    "certificate (ssl_cert_path=)",
    "NO_APPLICATION_PROTOCOL": "the server does not speak HTTP/1.1 (ALPN)",
}
_TLS_RECORDS = range(0x14, 0x18)  # RFC 8446 section 5.1


def explain_handshake_failure(
    error: OSError, name: str, hostname: str, first_bytes: bytes
) -> TLSError:
    """`first_bytes` are the first that came from the peer, empty if none did."""
    reason = _reason(error, hostname, first_bytes)
    return TLSError(
        f"TLS with {name} failed (tls): {reason}", refused=_is_refusal(error, first_bytes)
    )


def explain_late_refusal(error: ssl.SSLError, name: str) -> TLSError:
    """An alert after the handshake: with TLS 1.3 a client certificate is judged only then."""
    reason = _reason(error, name, b"")
    return TLSError(f"TLS with {name} failed (tls): {reason}", refused=_is_refusal(error, b""))


def _is_refusal(error: OSError, first_bytes: bytes) -> bool:
    """False when the peer broke off, which a server that restarts does too."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    if first_bytes and first_bytes[0] not in _TLS_RECORDS:
        return True
    # A peer's alert that is not known here, such as INTERNAL_ERROR, may pass.
    return isinstance(error, ssl.SSLError) and (getattr(error, "reason", None) or "").endswith(
        tuple(_ALERTS)
    )


def _reason(error: OSError, hostname: str, first_bytes: bytes) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_NAME:
            return (
                f"the certificate is for another name, not for {hostname!r}: check the URL's "
                "host, or give the certificate's name as server_hostname="
            )
        fault = _VERIFICATION.get(error.verify_code, error.verify_message)
        return f"the certificate for {hostname!r} is not trusted: {fault}"
    if first_bytes and first_bytes[0] not in _TLS_RECORDS:
        return (
            f"the server did not answer with TLS but with {first_bytes[:32]!r}; "
            "is it ws:// (or http://) that it speaks on this port?"
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "the server closed the connection during the handshake; is this a TLS port?"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
        for alert, meaning in _ALERTS.items():
            if reason.endswith(alert):
                return f"{meaning} [{reason}]"
        return reason
    return f"{error.strerror or error}; is this a TLS port?"
