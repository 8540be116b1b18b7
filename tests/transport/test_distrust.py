"""A certificate with one fault, in a real handshake → an error that names it, and what to do."""

from __future__ import annotations

import re
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.transport.chains import DAY, FOR_CLIENTS, Issued, issue, revoking
from tieline.errors import TLSError
from tieline.transport.stream import SocketStream
from tieline.transport.tls import build_context, handshake
from tieline.transport.tls_settings import TLSSettings


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("The Root", is_authority=True)


@pytest.fixture
def refusal(serve, handlers, attempt):
    """refusal(issued, settings, name): the text of the TLSError that comes of it."""
    streams = []

    def run(issued, settings, name="localhost"):
        server = serve(handlers.tls(issued.server_context()))
        streams.append(SocketStream(socket.create_connection(server.address[:2], 5)))
        with pytest.raises(TLSError) as caught:
            handshake(streams[-1], build_context(settings), name, attempt)
        assert caught.value.refused
        text = str(caught.value)
        assert text.startswith(f"TLS with {name} failed (tls): ") and "\n" not in text
        return text.partition("(tls): ")[2]

    yield run
    for stream in streams:
        stream.close()


def trusting(authority: Issued) -> TLSSettings:
    return TLSSettings(ca_data=authority.pem)


# Names


def test_the_names_that_the_certificate_holds_are_shown(refusal, root):
    leaf = issue("server", root, hosts=("a.example", "*.b.example", "10.0.0.1"))
    assert refusal(leaf, trusting(root), "c.example") == (
        "the certificate is for 'a.example', '*.b.example', '10.0.0.1', not for 'c.example': check "
        "the URL's host, or give one of the certificate's names as server_hostname="
    )
    assert "not for '10.0.0.2'" in refusal(leaf, trusting(root), "10.0.0.2")


def test_of_many_names_some_are_shown(refusal, root):
    leaf = issue("server", root, hosts=tuple(f"{number}.example" for number in range(300)))
    assert "'4.example' and 295 more names, not" in refusal(leaf, trusting(root))


def test_a_certificate_without_names(refusal, root):
    text = refusal(issue("a.example", root, hosts=()), trusting(root))
    assert "is for 'commonName=a.example' (it has no subjectAltName), not for 'localhost'" in text


def test_what_a_stranger_wrote_cannot_forge_a_line(refusal, root):
    text = refusal(issue("a\n2030-01-01 all is well\x1b[2J", root, hosts=()), trusting(root))
    assert r"a\n2030" in text and "\x1b" not in text
    text = refusal(issue("evil\x1b[2J", issue("x\x1b[2J", is_authority=True)), trusting(root))
    assert "\x1b" not in text


# Time


@pytest.mark.parametrize(
    ("lasts", "reason"),
    [
        ((-9 * DAY, -2.5 * DAY), r"it has expired on 20\d\d-.* UTC \(2 days ago\): the server"),
        ((-9 * DAY, -0.6 * DAY), r"\(14 hours ago\)"),
        ((-9 * DAY, -0.001 * DAY), r"\(1 minute ago\)"),
        ((-9 * DAY, -0.0001 * DAY), r"\(less than a minute ago\)"),
        ((1.5 * DAY, 9 * DAY), r"it is not valid yet, only from 20\d\d-.* \(1 day from now\)"),
    ],
)
def test_the_wrong_time(refusal, root, lasts, reason):
    text = refusal(issue("server", root, lasts=lasts), trusting(root))
    assert re.search(reason + r".*this machine's clock says 20\d\d-\d\d-\d\d \d\d:\d\d UTC$", text)


@pytest.mark.parametrize(
    ("lasts", "reason"),
    [
        ((-9 * DAY, -2.5 * DAY), "its issuer 'commonName=Old' has expired on"),
        ((1.5 * DAY, 9 * DAY), "its issuer 'commonName=Old' is not valid yet"),
    ],
)
def test_the_wrong_time_of_an_issuer(refusal, root, lasts, reason):
    between = issue("Old", root, is_authority=True, lasts=lasts)
    assert reason in refusal(issue("server", between), trusting(root))


# Issuers


def test_self_signed(refusal, root):
    text = refusal(issue("localhost"), trusting(root))
    assert "it is self-signed: give it as ssl_ca_path=, or pin it with ssl_fingerprint=" in text


def test_a_root_that_is_not_trusted(refusal, root):
    other = issue("Another Root", is_authority=True)
    leaf = issue("server", other)
    leaf.above.append(root)  # so that the other root is among what is shown
    assert (
        "its chain ends in an authority, 'commonName=Another Root', that is not trusted: give it "
        "as ssl_ca_path="
    ) in refusal(leaf, trusting(root))


