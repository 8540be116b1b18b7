"""Settings say what is wrong with them, show no secret, and share no more than trust."""

from __future__ import annotations

import ssl

import pytest

from tieline.errors import OptionError
from tieline.transport.tls_settings import Peer, TLSSettings, normalised_fingerprint


def test_only_trust_is_shared_with_a_proxy(ca_pem):
    settings = TLSSettings(
        verify_cert=False,
        ca_data=ca_pem,
        cert_path="c",
        key_path="k",
        key_password="hush",
        server_hostname="x",
        fingerprint="ab" * 32,
    )
    assert settings.trust_only == TLSSettings(ca_data=ca_pem)
    assert settings.trust_only.peer is Peer.PROXY
    assert TLSSettings(context=ssl.create_default_context()).trust_only == TLSSettings()


def test_settings_hold_no_secrets_in_their_repr():
    shown = repr(TLSSettings(key_password="hush", key_data="hush", cert_data="hush"))
    assert "hush" not in shown


@pytest.mark.parametrize("text", ["AB" * 32, ":".join(["ab"] * 32), "ab " * 32])
def test_fingerprints_are_normalised(text):
    assert normalised_fingerprint(text) == "ab" * 32
    assert TLSSettings(fingerprint=text).fingerprint == "ab" * 32


@pytest.mark.parametrize("text", ["", "ab" * 20, "xy" * 32, b"ab" * 32, 5])
def test_fingerprints_that_are_none(text):
    with pytest.raises(OptionError, match="ssl_fingerprint: expected the 64 hex digits"):
        TLSSettings(fingerprint=text)
