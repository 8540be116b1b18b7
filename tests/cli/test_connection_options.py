"""The words about a connection, and the options that they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tieline
from tieline.cli.arguments import parse
from tieline.cli.connection_options import connection_options
from tieline.cli.status import CommandError
from tieline.options import Options
from tieline.testing import ScriptedPeer, ScriptedServer


def options_of(*words: str) -> dict[str, Any]:
    options = connection_options(parse(["connect", "wss://host/", *words]))
    Options.build(options)  # all of them are options that the client takes
    return options


@pytest.mark.parametrize(
    "words, option, value",
    [
        (
            ["--header", "X-A: b: c", "--header", "X-A:d"],
            "headers",
            [("X-A", "b: c"), ("X-A", "d")],
        ),
        (["--subprotocol", "a", "--subprotocol", "b"], "subprotocols", ["a", "b"]),
        (["--origin", "https://host"], "origin", "https://host"),
        (["--cookie", "a=b=c", "--cookie", "d="], "cookies", {"a": "b=c", "d": ""}),
        (["--cookie", "a=1; b=2;"], "cookies", {"a": "1", "b": "2"}),
        (["--server-hostname", "other.example"], "server_hostname", "other.example"),
        (["--user", "me:a:b"], "password", "a:b"),
        (["--token", "abc"], "token", "abc"),
        (["--netrc"], "netrc", True),
        (["--proxy", "http://proxy:3128"], "proxy", "http://proxy:3128"),
        (["--proxy-user", "me:a:b"], "proxy_auth", ("me", "a:b")),
        (["--fingerprint", "ab" * 32], "ssl_fingerprint", "ab" * 32),
        (["--no-proxy"], "proxy", None),
        (["--unix-socket", "/run/s"], "unix_socket", "/run/s"),
        (["--insecure"], "ssl_verify_cert", False),
        (["--no-compression"], "compression", None),
        (["--timeout", "2.5"], "connect_timeout", 2.5),
        (["--ping-interval", "7"], "ping_interval", 7.0),
        (["--ping-interval", "0"], "ping_interval", None),
    ],
)
def test_words_become_options(words: list[str], option: str, value: object) -> None:
    assert options_of(*words)[option] == value


@pytest.mark.parametrize("word, option", [("--ca", "ssl_ca_path"), ("--cert", "ssl_cert_path")])
def test_files_become_paths(word: str, option: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pem"
    path.touch()

    assert options_of(word, str(path))[option] == str(path)


def test_what_is_not_given_is_left_to_the_client() -> None:
    assert set(options_of()) == {"url", "headers", "subprotocols", "close_timeout"}


def test_a_token_is_read_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\r\n")

    assert options_of("--token-file", str(path))["token"] == "abc"


COOKIES = """# Netscape HTTP Cookie File
{host}\tFALSE\t/\tFALSE\t0\tsession\tS3CR3T
#HttpOnly_{host}\tFALSE\t/\tFALSE\t4102444800\tlasting\t2
{host}\tFALSE\t/\tFALSE\t1000000000\texpired\t3
other.example\tFALSE\t/\tFALSE\t0\tforeign\t4
"""


def test_cookies_of_a_file_go_where_they_belong(tmp_path: Path) -> None:
    """As curl and browsers write it; those of the session, without an end, count too."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_close(1000)
        peer.send_close()

    path = tmp_path / "cookies.txt"
    path.write_text(COOKIES.format(host="127.0.0.1"))
    before = path.read_bytes()
    options = options_of("--cookie-file", str(path), "--no-proxy")
    with ScriptedServer(script) as server:
        with tieline.connect(**options | {"url": server.url}):
            pass
        assert server.peers[0].request.headers["cookie"] == "session=S3CR3T; lasting=2"
    assert path.read_bytes() == before


def test_a_file_that_holds_no_cookies(tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    for content in (b"S3CR3T=1\n", b"\xff\xfe", b"# Netscape HTTP Cookie File\nS3CR3T\n"):
        path.write_bytes(content)
        with pytest.raises(CommandError, match="expected a file in the format of Netscape") as told:
            options_of("--cookie-file", str(path))
        assert told.value.status == 2 and "S3CR3T" not in str(told.value)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--cookie", "S3CR3T"], "--cookie: expected NAME=VALUE, got a word without an ="),
        (["--cookie", "a=1; S3CR3T"], "--cookie: expected NAME=VALUE"),
        (["--cookie", "a=S3CR3T", "--cookie-file", "f"], "exclude each other"),
        (["--cookie-file", "/no/such/file"], "cannot read '/no/such/file': No such file"),
        (["--header", "S3CR3T"], "--header: expected 'Name: value', got a word without a colon"),
        (["--token", "S3CR3T", "--token-file", "f"], "exclude each other"),
        (["--proxy", "http://me:S3CR3T@host", "--no-proxy"], "exclude each other"),
        (["--token-file", "/no/such/file"], "cannot read '/no/such/file': No such file"),
        (["--user", "me"], "--user: expected USER:PASS, as there is no terminal to ask"),
        (["--proxy-user", "me"], "--proxy-user: expected USER:PASS, as there is no terminal"),
    ],
)
def test_what_cannot_be_used_is_told_without_secrets(words: list[str], said: str) -> None:
    with pytest.raises(CommandError) as caught:
        options_of(*words)

    assert said in str(caught.value)
    assert "S3CR3T" not in str(caught.value)
    assert caught.value.status == 2


def test_a_password_is_asked_for_where_somebody_can_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Somebody:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Somebody())
    answers = {"Password of me (--user): ": "pass", "Password of us (--proxy-user): ": "word"}
    monkeypatch.setattr("getpass.getpass", answers.__getitem__)

    assert options_of("--user", "me")["password"] == "pass"
    assert options_of("--proxy-user", "us")["proxy_auth"] == ("us", "word")
