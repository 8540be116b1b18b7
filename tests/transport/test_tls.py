"""Whom TLS trusts, whom it refuses and why, within the attempt's bounds."""

from __future__ import annotations

import datetime
import hashlib
import os
import queue
import socket
import ssl
import threading

import pytest

from tests.transport.stream_ends import receive_all
from tieline.errors import ConnectCancelled, ConnectTimeout, OptionError, TLSError
from tieline.transport import tls
from tieline.transport.stream import SocketStream
from tieline.transport.tls import build_context, handshake
from tieline.transport.tls_settings import TLSSettings


@pytest.fixture
def opened(serve):
    """Streams to a server, closed at the end, before the server stops."""
    streams = []

    def open_(server):
        streams.append(SocketStream(socket.create_connection(server.address[:2], 5)))
        return streams[-1]

    yield open_
    for stream in streams:
        stream.close()


@pytest.fixture
def secure(serve, handlers, opened, attempt):
    """secure(server_context, settings, name) -> the stream, after the handshake."""

    def run(server_context, settings, name="localhost", attempt=attempt):
        server = serve(handlers.tls(server_context))
        return handshake(
            opened(server), build_context(settings), name, attempt, fingerprint=settings.fingerprint
        )

    return run


def context_for(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def fingerprint_of(certificate):
    pem = certificate.cert_chain_pems[0].bytes().decode()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


# Contexts


def test_verification_is_on_by_default():
    context = build_context(TLSSettings())
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_an_authority_of_ones_own_replaces_the_systems(ca_pem):
    context = build_context(TLSSettings(ca_data=ca_pem))
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_given_context_is_used_as_it_is():
    context = ssl.create_default_context()
    assert build_context(TLSSettings(context=context, server_hostname="x")) is context


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"context": "x"}, "ssl_context: expected an ssl.SSLContext, got str"),
        ({"context": ssl.create_default_context(), "ca_path": "x"}, "ssl_ca_path would have no"),
        ({"context": ssl.create_default_context(), "verify_cert": False}, "ssl_verify_cert=False"),
        ({"ca_path": "x", "ca_data": "y"}, "exclude each other"),
        ({"ca_path": "/none/ca.pem"}, "ssl_ca_path: cannot read"),
        ({"key_path": "x"}, "ssl_key_path needs ssl_cert_path"),
    ],
)
def test_settings_that_cannot_be_used(settings, reason):
    with pytest.raises(OptionError, match=reason):
        build_context(TLSSettings(**settings))


