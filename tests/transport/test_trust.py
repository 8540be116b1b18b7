"""Whose trust counts where nothing is said: by platform, and by environment."""

from __future__ import annotations

import os
import ssl
import sys
from types import SimpleNamespace

import pytest

from tieline.errors import OptionError
from tieline.transport.tls import build_context
from tieline.transport.tls_settings import TLSSettings
from tieline.transport.trust import system_context, trust_key, trust_problems, trust_source


class Truststore(ssl.SSLContext):
    """In the place of truststore.SSLContext, which asks Windows or macOS."""


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["win32", "darwin", "freebsd14"])
def elsewhere(request, monkeypatch):
    """This is another system, and the package that goes with it is there."""
    monkeypatch.setattr(sys, "platform", request.param)
    monkeypatch.setitem(sys.modules, "truststore", SimpleNamespace(SSLContext=Truststore))
    # The ssl module asks for it where the platform is Windows.
    monkeypatch.setattr(ssl, "enum_certificates", lambda store: [], raising=False)


def is_truststore(context):
    return isinstance(context, Truststore)


def test_on_linux_it_is_the_store_of_openssl(monkeypatch):
    monkeypatch.setitem(sys.modules, "truststore", SimpleNamespace(SSLContext=Truststore))
    monkeypatch.setattr(sys, "platform", "linux")
    assert not is_truststore(system_context())
    assert trust_source().startswith("the system's store, ")


def test_elsewhere_the_system_is_asked(elsewhere):
    context = build_context(TLSSettings())
    assert is_truststore(context)
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert trust_source() == "the system's own verifier (truststore)"
    assert build_context(TLSSettings()) is context


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_environment_goes_before_the_system(elsewhere, monkeypatch, tmp_path, ca_pem, name):
    file = tmp_path / "ca.pem"
    file.write_bytes(ca_pem)
    assert is_truststore(build_context(TLSSettings()))
    monkeypatch.setenv(name, str(file if name.endswith("FILE") else tmp_path))
    context = build_context(TLSSettings())
    assert not is_truststore(context)
    assert trust_source().startswith(f"{name}={tmp_path}")
    if name.endswith("FILE"):
        assert len(context.get_ca_certs()) == 1


def test_what_the_user_trusts_goes_before_the_system(elsewhere, ca_pem):
    assert not is_truststore(build_context(TLSSettings(ca_data=ca_pem)))
    assert not is_truststore(build_context(TLSSettings(verify_cert=False)))
    own = ssl.create_default_context()
    assert build_context(TLSSettings(context=own)) is own


def test_without_the_package_openssl_has_to_do(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delitem(sys.modules, "truststore", raising=False)
    monkeypatch.setattr("tieline.transport.trust.find_spec", lambda name: None)
    assert not is_truststore(system_context())


def test_keys_are_logged_by_the_systems_contexts_too(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert system_context().keylog_filename == str(tmp_path / "keys")


def test_the_key_changes_with_whatever_decides(monkeypatch, tmp_path):
    keys = {trust_key()}
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    keys.add(trust_key())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    keys.add(trust_key())
    (tmp_path / "ca.pem").touch()
    keys.add(trust_key())
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setitem(sys.modules, "truststore", SimpleNamespace(SSLContext=Truststore))
    monkeypatch.setattr(sys, "platform", "win32")
    keys.add(trust_key())
    assert len(keys) == 5


@pytest.mark.parametrize("settings", [TLSSettings(), TLSSettings(verify_cert=False)])
def test_keys_that_cannot_be_logged_are_an_error_of_the_settings(monkeypatch, tmp_path, settings):
    path = str(tmp_path / "none" / "keys")
    monkeypatch.setenv("SSLKEYLOGFILE", path)
    with pytest.raises(OptionError, match="No such file or directory") as caught:
        build_context(settings)
    assert str(caught.value).startswith(f"SSLKEYLOGFILE={path!r}, from the environment: ")
    monkeypatch.delenv("SSLKEYLOGFILE")
    assert build_context(settings)


def test_keys_that_the_systems_contexts_cannot_log(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path))
    with pytest.raises(OptionError, match="SSLKEYLOGFILE="):
        build_context(TLSSettings())


def test_other_failures_of_the_systems_context_are_not_about_keys(monkeypatch, tmp_path):
    def fail():
        raise PermissionError(13, "Permission denied", "/certificates")

    monkeypatch.setattr(ssl, "create_default_context", fail)
    for value in ("", str(tmp_path / "keys")):
        monkeypatch.setenv("SSLKEYLOGFILE", value)
        with pytest.raises(PermissionError):
            system_context()


def test_what_is_wrong_with_the_environment(monkeypatch, tmp_path, ca_pem):
    assert trust_problems() == []
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'none'}{os.pathsep}{tmp_path / 'nor this'}")
    file, folder = trust_problems()
    assert file.startswith(f"SSL_CERT_FILE={str(tmp_path / 'none.pem')!r}, from the environment: ")
    assert folder.startswith("SSL_CERT_DIR=") and "No such file or directory" in folder
    (tmp_path / "none.pem").write_bytes(ca_pem)
    (tmp_path / "nor this").mkdir()
    assert trust_problems() == []
