"""What `tieline explain` promises: a report or JSON, no secrets, a status for scripts."""

from __future__ import annotations

import json

import pytest

from tieline.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_report(capfd: Capture) -> None:
    assert main(["explain", "ws://127.0.0.1:8080/feed", "--token", "hush", "--no-proxy"]) == 0
    output, errors = capfd.readouterr()
    assert errors == "" and "hush" not in output
    assert output.startswith("url              ws://127.0.0.1:8080/feed\n")
    assert "credentials      Bearer (token=)\n" in output
    assert output.endswith("problems         none that can be seen from here\n")


def test_json(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://u:hush@127.0.0.1:3128")
    assert main(["explain", "wss://u:hush@example.com/", "--json"]) == 0
    output, errors = capfd.readouterr()
    found = json.loads(output)
    assert errors == "" and "hush" not in output
    assert found["proxy_reason"] == "HTTPS_PROXY in the environment"
    assert found["proxy"]["request"] == "CONNECT example.com:443 HTTP/1.1"


def test_problems_are_a_status(capfd: Capture) -> None:
    assert main(["explain", "wss://example.com/", "--no-proxy", "--ca", "/none/ca.pem"]) == 1
    output, errors = capfd.readouterr()
    assert "problems         ssl_ca_path: cannot read '/none/ca.pem'" in output and errors == ""


def test_what_cannot_be_used(capfd: Capture) -> None:
    assert main(["explain", "wss://u:hush@example.com:99999/"]) == 2
    output, errors = capfd.readouterr()
    assert output == "" and "'99999' at position" in errors and "hush" not in errors


def test_names_are_looked_up_when_that_is_asked_for(capfd: Capture) -> None:
    words = ["explain", "ws://host.invalid/", "--no-proxy"]
    assert main(words) == 0
    assert "to be looked up by this machine" in capfd.readouterr().out
    assert main([*words, "--resolve"]) == 1
    assert "cannot resolve host 'host.invalid'" in capfd.readouterr().out