def test_ordinary_contexts_are_made_once(monkeypatch, tmp_path, ca_pem):
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(ca_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    context = build_context(TLSSettings())
    assert build_context(TLSSettings(server_hostname=None)) is context
    assert build_context(TLSSettings(verify_cert=False)) is not context
    assert build_context(TLSSettings(ca_data=ca_pem)) is not build_context(
        TLSSettings(ca_data=ca_pem)
    )
    os.utime(authorities, ns=(1, 1))  # the system's authorities have changed
    assert build_context(TLSSettings()) is not context
    authorities.unlink()
    assert build_context(TLSSettings()).get_ca_certs() == []


def test_key_logs_are_written_where_the_environment_says(monkeypatch, tmp_path, ca_pem):
    """As create_default_context does, also for contexts that are not made by it."""
    log = tmp_path / "keys"
    assert build_context(TLSSettings(ca_data=ca_pem)).keylog_filename is None
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    for settings in (TLSSettings(), TLSSettings(ca_data=ca_pem), TLSSettings(verify_cert=False)):
        assert build_context(settings).keylog_filename == str(log)
    tls._ordinary_context.cache_clear()  # a context keeps the file open


# Trusted


@pytest.mark.parametrize("name", ["localhost", "localhost.", "LOCALHOST", "127.0.0.1", "::1"])
def test_trusted_names(secure, server_context, ca_pem, name):
    stream = secure(server_context, TLSSettings(ca_data=ca_pem), name)
    assert stream.tls["version"] == "TLSv1.3"
    assert stream.send(b"x") == 1


def test_a_zone_is_no_part_of_the_name(secure, ca_pem, authority):
    server_context = context_for(authority.issue_cert("fe80::1"))
    assert secure(server_context, TLSSettings(ca_data=ca_pem), "fe80::1%eth0").tls


def test_alpn_offers_http(serve, handlers, opened, attempt, server_context, ca_pem):
    server_context.set_alpn_protocols(["h2", "http/1.1"])

    def tell(secured):
        secured.sendall(str(secured.selected_alpn_protocol()).encode())

    server = serve(handlers.tls(server_context, tell))
    settings = TLSSettings(ca_data=ca_pem)
    stream = handshake(opened(server), build_context(settings), "localhost", attempt)
    assert receive_all(stream, 8) == b"http/1.1"


def test_a_server_that_chooses_another_protocol(secure, server_context, ca_pem):
    server_context.set_alpn_protocols(["h2"])
    context = ssl.create_default_context(cadata=ca_pem.decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    with pytest.raises(TLSError, match=r"chose 'h2' \(ALPN\).*set_alpn_protocols\(\)"):
        secure(server_context, TLSSettings(context=context))


@pytest.mark.parametrize("offered", [None, ["h2"]])
def test_a_server_that_chooses_no_protocol(secure, server_context, ca_pem, offered):
    """RFC 7301 leaves it to servers: many are silent where they know none of what is offered."""
    if offered is not None:
        server_context.set_alpn_protocols(offered)
    assert secure(server_context, TLSSettings(ca_data=ca_pem)).tls["alpn"] is None


def test_events_and_timings(secure, server_context, ca_pem, make_attempt):
    events = []
    attempt = make_attempt(5, on_event=lambda *event: events.append(event))
    secure(server_context, TLSSettings(ca_data=ca_pem), attempt=attempt)
    ((kind, data),) = events
    assert kind == "tls" and data["name"] == "localhost" and data["version"] == "TLSv1.3"
    assert attempt.timings["tls"] > 0


def test_client_certificate(secure, server_context, ca_pem, client_certificate, authority):
    authority.configure_trust(server_context)
    server_context.verify_mode = ssl.CERT_REQUIRED
    settings = TLSSettings(
        ca_data=ca_pem,
        cert_data=client_certificate.cert_chain_pems[0].bytes(),
        key_data=client_certificate.private_key_pem.bytes(),
    )
    assert secure(server_context, settings).tls


# Pins


def test_pin_in_addition(secure, server_context, server_certificate, ca_pem):
    settings = TLSSettings(ca_data=ca_pem, fingerprint=fingerprint_of(server_certificate).upper())
    assert secure(server_context, settings).tls["fingerprint"] == settings.fingerprint


def test_pin_alone(secure, server_context, server_certificate):
    settings = TLSSettings(verify_cert=False, fingerprint=fingerprint_of(server_certificate))
    assert secure(server_context, settings, "another.example").tls["subject"] is None


def test_one_of_several_pins_is_enough(secure, server_context, server_certificate, ca_pem):
    """As when a certificate is about to be replaced."""
    pins = ("ab" * 32, fingerprint_of(server_certificate))
    assert secure(server_context, TLSSettings(ca_data=ca_pem, fingerprint=pins)).tls
    with pytest.raises(TLSError, match="expected ssl_fingerprint (ab){32} or (cd){32}, got"):
        secure(server_context, TLSSettings(ca_data=ca_pem, fingerprint=("ab" * 32, "cd" * 32)))


def test_a_wrong_pin_is_noticed_before_anything_is_sent(serve, opened, attempt, server_context):
    received = queue.SimpleQueue()

    def reading(connection):
        with server_context.wrap_socket(connection, server_side=True) as secured:
            received.put(secured.recv(100))

    stream = opened(serve(reading))
    context = build_context(TLSSettings(verify_cert=False))
    with pytest.raises(TLSError, match="not the pinned one"):
        handshake(stream, context, "localhost", attempt, fingerprint="ab" * 32)
    stream.close()
    assert received.get(timeout=10) == b""


@pytest.mark.parametrize("verify", [True, False])
def test_wrong_pin(secure, server_context, server_certificate, ca_pem, verify):
    settings = TLSSettings(ca_data=ca_pem, verify_cert=verify, fingerprint="ab" * 32)
    with pytest.raises(TLSError, match="not the pinned one") as caught:
        secure(server_context, settings)
    assert "ab" * 32 in str(caught.value)
    assert fingerprint_of(server_certificate) in str(caught.value)


def test_pin_does_not_replace_verification(secure, server_context, server_certificate):
    with pytest.raises(TLSError, match=r"not trusted.*\. The pin \(ssl_fingerprint=\) is compared"):
        secure(server_context, TLSSettings(fingerprint=fingerprint_of(server_certificate)))


# Refused, with the reason


def test_unknown_authority(secure, server_context):
    with pytest.raises(TLSError, match=r"'localhost' is not trusted: its .*ssl_ca_path="):
        secure(server_context, TLSSettings())


def test_self_signed(secure, authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with authority.cert_pem.tempfile() as cert, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    with pytest.raises(TLSError, match=r"self-signed: .*ssl_ca_path=.*ssl_fingerprint=") as caught:
        secure(context, TLSSettings())
    assert "The pin" not in str(caught.value)


def test_wrong_name(secure, server_context, ca_pem):
    with pytest.raises(TLSError, match=r"'127.0.0.1'.*, not for 'example.com'.*server_hostname="):
        secure(server_context, TLSSettings(ca_data=ca_pem), "example.com")
    with pytest.raises(TLSError, match=r"not for '127.0.0.2'"):
        secure(server_context, TLSSettings(ca_data=ca_pem), "127.0.0.2")


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [(-9, -1, "it has expired.*clock"), (1, 9, "it is not valid yet.*clock")],
)
def test_wrong_time(secure, authority, ca_pem, start, end, reason):
    now = datetime.datetime.now(datetime.UTC)
    certificate = authority.issue_cert(
        "localhost",
        not_before=now + datetime.timedelta(days=start),
        not_after=now + datetime.timedelta(days=end),
    )
    with pytest.raises(TLSError, match=reason):
        secure(context_for(certificate), TLSSettings(ca_data=ca_pem))


def test_no_common_version(secure, server_context, ca_pem):
    server_context.minimum_version = ssl.TLSVersion.TLSv1_3
    context = ssl.create_default_context(cadata=ca_pem.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(TLSError, match="no TLS version in common"):
        secure(server_context, TLSSettings(context=context))


@pytest.mark.parametrize(
    ("alert", "advice"),
    [
        (40, "found no cipher or parameters in common"),
        (42, "refused the client certificate"),
        (43, "refused the client certificate"),
        (44, "the client certificate is revoked"),
        (45, "the client certificate has expired"),
        (46, "refused the client certificate"),
        (48, "does not trust the client certificate's issuer"),
        (49, "does not let it in"),
        (70, "no TLS version in common"),
        (112, "check server_hostname"),
        (116, "give ssl_cert_path= and"),
        (120, r"does not speak HTTP/1.1 \(ALPN\)"),
    ],
)
def test_alerts_of_the_server(secure, server_context, ca_pem, alert, advice):
    """Numbers of RFC 8446 section 6; test_tls_errors.py has the words."""
    server_context.sni_callback = lambda *arguments: alert
    with pytest.raises(TLSError, match=advice) as caught:
        secure(server_context, TLSSettings(ca_data=ca_pem))
    assert caught.value.refused


def test_missing_client_certificate(secure, server_context, ca_pem):
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the first read tells
    with pytest.raises(TLSError, match="client certificate"):
        secure(server_context, TLSSettings(ca_data=ca_pem))


def test_refusals_name_peer_and_phase(serve, handlers, server_context, opened, attempt):
    server = serve(handlers.tls(server_context))
    context = build_context(TLSSettings())
    with pytest.raises(TLSError, match=r"TLS with example.com:443 failed \(tls\)"):
        handshake(opened(server), context, "localhost", attempt, peer_name="example.com:443")


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_plain_text_server(serve, opened, attempt, ca_pem, greeting):
    def plain(connection):
        connection.recv(1)
        connection.sendall(greeting)
        while connection.recv(4096):
            pass

    with pytest.raises(TLSError, match="did not answer with TLS.*is it ws://") as caught:
        handshake(opened(serve(plain)), build_context(TLSSettings()), "localhost", attempt)
    assert repr(greeting[:8])[:-1] in str(caught.value)


def test_server_that_hangs_up(serve, opened, attempt):
    server = serve(lambda connection: connection.recv(1000))
    with pytest.raises(TLSError, match="is this a TLS port"):
        handshake(opened(server), build_context(TLSSettings()), "localhost", attempt)


def test_a_context_for_servers(serve, handlers, opened, attempt, server_context):
    with pytest.raises(OptionError, match="ssl_context is one for clients"):
        handshake(opened(serve(handlers.silent)), server_context, "localhost", attempt)


@pytest.mark.parametrize("name", ["", ".example", "a\0b"])
def test_names_that_are_none(serve, handlers, opened, attempt, name):
    with pytest.raises(OptionError, match="server_hostname"):
        handshake(opened(serve(handlers.silent)), build_context(TLSSettings()), name, attempt)


# Bounds


@pytest.mark.slow
def test_deadline(serve, handlers, opened, make_attempt):
    with pytest.raises(ConnectTimeout) as caught:
        context = build_context(TLSSettings())
        handshake(opened(serve(handlers.silent)), context, "localhost", make_attempt(0.5))
    assert caught.value.phase == "tls"


@pytest.mark.slow
def test_a_dripping_server_is_cut_at_the_deadline(serve, opened, make_attempt):
    paused = threading.Event()

    def drip(connection):
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0")  # a long ServerHello begins
        while not paused.wait(0.002):
            connection.sendall(b"\0")

    context = build_context(TLSSettings())
    attempt = make_attempt(0.5)
    try:
        with pytest.raises(ConnectTimeout) as caught:
            handshake(opened(serve(drip)), context, "localhost", attempt)
    finally:
        paused.set()
    assert caught.value.phase == "tls"
    attempt.close()
    assert attempt.timings["total"] < 5


def test_cancel_from_another_thread(serve, opened, make_attempt):
    attempt = make_attempt(None)

    def cancelling(connection):
        connection.recv(1)
        attempt.cancel()
        while connection.recv(4096):
            pass

    with pytest.raises(ConnectCancelled, match="in phase 'tls'"):
        context = build_context(TLSSettings())
        handshake(opened(serve(cancelling)), context, "localhost", attempt)


HELLO_REQUESTS = b"\x16\x03\x03\0\4\0\0\0\0" * 20_000  # which a client ignores


def flood(connection):
    for _ in range(200):
        connection.sendall(HELLO_REQUESTS)


def test_a_flood_does_not_outrun_cancel(serve, opened, make_attempt, monkeypatch):
    monkeypatch.setattr(tls, "_MOST_BYTES", 1_000_000_000)
    attempt = make_attempt(None)

    def cancelling(connection):
        flood(connection)
        attempt.cancel()
        while True:
            flood(connection)

    with pytest.raises(ConnectCancelled, match="in phase 'tls'"):
        handshake(opened(serve(cancelling)), build_context(TLSSettings()), "localhost", attempt)


def test_a_flood_does_not_outrun_the_deadline(serve, opened, make_attempt, monkeypatch):
    monkeypatch.setattr(tls, "_MOST_BYTES", 1_000_000_000)

    def flooding(connection):
        while True:
            flood(connection)

    with pytest.raises(ConnectTimeout) as caught:
        context = build_context(TLSSettings())
        handshake(opened(serve(flooding)), context, "localhost", make_attempt(0.1))
    assert caught.value.phase == "tls"


def test_a_handshake_is_no_longer_than_any_real_one(serve, opened, attempt):
    with pytest.raises(TLSError, match=r"more than 1048576 bytes .*handshake") as caught:
        handshake(opened(serve(flood)), build_context(TLSSettings()), "localhost", attempt)
    assert not caught.value.refused
