"""OpenSSL's words → what the user can do. The common ones also run for real in test_tls.py."""

from __future__ import annotations

import ssl

import pytest

from tieline.transport.tls_errors import explain_handshake_failure, explain_late_refusal
from tieline.transport.tls_settings import Peer

RECORD = b"\x15\x03\x03"


def failed(reason):
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def untrusted(code):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "something else"
    return error


def explain(error, first_bytes=RECORD):
    return str(explain_handshake_failure(error, "example.com:443", "example.com", first_bytes))


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "give ssl_cert_path= and ssl_key_path="),
        ("TLSV1_ALERT_UNKNOWN_CA", "does not trust the client certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "refused the client certificate"),
        ("TLSV1_UNRECOGNIZED_NAME", "check server_hostname"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "no TLS version in common"),
        ("UNSUPPORTED_PROTOCOL", "no TLS version in common"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "no cipher"),
    ],
)
def test_alerts(reason, advice):
    text = explain(failed(reason))
    assert text.startswith("TLS with example.com:443 failed (tls): ")
    assert advice in text and reason in text


@pytest.mark.parametrize(
    ("error", "first_bytes", "refused"),
    [
        (untrusted(10), RECORD, True),
        (failed("TLSV1_ALERT_UNKNOWN_CA"), RECORD, True),
        (failed("TLSV1_ALERT_PROTOCOL_VERSION"), RECORD, True),
        (failed("WRONG_VERSION_NUMBER"), b"HTTP/1.0", True),
        (failed("TLSV1_ALERT_INTERNAL_ERROR"), RECORD, False),
        (failed(None), RECORD, False),
        (ssl.SSLEOFError(8, "EOF occurred"), b"", False),
        (ssl.SSLZeroReturnError(6, "closed"), RECORD, False),
        (ConnectionResetError(104, "Connection reset by peer"), b"", False),
    ],
)
def test_a_refusal_is_told_from_a_handshake_that_broke_off(error, first_bytes, refused):
    """What was refused will be refused again, so it is not worth another attempt."""
    made = explain_handshake_failure(error, "example.com:443", "example.com", first_bytes)
    assert made.refused is refused
    if isinstance(error, ssl.SSLError) and first_bytes in (b"", RECORD):
        assert explain_late_refusal(error, "example.com:443").refused is refused


def test_a_reason_that_python_has_no_name_for():
    error = ssl.SSLError(1, "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)")
    assert explain(error).endswith(
        "the server does not speak HTTP/1.1 (ALPN) [TLSV1_ALERT_NO_APPLICATION_PROTOCOL]"
    )
    assert explain_handshake_failure(error, "h", "h", RECORD).refused


def test_an_unknown_reason_is_shown():
    assert explain(failed("SOMETHING_NEW")).endswith("SOMETHING_NEW")


def test_a_reset():
    text = explain(ConnectionResetError(104, "Connection reset by peer"), b"")
    assert text.endswith("Connection reset by peer; is this a TLS port?")


def test_what_is_no_fault_of_the_server():
    text = explain(OSError(24, "Too many open files"), b"")
    assert text.endswith("(tls): Too many open files")


def test_what_is_no_tls_is_shown():
    assert "b'HTTP/1.0'" in explain(failed("WRONG_VERSION_NUMBER"), b"HTTP/1.0")


@pytest.mark.parametrize("code", [9, 10, 18, 19, 20, 21, 23, 62, 64, 9999])
def test_verification_failures(code):
    text = explain(untrusted(code))
    assert "certificate" in text and "example.com" in text
    assert ("something else" in text) == (code == 9999)


DROPPED = ("server_hostname=,", "as server_hostname=", "give ssl_cert_path", "ssl_verify_cert",
           "ssl_fingerprint", "ssl_context")  # fmt: skip


@pytest.mark.parametrize("peer", [Peer.PROXY, Peer.ELSEWHERE])
@pytest.mark.parametrize("code", [*range(2, 95)])
def test_no_advice_that_counts_for_the_named_server_only(peer, code):
    """It would not help, and what was switched off for it would stay so for the server."""
    dropped = set(DROPPED)
    if peer is Peer.ELSEWHERE or code in (3, 12):  # there the context counts, or was asked
        dropped.discard("ssl_context")
    text = str(explain_handshake_failure(untrusted(code), "h:1", "h", RECORD, peer=peer))
    assert not [word for word in dropped if word in text], text
    assert "{" not in text
    assert code in (18, 62) or peer is not Peer.PROXY or "the server needs" not in text


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "the proxy wants a client certificate: a proxy is"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "a proxy is shown none"),
        ("TLSV1_UNRECOGNIZED_NAME", "check the host of the proxy's URL"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "the proxy has no TLS version in common"),
    ],
)
def test_alerts_of_a_proxy(reason, advice):
    assert advice in str(explain_late_refusal(failed(reason), "the proxy p:1", Peer.PROXY))


def test_advice_about_a_proxy():
    def told(code):
        error = untrusted(code)
        return str(explain_handshake_failure(error, "the proxy p:1", "p", peer=Peer.PROXY,
                                             first_bytes=RECORD))  # fmt: skip

    assert "give it as ssl_ca_path= or ssl_ca_data= (in place of the system's store" in told(18)
    assert "the host of the proxy's URL must be one of the certificate's names" in told(62)
    assert "the proxy needs a new one, unless the time is wrong" in told(10)
    assert "let the proxy send its intermediate certificates" in told(20)
    plain = failed("WRONG_VERSION_NUMBER")
    text = str(explain_handshake_failure(plain, "p", "p", b"HTTP/1.0", peer=Peer.PROXY))
    assert text.endswith("is it http:// that the proxy's URL should begin with?")


def test_advice_about_where_a_redirect_leads():
    text = str(explain_handshake_failure(untrusted(62), "h", "h", RECORD, peer=Peer.ELSEWHERE))
    assert "server_hostname= is for the first server only, so connect to that URL itself" in text
    text = str(explain_late_refusal(failed("CERTIFICATE_REQUIRED"), "h", Peer.ELSEWHERE))
    assert "ssl_cert_path= is for the first server only" in text
