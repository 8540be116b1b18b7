"""What certificates say, of sessions that were trusted and of others. More in test_distrust.py."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest

from tests.transport.chains import issue
from tieline.transport.peer_certificates import peer_certificates, shown_name


@pytest.fixture(scope="module")
def root():
    return issue("The Root", is_authority=True)


@pytest.fixture
def session(root):
    """session(issued, **context): the client's end, after a handshake in memory."""

    def run(issued, **attributes):
        context = ssl.create_default_context(cadata=root.pem.decode())
        for name, value in attributes.items():
            setattr(context, name, value)
        here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(here, there, server_hostname="localhost")
        server = issued.server_context().wrap_bio(there, here, server_side=True)
        for side in (client, server, client, server):
            with suppress(ssl.SSLError):
                side.do_handshake()
        return client

    return run


def test_a_trusted_chain(session, root):
    between = issue("Between", root, is_authority=True)
    leaf = issue("localhost", between, hosts=("localhost", "127.0.0.1"))
    chain = peer_certificates(session(leaf))
    assert [one.subject for one in chain] == [
        "commonName=localhost",
        "commonName=Between",
        "commonName=The Root",
    ]
    assert [one.issuer for one in chain] == [
        "commonName=Between",
        "commonName=The Root",
        "commonName=The Root",
    ]
    assert chain[0].names == ("localhost", "127.0.0.1")
    assert chain[0].not_before == leaf.certificate.not_valid_before_utc
    assert chain[0].not_after == leaf.certificate.not_valid_after_utc


def test_a_chain_that_nobody_verified(session):
    unverified = {"check_hostname": False, "verify_mode": ssl.CERT_NONE}
    chain = peer_certificates(session(issue("somebody"), **unverified))
    assert [one.subject for one in chain] == ["commonName=somebody"]


def test_a_chain_that_was_refused(session):
    assert [one.subject for one in peer_certificates(session(issue("somebody")))] == [
        "commonName=somebody"
    ]


def test_before_the_handshake_there_is_none():
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    assert peer_certificates(client) == ()


def test_a_python_that_does_not_tell():
    class Session:
        pass

    assert peer_certificates(Session()) == ()


def test_times_that_cannot_be_read():
    class Certificate:
        def get_info(self):
            return {"notAfter": "some day", "notBefore": "Jan  1 00:00:00 99999 GMT"}

    class Session:
        def get_verified_chain(self):
            return [Certificate()]

    (found,) = peer_certificates(Session())
    assert found.not_before is found.not_after is None
    assert (found.subject, found.issuer, found.names) == ("", "", ())


def test_names_on_one_line():
    assert (
        shown_name(((("commonName", "x"),), (("a", "b"), ("c", "d")))) == "commonName=x, a=b, c=d"
    )
