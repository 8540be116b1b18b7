"""Certificates and keys in every form they come in, and errors that name the option."""

from __future__ import annotations

import os
import ssl
import tempfile

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tieline.errors import OptionError
from tieline.transport.certificates import load_client_certificate, load_trust


@pytest.fixture
def context():
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def cert_pem(client_certificate):
    return client_certificate.cert_chain_pems[0].bytes()


@pytest.fixture
def key_pem(client_certificate):
    return client_certificate.private_key_pem.bytes()


@pytest.fixture(params=["memfd", "file"])
def any_storage(request, monkeypatch):
    if request.param == "file":
        monkeypatch.delattr(os, "memfd_create", raising=False)


def key_as(key_pem, encoding, form, password=None):
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return load_pem_private_key(key_pem, None).private_bytes(encoding, form, encryption)


# Authorities


def test_trust_from_data(context, ca_pem):
    der = ssl.PEM_cert_to_DER_cert(ca_pem.decode())
    for data in (ca_pem, ca_pem.decode(), der, "# caf\xe9\n".encode() + ca_pem):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        load_trust(context, None, data)
        assert context.cert_store_stats()["x509_ca"] == 1


def test_trust_from_a_file(context, ca_pem, tmp_path):
    (tmp_path / "ca.pem").write_bytes(ca_pem)
    load_trust(context, tmp_path / "ca.pem", None)
    assert context.cert_store_stats()["x509_ca"] == 1


def test_trust_from_a_directory(context, ca_pem, tmp_path):
    (tmp_path / "my.crt").write_bytes(ca_pem)
    (tmp_path / "README").write_text("not a certificate")
    load_trust(context, str(tmp_path), None)
    assert context.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize("data", ["", b"", "nonsense", b"nonsense", "-----BEGIN CERTIFICATE-----"])
def test_trust_data_that_is_none(context, data):
    with pytest.raises(OptionError, match="ssl_ca_data: expected CA certificates"):
        load_trust(context, None, data)


def test_trust_paths_that_lead_nowhere(context, tmp_path):
    with pytest.raises(OptionError, match="ssl_ca_path: cannot read .*none.pem.*No such file"):
        load_trust(context, tmp_path / "none.pem", None)
    with pytest.raises(OptionError, match="ssl_ca_path: cannot read"):
        load_trust(context, "a\0b", None)
    with pytest.raises(OptionError, match="ssl_ca_path: no certificates"):
        load_trust(context, tmp_path, None)
    (tmp_path / "empty.pem").touch()
    with pytest.raises(OptionError, match="ssl_ca_path: expected CA certificates"):
        load_trust(context, tmp_path / "empty.pem", None)


# Client certificates


KEY_FORMS = [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL]


@pytest.mark.parametrize("form", KEY_FORMS)
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_keys_in_memory(context, authority, form, encoding, kind, any_storage):
    leaf = authority.issue_cert("x@example.com", key_type=trustme.KeyType[kind])
    key = key_as(leaf.private_key_pem.bytes(), encoding, form)
    cert = leaf.cert_chain_pems[0].bytes()
    if encoding is Encoding.DER:
        cert = ssl.PEM_cert_to_DER_cert(cert.decode())
    load_client_certificate(context, cert=(None, cert), key=(None, key), password=None)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("password", ["hush", b"hush"])
def test_encrypted_keys(context, cert_pem, key_pem, encoding, password):
    key = key_as(key_pem, encoding, PrivateFormat.PKCS8, b"hush")
    load_client_certificate(context, cert=(None, cert_pem), key=(None, key), password=password)


def test_paths_and_data_mix(context, cert_pem, key_pem, tmp_path):
    (tmp_path / "c.pem").write_bytes(cert_pem)
    (tmp_path / "k.pem").write_bytes(key_pem)
    (tmp_path / "both.pem").write_bytes(key_pem + cert_pem)
    (tmp_path / "c.der").write_bytes(ssl.PEM_cert_to_DER_cert(cert_pem.decode()))
    for cert, key in [
        ((tmp_path / "c.pem", None), (str(tmp_path / "k.pem"), None)),
        ((None, cert_pem.decode()), (tmp_path / "k.pem", None)),
        ((str(tmp_path / "c.pem"), None), (None, key_pem)),
        ((tmp_path / "c.der", None), (None, key_pem)),
        ((tmp_path / "both.pem", None), (None, None)),
        ((None, cert_pem + key_pem), (None, None)),
    ]:
        load_client_certificate(context, cert=cert, key=key, password=None)


