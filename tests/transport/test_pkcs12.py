"""PKCS#12 files → a client certificate that servers take; and files that are none."""

from __future__ import annotations

import os
import re
import ssl
import sys
import tempfile

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from tests.transport.chains import issue
from tieline.errors import OptionError
from tieline.transport.certificates import load_client_certificate
from tieline.transport.pkcs12 import is_pkcs12, open_pkcs12

PASSWORD = "hush-hush"


@pytest.fixture(scope="module")
def root():
    return issue("The Root", is_authority=True)


@pytest.fixture(scope="module")
def between(root):
    return issue("Between", root, is_authority=True)


def packed(issued, password=PASSWORD, key=..., chain=()):
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    return serialize_key_and_certificates(
        b"me",
        issued.key if key is ... else key,
        issued.certificate,
        [one.certificate for one in chain],
        encryption,
    )


@pytest.fixture
def load():
    """load(cert, password): into a context, which it returns."""

    def run(cert, password=PASSWORD, key=(None, None)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        load_client_certificate(context, cert=cert, key=key, password=password)
        return context

    return run


def seen_by_server(client_context, root):
    """Who the server says has come: the handshake, in memory, with a certificate required."""
    server_context = issue("localhost", root).server_context()
    server_context.load_verify_locations(cadata=root.pem.decode())
    server_context.verify_mode = ssl.CERT_REQUIRED
    client_context.load_verify_locations(cadata=root.pem.decode())
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(here, there, server_hostname="localhost")
    server = server_context.wrap_bio(there, here, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
    return server.getpeercert()["subject"]


@pytest.mark.parametrize("key", [None, "rsa", "ed25519"])
@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.encode()])
def test_a_server_that_wants_a_certificate_takes_it(load, root, between, key, password):
    """The server knows the root only, so the chain in the file must be shown too."""
    made = {"rsa": lambda: rsa.generate_private_key(65537, 2048), None: lambda: None}
    made["ed25519"] = ed25519.Ed25519PrivateKey.generate
    me = issue("me", between, key=made[key]())
    context = load((None, packed(me, chain=[between])), password)
    assert seen_by_server(context, root) == ((("commonName", "me"),),)


@pytest.mark.parametrize("name", ["me.p12", "me.pfx", "whatever"])
def test_files(load, root, tmp_path, name):
    (tmp_path / name).write_bytes(packed(issue("me", root)))
    for path in (tmp_path / name, str(tmp_path / name)):
        assert seen_by_server(load((path, None)), root) == ((("commonName", "me"),),)


@pytest.mark.parametrize(("written", "given"), [(None, None), (None, ""), ("\xfc", "\xfc")])
def test_passwords(load, root, written, given):
    assert load((None, packed(issue("me", root), written)), given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            "wrong-" + PASSWORD,
            "ssl_key_password: it does not open the PKCS#12 file of ssl_cert_data",
        ),
        (b"wrong", "ssl_key_password: it does not open"),
        (None, "ssl_cert_data: the PKCS#12 file is encrypted, ssl_key_password is needed"),
    ],
)
def test_wrong_passwords(load, root, given, reason):
    with pytest.raises(OptionError, match=re.escape(reason)) as caught:
        load((None, packed(issue("me", root))), given)
    assert PASSWORD not in str(caught.value) and caught.value.__cause__ is None


def test_a_damaged_file(load, root):
    with pytest.raises(OptionError, match="or the file is damaged"):
        load((None, packed(issue("me", root))[:-20]))


def test_a_file_without_a_key_or_a_certificate(load, root):
    with pytest.raises(OptionError, match="^ssl_cert_data: expected .* got no "):
        load((None, packed(issue("me", root), key=None)))


def test_the_key_is_in_it(load, root):
    me = issue("me", root)
    with pytest.raises(OptionError, match="^ssl_key_data: the PKCS#12 file of ssl_cert_data holds"):
        load((None, packed(me)), key=(None, me.key_pem))


def test_without_the_package(load, root, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization.pkcs12", None)
    with pytest.raises(OptionError, match=r"pip install 'tieline\[pkcs12\]'.*openssl pkcs12"):
        load((None, packed(issue("me", root))))


def test_an_old_cipher(load, root, monkeypatch):
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs12

    def refuse(*arguments):
        raise UnsupportedAlgorithm("RC2")

    monkeypatch.setattr(pkcs12, "load_pkcs12", refuse)
    with pytest.raises(
        OptionError, match=r"does not have \(UnsupportedAlgorithm\); export it anew"
    ):
        load((None, packed(issue("me", root))))


def test_no_readable_key_is_ever_in_a_file(load, root, tmp_path, monkeypatch):
    """Where there are no files in memory, what lies on the disk for a moment is encrypted."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    contents = []

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile, keyfile=None, password=None):
            contents.extend(file.read_bytes() for file in tmp_path.iterdir())
            super().load_cert_chain(certfile, keyfile, password)

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    source = (None, packed(issue("me", root)))
    load_client_certificate(context, cert=source, key=(None, None), password=PASSWORD)
    (content,) = contents
    assert b"ENCRYPTED PRIVATE KEY" in content and PASSWORD.encode() not in content
    assert list(tmp_path.iterdir()) == []


def test_what_is_opened_hides_its_key(root):
    opened = open_pkcs12("ssl_cert_data", packed(issue("me", root)), PASSWORD)
    assert repr(opened) == "Opened(...)"


def test_what_is_pkcs12_and_what_is_not(root):
    me = issue("me", root)
    assert is_pkcs12(packed(me)) and is_pkcs12(packed(me, None))
    assert is_pkcs12(b"\x30\x80\x02\x01\x03\x30\x80")  # BER, as Java and Windows write it
    der = ssl.PEM_cert_to_DER_cert(me.pem.decode())
    for content in (der, me.pem, me.key_pem, b"", b"\x30", b"\x30\x82", b"\x02\x01\x03\x30"):
        assert not is_pkcs12(content)
