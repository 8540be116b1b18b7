"""What of TLS is told: trust, names, pins, versions, client certificates, and what is wrong."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

import tieline
from tests.transport.chains import DAY, Issued, issue

SECRET = "hush-hush"

pytestmark = pytest.mark.usefixtures("no_network")


def explained(**options: Any) -> tuple[Any, tuple[str, ...], str]:
    found = tieline.explain("wss://example.com/", **options)
    assert SECRET not in str(found) + repr(found)
    return found.tls, found.problems, str(found)


def test_as_it_is_by_default() -> None:
    tls, problems, text = explained()
    assert problems == ()
    assert tls.verified and tls.name == "example.com" and tls.sends_name
    assert tls.versions == "TLS 1.2 or newer" and tls.alpn == ("http/1.1",)
    assert tls.pins == () and tls.client_certificate is None
    assert "example.com (the host), sent and looked for in the certificate" in text


def test_no_tls() -> None:
    assert tieline.explain("ws://example.com/").tls is None


def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/some/where.pem")
    tls, _, text = explained()
    assert tls.trust == "SSL_CERT_FILE=/some/where.pem, from the environment"
    assert tls.trust in text


@pytest.mark.parametrize(
    ("options", "row"),
    [
        ({"ssl_verify_cert": False}, "trusts         anybody"),
        ({"ssl_verify_cert": False, "ssl_fingerprint": "ab" * 32}, "whoever has the pin"),
        ({"ssl_fingerprint": ["ab" * 32, "cd" * 32]}, "SHA-256 " + "cd" * 32),
        ({"server_hostname": "other.example"}, "other.example (server_hostname), sent and"),
        ({"server_hostname": "10.0.0.1"}, "10.0.0.1 (server_hostname), an address, so not sent"),
    ],
)
def test_what_counts(options: dict[str, Any], row: str) -> None:
    _, problems, text = explained(**options)
    assert row in text and problems == ()


def test_a_context_of_ones_own_is_asked() -> None:
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    tls, problems, text = explained(ssl_context=context)
    assert tls.versions.endswith(" to 1.2") and tls.alpn is None and problems == ()
    assert "(ssl_context, used as it is)" in text and "what ssl_context trusts" in text
    context.check_hostname = False
    assert "check_hostname is off" in explained(ssl_context=context)[1][0]
    context.verify_mode = ssl.CERT_NONE
    tls, problems, _ = explained(ssl_context=context)
    assert not tls.verified and problems == ()


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("The Root", is_authority=True)


def test_client_certificates(root: Issued, tmp_path: Path) -> None:
    me = issue("me", root)
    (tmp_path / "me.pem").write_bytes(me.pem + me.key_pem)
    tls, problems, text = explained(ssl_cert_path=tmp_path / "me.pem")
    assert problems == ()
    assert tls.client_certificate == f"commonName=me (ssl_cert_path={str(tmp_path / 'me.pem')!r})"
    assert tls.client_certificate in text
    der = ssl.PEM_cert_to_DER_cert(me.pem.decode())
    tls, _, _ = explained(ssl_cert_data=der, ssl_key_data=me.key_pem.decode())
    assert tls.client_certificate == "commonName=me (ssl_cert_data)"


def test_pkcs12(root: Issued) -> None:
    me = issue("me", root)
    packed = serialize_key_and_certificates(
        None, me.key, me.certificate, None, BestAvailableEncryption(SECRET.encode())
    )
    tls, problems, _ = explained(ssl_cert_data=packed, ssl_key_password=SECRET)
    assert tls.client_certificate.startswith("commonName=me (ssl_cert_data, its key opened by")
    assert problems == ()
    tls, problems, _ = explained(ssl_cert_data=packed, ssl_key_password="wrong")
    assert len(problems) == 1 and "ssl_key_password: it does not open" in problems[0]
    assert tls.client_certificate.startswith("ssl_cert_data")


@pytest.mark.parametrize(
    ("lasts", "reason"),
    [
        ((-2 * DAY, -DAY), "the client certificate has expired on 20"),
        ((DAY, 2 * DAY), "the client certificate is not valid before 20"),
    ],
)
def test_client_certificates_at_the_wrong_time(root: Issued, lasts: Any, reason: str) -> None:
    me = issue("me", root, lasts=lasts)
    _, problems, _ = explained(ssl_cert_data=(me.pem + me.key_pem).decode())
    assert len(problems) == 1 and problems[0].startswith(reason)


def test_what_will_fail(tmp_path: Path, root: Issued) -> None:
    for options, reason in (
        ({"ssl_ca_path": tmp_path / "none"}, "ssl_ca_path: cannot read"),
        ({"ssl_cert_path": tmp_path / "none"}, "ssl_cert_path: cannot read"),
        ({"ssl_cert_data": root.pem.decode()}, "ssl_key_data: it is missing"),
    ):
        tls, problems, text = explained(**options)
        assert len(problems) == 1 and problems[0].startswith(reason)
        assert tls.versions == "" and problems[0] in text


def test_what_the_environment_gets_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    _, problems, text = explained()
    assert len(problems) == 1 and problems[0].startswith("SSL_CERT_FILE=") and problems[0] in text
    assert len(explained(proxy="https://proxy.example")[1]) == 1, "told once"
    # Where it is not looked at, it is no problem.
    for options in ({"ssl_verify_cert": False}, {"ssl_context": ssl.create_default_context()}):
        assert explained(**options)[1] == ()
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys"))
    _, problems, _ = explained(proxy="https://proxy.example")
    assert len(problems) == 1 and problems[0].startswith("SSLKEYLOGFILE=")
