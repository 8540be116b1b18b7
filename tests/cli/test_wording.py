"""Wording: errors of the library name the command's options, and nothing else is touched."""

from __future__ import annotations

import pytest

from tieline.cli.wording import in_the_commands_words


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "it is self-signed: give it as ssl_ca_path=, or pin it with ssl_fingerprint= and "
            "ssl_verify_cert=False",
            "it is self-signed: give it as --ca, or pin it with --fingerprint and --insecure",
        ),
        (
            "give auth=(user, password), token=... or user:password@ in the URL",
            "give --user USER:PASS, --token T or user:password@ in the URL",
        ),
        (
            "give proxy_auth=(user, password), or both in the proxy's URL",
            "give --proxy-user USER:PASS, or both in the proxy's URL",
        ),
        ("Basic with username= was refused", "Basic with --user was refused"),
        (
            "options 'username' and 'token' are both given; give one of them",
            "options --user and --token are both given; give one of them",
        ),
        ("ssl_ca_path: cannot read 'nope.pem'", "--ca: cannot read 'nope.pem'"),
        ("none: proxy=None", "none: --no-proxy"),
        (
            "may want a cookie (cookies=), a login (auth=), or another URL",
            "may want a cookie (--cookie), a login (--user), or another URL",
        ),
        ("one of its names as server_hostname=", "one of its names as --server-hostname"),
    ],
)
def test_options_are_named_as_the_command_names_them(text: str, said: str) -> None:
    assert in_the_commands_words(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "check user name and password, or the token",
        "the cookies of the auth server",
        "ws://host/feed?token=***&username=a refused",
        "cannot read '/home/me/ssl_ca_path/token': No such file",
        "the header's proxy_auth_x is unknown",
    ],
)
def test_what_is_no_option_stays(text: str) -> None:
    assert in_the_commands_words(text) == text