def test_an_issuer_that_is_not_known(refusal, root):
    between = issue("Between", root, is_authority=True)
    leaf = issue("server", between)
    leaf.above.clear()  # the server forgets its intermediate certificate
    assert (
        "its issuer, 'commonName=Between', is not known: give the authority as ssl_ca_path=, or "
        "let the server send its intermediate certificates"
    ) in refusal(leaf, trusting(root))


def test_an_intermediate_authority_may_be_the_one_that_is_trusted(serve, handlers, root, attempt):
    between = issue("Between", root, is_authority=True)
    server = serve(handlers.tls(issue("server", between).server_context()))
    stream = SocketStream(socket.create_connection(server.address[:2], 5))
    try:
        assert handshake(stream, build_context(trusting(between)), "localhost", attempt).tls
    finally:
        stream.close()


def test_an_issuer_that_is_no_authority(refusal, root):
    text = refusal(issue("server", issue("Impostor", root)), trusting(root))
    assert "its issuer is no authority (basic constraints without CA)" in text


def test_more_authorities_than_are_allowed(refusal):
    root = issue("Short", is_authority=True, path_length=0)
    between = issue("Between", root, is_authority=True)
    text = refusal(issue("server", between), trusting(root))
    assert "than one of them allows (path length): the server needs a new one" in text


def test_a_name_that_its_issuer_may_not_vouch_for(refusal, root):
    only = x509.NameConstraints([x509.DNSName("example.com")], None)
    between = issue("Between", root, is_authority=True, extensions=(only,))
    text = refusal(issue("server", between), trusting(root))
    assert "its issuer may not vouch for this name (name constraints)" in text


# What it is made of and made for


def test_the_wrong_purpose(refusal, root):
    text = refusal(issue("server", root, usage=FOR_CLIENTS), trusting(root))
    assert "it is not made for servers (extended key usage without serverAuth)" in text


def test_a_weak_key(refusal, root):
    weak = rsa.generate_private_key(65537, 1024)
    context = ssl.create_default_context(cadata=root.pem.decode())
    context.set_ciphers("DEFAULT:@SECLEVEL=2")  # distributions differ in it
    text = refusal(issue("server", root, key=weak), TLSSettings(context=context))
    assert "its key is too weak for OpenSSL's security level: the server needs a new one" in text


def test_a_weak_key_of_an_issuer(refusal):
    weak = issue("Weak", is_authority=True, key=rsa.generate_private_key(65537, 1024))
    context = ssl.create_default_context(cadata=weak.pem.decode())
    context.set_ciphers("DEFAULT:@SECLEVEL=2")
    text = refusal(issue("server", weak), TLSSettings(context=context))
    assert "the key of its issuer is too weak" in text


def test_a_weak_digest(refusal):
    """A level of which SHA-256 is not, in place of a digest with which nothing signs any more."""
    root = issue("The Root", is_authority=True, key=ec.generate_private_key(ec.SECP384R1()))
    context = ssl.create_default_context(cadata=root.pem.decode())
    context.set_ciphers("DEFAULT:@SECLEVEL=4")
    leaf = issue("server", root, key=ec.generate_private_key(ec.SECP384R1()))
    text = refusal(leaf, TLSSettings(context=context))
    assert "a signature in its chain uses a digest that is too weak" in text


def test_what_python_is_strict_about(refusal):
    """From 3.13 on it is strict by default; authorities of one's own often break this."""
    names = x509.SubjectAlternativeName([x509.DNSName("ca.example")])
    root = issue("The Root", is_authority=True, extensions=(names,))
    nameless = issue(None, root, is_authority=True)
    context = ssl.create_default_context(cadata=root.pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    text = refusal(issue("server", nameless), TLSSettings(context=context))
    assert re.search(r"\(RFC 5280, .*ssl_context= without VERIFY_X509_STRICT accepts it$", text)


# Revocation, which only a context of one's own looks at


@pytest.mark.parametrize(
    ("lasts", "reason"),
    [
        ((-DAY, DAY), "it is revoked: the server needs a new one"),
        (
            (-2 * DAY, -DAY),
            "revocation list (CRL) of its issuer, which ssl_context asks for, is out",
        ),
        (None, "there is no revocation list (CRL) of its issuer, and ssl_context asks for one"),
    ],
)
def test_revoked(refusal, root, tmp_path, lasts, reason):
    leaf = issue("server", root)
    context = ssl.create_default_context(cadata=root.pem.decode())
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if lasts is not None:
        (tmp_path / "revoked.pem").write_bytes(revoking(root, leaf, lasts=lasts))
        context.load_verify_locations(tmp_path / "revoked.pem")
    assert reason in refusal(leaf, TLSSettings(context=context))
