"""Credentials become header values, and never show themselves."""

from __future__ import annotations

import base64

import pytest

from tieline.auth import Basic, Bearer
from tieline.errors import OptionError

SECRET = "hunter2-is-secret"


def test_basic_is_the_example_of_rfc_7617() -> None:
    assert Basic("Aladdin", "open sesame").header_value() == ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    # Section 2.1: the password is "123" and a pound sign, in UTF-8.
    assert Basic("test", "123£").header_value() == "Basic dGVzdDoxMjPCow=="


@pytest.mark.parametrize("username, password", [("", ""), ("key", ""), ("", "p"), ("ü", "a:b:c")])
def test_basic_splits_at_the_first_colon(username: str, password: str) -> None:
    scheme, _, encoded = Basic(username, password).header_value().partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode().split(":", 1) == [username, password]


def test_basic_refuses_a_colon_in_the_user_name() -> None:
    with pytest.raises(OptionError, match="colon.*RFC 7617") as caught:
        Basic(f"user:{SECRET}", "")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\x1f", "\x7f", "\ud800"])
@pytest.mark.parametrize("part", ["user name", "password"])
def test_basic_refuses_what_cannot_be_sent(part: str, character: str) -> None:
    spoilt = SECRET + character
    arguments = (spoilt, "p") if part == "user name" else ("u", spoilt)
    with pytest.raises(OptionError, match=part) as caught:
        Basic(*arguments)
    assert_silent(caught.value)


@pytest.mark.parametrize("wrong", [None, 7, b"bytes", ["list"]])
def test_a_part_of_another_type_is_named(wrong: object) -> None:
    given = type(wrong).__name__
    with pytest.raises(OptionError, match=f"user name must be a str, got {given}"):
        Basic(wrong, "p")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=f"password must be a str, got {given}"):
        Basic("u", wrong)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=f"token must be a str, got {given}"):
        Bearer(wrong)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=f"token_type must be a str, got {given}"):
        Bearer("t", wrong)  # type: ignore[arg-type]


def test_bearer_puts_the_type_before_the_token() -> None:
    assert Bearer("mF_9.B5f-4.1JqM").header_value() == "Bearer mF_9.B5f-4.1JqM"
    assert Bearer("k", token_type="ApiKey").header_value() == "ApiKey k"


@pytest.mark.parametrize(
    "token, advice",
    [
        ("", "empty"),
        (SECRET + "\n", r"strip\(\)"),
        (" " + SECRET, r"strip\(\)"),
        (SECRET + "\r\nX: y", "printable"),
        (SECRET + "\0", "printable"),
        (SECRET + "é", "printable"),
    ],
)
def test_bearer_refuses_what_cannot_be_sent(token: str, advice: str) -> None:
    with pytest.raises(OptionError, match=advice) as caught:
        Bearer(token)
    assert_silent(caught.value)


@pytest.mark.parametrize("token_type", ["", "two words", "Bearer\n", "Bearer:", "é"])
def test_bearer_refuses_a_type_that_is_no_scheme(token_type: str) -> None:
    with pytest.raises(OptionError, match="token_type"):
        Bearer(SECRET, token_type)


def test_reprs_mask() -> None:
    assert repr(Basic("joe", SECRET)) == "Basic(username='joe', password=***)"
    assert repr(Bearer(SECRET)) == "Bearer(token=***, token_type='Bearer')"
    assert SECRET not in f"{Basic('joe', SECRET)} {[Bearer(SECRET)]}"


def test_equal_credentials_are_equal_and_cannot_change() -> None:
    assert Basic("a", "b") == Basic("a", "b") != Basic("a", "c")
    assert len({Bearer("t"), Bearer("t"), Bearer("t", "Token")}) == 2
    with pytest.raises(AttributeError):
        Basic("a", "b").password = "c"  # type: ignore[misc]


def assert_silent(error: BaseException) -> None:
    """The error shows no secret, nor does any error that hangs on it."""
    link: BaseException | None = error
    while link is not None:
        assert SECRET not in str(link) + repr(link)
        link = link.__cause__ or link.__context__
