"""TLS options → an `ssl.SSLContext`; a stream and a context → a `TLSStream` with a trusted peer."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

from tieline.errors import ConnectCancelled, ConnectTimeout, OptionError, TLSError
from tieline.headers import excerpt
from tieline.transport.attempt import Attempt
from tieline.transport.certificates import load_client_certificate, load_trust
from tieline.transport.peer_certificates import PeerCertificate
from tieline.transport.stream import Stream
from tieline.transport.tls_errors import explain_handshake_failure
from tieline.transport.tls_settings import Peer, TLSSettings
from tieline.transport.tls_stream import TLSStream
from tieline.transport.trust import log_keys, system_context, trust_key


def build_context(settings: TLSSettings) -> ssl.SSLContext:
    """The context for these settings. A given one is used as it is. Raises OptionError.

    Reads files, so it may fail later with settings that worked before; it never waits for input.
    """
    if settings.context is not None:
        _check_context(settings)
        return settings.context
    if settings in _ORDINARY:
        return _ordinary_context(settings, trust_key())
    return _new_context(settings)


#: The name in RFC 7301 of what a WebSocket over TLS begins with.
HTTP_1 = "http/1.1"

#: That a peer may send before the handshake is done. OpenSSL takes certificates up to 100 KB.
_MOST_BYTES = 1024 * 1024

#: What has no secrets and no files but the system's.
_ORDINARY = frozenset({TLSSettings(), TLSSettings(verify_cert=False)})


@lru_cache(maxsize=4)
def _ordinary_context(settings: TLSSettings, trust: object) -> ssl.SSLContext:
    # Loading the system's authorities takes tens of milliseconds, and a server that restarts may
    # be dialled again by thousands of clients at once.
    return _new_context(settings)


def _new_context(settings: TLSSettings) -> ssl.SSLContext:
    if settings.ca_path is not None and settings.ca_data is not None:
        raise OptionError("ssl_ca_path and ssl_ca_data exclude each other: give one of them")
    own_trust = settings.ca_path is not None or settings.ca_data is not None
    if own_trust or not settings.verify_cert:
        # The system's authorities are not loaded where nobody asks them.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Whoever is given as trusted is, also an intermediate authority.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        log_keys(context)
    else:
        context = system_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation (TLS 1.2) has no use here, and lets a write depend on a read.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([HTTP_1])
    if own_trust:
        load_trust(context, settings.ca_path, settings.ca_data)
    if not settings.verify_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    load_client_certificate(
        context,
        cert=(settings.cert_path, settings.cert_data),
        key=(settings.key_path, settings.key_data),
        password=settings.key_password,
    )
    return context


def _check_context(settings: TLSSettings) -> None:
    if not isinstance(settings.context, ssl.SSLContext):
        raise OptionError(
            f"ssl_context: expected an ssl.SSLContext, got {type(settings.context).__name__}"
        )
    given = [
        f"ssl_{name}"
        for name in ("ca_path", "ca_data", "cert_path", "cert_data", "key_path", "key_data")
        if getattr(settings, name) is not None
    ]
    if not settings.verify_cert:
        given.append("ssl_verify_cert=False")
    if given:
        raise OptionError(
            f"ssl_context is used as it is, so {', '.join(given)} would have no effect: "
            "set it up in the context, or leave ssl_context out"
        )


def handshake(
    lower: Stream,
    context: ssl.SSLContext,
    server_hostname: str,
    attempt: Attempt,
    *,
    fingerprint: str | tuple[str, ...] | None = None,
    peer_name: str | None = None,
    peer: Peer = Peer.SERVER,
) -> TLSStream:
    """Set up TLS on a stream. On failure `lower` is left to the caller, who closes it.

    `fingerprint` pins the peer's certificate: before anything is sent inside TLS it must be this
    one, or one of these. `peer_name` is what errors call the peer, by default `server_hostname`,
    and `peer` decides what they advise.
    Raises TLSError, ConnectTimeout or ConnectCancelled.
    """
    name = peer_name or server_hostname
    hostname = sent_name(server_hostname)
    with attempt.in_phase("tls", f"setting up TLS with {name}"):
        try:
            stream = TLSStream(lower, context, hostname)
        except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: a NUL in the name
            check = "the host of its URL"
            if peer is not Peer.PROXY:
                check = (
                    "server_hostname, and that ssl_context is one for clients "
                    "(ssl.create_default_context())"
                )
            raise OptionError(f"cannot start TLS with {name}: {error}; check {check}") from error
        try:
            while not stream.handshake():
                # A peer that always has more must outrun neither the deadline nor memory.
                attempt.check()
                _check_length(stream.hidden_input - lower.hidden_input, name)
                if not stream.has_buffered_input:
                    attempt.wait(stream.fileno(), readable=True, writable=stream.has_pending_output)
        except (ConnectTimeout, ConnectCancelled):
            raise
        except OSError as error:
            raise explain_handshake_failure(
                error,
                name,
                hostname,
                stream.first_bytes,
                _shown_chain(stream, error),
                peer=peer,
                is_pinned=fingerprint is not None,
            ) from error
        facts = stream.tls or {}
        _check_pin(facts, fingerprint, name)
        if facts["alpn"] not in (None, HTTP_1):
            raise TLSError(
                f"TLS with {name} failed: the server chose {excerpt(facts['alpn'])} (ALPN), and a "
                f"WebSocket begins with HTTP/1.1: offer {HTTP_1!r} in ssl_context, with "
                "set_alpn_protocols(), or leave ssl_context out"
            )
        attempt.emit("tls", name=name, **facts)
        return stream


def sent_name(server_hostname: str) -> str:
    """The name in SNI, which the certificate must be for."""
    # Neither a zone nor the root's dot is part of it (RFC 6066 section 3).
    name = server_hostname.partition("%")[0] if ":" in server_hostname else server_hostname
    return name.removesuffix(".")


def _check_length(size: int, name: str) -> None:
    if size > _MOST_BYTES:
        raise TLSError(
            f"TLS with {name} failed (tls): the peer sent more than {_MOST_BYTES} bytes and the "
            "handshake is not done, which takes a few thousand; is this a TLS server?",
            refused=False,
        )


def _shown_chain(stream: TLSStream, error: OSError) -> tuple[PeerCertificate, ...]:
    is_distrust = isinstance(error, ssl.SSLCertVerificationError)
    return stream.peer_certificates() if is_distrust else ()


def _check_pin(facts: dict[str, Any], fingerprint: str | tuple[str, ...] | None, name: str) -> None:
    if fingerprint is None:
        return
    pins = (fingerprint,) if isinstance(fingerprint, str) else fingerprint
    # Certificates are public, so how long the comparison takes tells nobody anything.
    if facts["fingerprint"] not in pins:
        raise TLSError(
            f"TLS with {name} failed: the certificate is not the pinned one: expected "
            f"ssl_fingerprint {' or '.join(pins)}, got {facts['fingerprint']}"
        )
