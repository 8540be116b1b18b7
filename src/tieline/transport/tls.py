"""TLS options → an `ssl.SSLContext`; a stream and a context → a `TLSStream` with a trusted peer."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

from tieline.errors import ConnectCancelled, ConnectTimeout, OptionError, TLSError
from tieline.transport.attempt import Attempt
from tieline.transport.certificates import load_client_certificate, load_trust
from tieline.transport.stream import Stream
from tieline.transport.tls_errors import explain_handshake_failure
from tieline.transport.tls_settings import TLSSettings
from tieline.transport.tls_stream import TLSStream


def build_context(settings: TLSSettings) -> ssl.SSLContext:
    """The context for these settings. A given one is used as it is. Raises OptionError.

    Reads files, so it may fail later with settings that worked before; it never waits for input.
    """
    if settings.context is not None:
        _check_context(settings)
        return settings.context
    if settings in _ORDINARY:
        return _ordinary_context(settings, _system_trust())
    return _new_context(settings)


#: What has no secrets and no files but the system's.
_ORDINARY = frozenset({TLSSettings(), TLSSettings(verify_cert=False)})


@lru_cache(maxsize=4)
def _ordinary_context(settings: TLSSettings, trust: object) -> ssl.SSLContext:
    # Loading the system's authorities takes tens of milliseconds, and a server that restarts may
    # be dialled again by thousands of clients at once.
    return _new_context(settings)


def _system_trust() -> object:
    """Where the system's authorities are, and since when they are what they are."""
    paths = ssl.get_default_verify_paths()
    return tuple((path, _changed(path)) for path in (paths.cafile, paths.capath) if path)


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _new_context(settings: TLSSettings) -> ssl.SSLContext:
    if settings.ca_path is not None and settings.ca_data is not None:
        raise OptionError("ssl_ca_path and ssl_ca_data exclude each other: give one of them")
    own_trust = settings.ca_path is not None or settings.ca_data is not None
    # create_default_context would load the system's authorities into a context of its own CA.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if own_trust else ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation (TLS 1.2) has no use here, and lets a write depend on a read.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
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
    fingerprint: str | None = None,
    peer_name: str | None = None,
) -> TLSStream:
    """Set up TLS on a stream. On failure `lower` is left to the caller, who closes it.

    `peer_name` is what errors call the peer, by default `server_hostname`. Raises TLSError,
    ConnectTimeout or ConnectCancelled.
    """
    name = peer_name or server_hostname
    # Neither a zone nor the root's dot is part of the name in a certificate or in SNI
    # (RFC 6066 section 3).
    hostname = server_hostname.partition("%")[0] if ":" in server_hostname else server_hostname
    with attempt.in_phase("tls", f"setting up TLS with {name}"):
        try:
            stream = TLSStream(lower, context, hostname.removesuffix("."))
        except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: a NUL in the name
            raise OptionError(
                f"cannot start TLS with {name}: {error}; check server_hostname, and that "
                "ssl_context is one for clients (ssl.create_default_context())"
            ) from error
        try:
            while not stream.handshake():
                attempt.wait(stream.fileno(), readable=True, writable=stream.has_pending_output)
        except (ConnectTimeout, ConnectCancelled):
            raise
        except OSError as error:
            raise explain_handshake_failure(error, name, hostname, stream.first_bytes) from error
        facts = stream.tls or {}
        if fingerprint is not None and facts["fingerprint"] != fingerprint:
            raise TLSError(
                f"TLS with {name} failed: the certificate is not the pinned one: expected "
                f"ssl_fingerprint {fingerprint}, got {facts['fingerprint']}"
            )
        attempt.emit("tls", name=name, **facts)
        return stream