def test_none_at_all(context):
    load_client_certificate(context, cert=(None, None), key=(None, None), password=None)


def test_keys_in_memory_leave_nothing_behind(cert_pem, key_pem, tmp_path, monkeypatch, any_storage):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes = []

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile, keyfile=None, password=None):
            modes.extend(os.stat(name).st_mode & 0o077 for name in tmp_path.iterdir())
            super().load_cert_chain(certfile, keyfile, password)

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    load_client_certificate(context, cert=(None, cert_pem), key=(None, key_pem), password=None)
    with pytest.raises(OptionError):
        load_client_certificate(
            context, cert=(None, cert_pem), key=(None, "-----BEGIN "), password=None
        )
    assert list(tmp_path.iterdir()) == []
    assert not any(modes)


def test_wrong_password(context, cert_pem, key_pem):
    key = key_as(key_pem, Encoding.PEM, PrivateFormat.PKCS8, b"hush")
    with pytest.raises(OptionError, match="ssl_key_password: it does not open") as caught:
        load_client_certificate(
            context, cert=(None, cert_pem), key=(None, key), password="hushhush"
        )
    assert "hushhush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_missing_password_is_not_asked_for_on_the_terminal(context, cert_pem, key_pem):
    key = key_as(key_pem, Encoding.PEM, PrivateFormat.PKCS8, b"hush")
    with pytest.raises(OptionError, match="ssl_key_data: the key is encrypted, ssl_key_password"):
        load_client_certificate(context, cert=(None, cert_pem), key=(None, key), password=None)


def test_key_of_another_certificate(context, authority, cert_pem):
    other = authority.issue_cert("y@example.com").private_key_pem.bytes()
    with pytest.raises(OptionError, match="ssl_key_data: the key does not belong to"):
        load_client_certificate(context, cert=(None, cert_pem), key=(None, other), password=None)


def test_combinations_that_mean_nothing(context, cert_pem, key_pem):
    with pytest.raises(OptionError, match="ssl_key_data needs ssl_cert_path or ssl_cert_data"):
        load_client_certificate(context, cert=(None, None), key=(None, key_pem), password=None)
    with pytest.raises(OptionError, match="ssl_cert_path and ssl_cert_data exclude each other"):
        load_client_certificate(context, cert=("x", cert_pem), key=(None, None), password=None)
    with pytest.raises(OptionError, match="ssl_key_path and ssl_key_data exclude each other"):
        load_client_certificate(context, cert=("x", None), key=("x", key_pem), password=None)


@pytest.mark.parametrize(
    ("cert", "reason"),
    [
        (("/none/c.pem", None), "ssl_cert_path: cannot read '/none/c.pem': No such file"),
        ((None, ""), "ssl_cert_data: it is empty"),
        ((None, "nonsense"), "ssl_cert_data: expected PEM text"),
        ((None, b"nonsense"), "expected a certificate and its private key"),
        ((None, b"-----BEGIN CERTIFICATE-----\n"), "expected a certificate and its private key"),
    ],
)
def test_certificates_that_are_none(context, key_pem, cert, reason):
    with pytest.raises(OptionError, match=reason):
        load_client_certificate(context, cert=cert, key=(None, key_pem), password=None)


@pytest.mark.parametrize("key", [b"", b"\x30", b"\x30\x82", b"nonsense", b"-----BEGIN "])
def test_keys_that_are_none(context, cert_pem, key):
    with pytest.raises(OptionError, match="ssl_key_data"):
        load_client_certificate(context, cert=(None, cert_pem), key=(None, key), password=None)


def test_a_certificate_without_key(context, cert_pem, tmp_path, any_storage):
    path = tmp_path / "cert.pem"
    path.write_bytes(cert_pem)
    der = ssl.PEM_cert_to_DER_cert(cert_pem.decode())
    for cert, key in (
        ((path, None), "ssl_key_path"),
        ((None, cert_pem), "ssl_key_data"),
        ((None, der), "ssl_key_data"),
    ):
        with pytest.raises(OptionError, match=f"^{key}: it is missing: .*give the key as {key}"):
            load_client_certificate(context, cert=cert, key=(None, None), password=None)
