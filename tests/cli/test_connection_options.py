"""The words about a connection, and the options that they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tieline.cli.arguments import parse
from tieline.cli.connection_options import connection_options
from tieline.cli.status import CommandError
from tieline.options import Options


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


@pytest.mark.parametrize(
    "words, said",
    [
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
