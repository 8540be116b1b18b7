"""The entry of a host is found, and a file that cannot be used is named without a word of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.refusals import SECRET, assert_silent
from tieline.auth import Basic
from tieline.auth.netrc_file import netrc_credentials
from tieline.errors import OptionError

FILE = f"""# a comment
machine Example.com login joe password "{SECRET} one"
machine ::1 login six password {SECRET}
machine mute login nobody
default login anyone password {SECRET}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    return tmp_path


def write(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def refusal(given: bool | str, host: str = "example.com") -> str:
    with pytest.raises(OptionError) as caught:
        netrc_credentials(given, host)
    assert_silent(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "host, expected",
    [
        ("example.com", Basic("joe", f"{SECRET} one")),
        ("EXAMPLE.COM", Basic("joe", f"{SECRET} one")),
        ("::1", Basic("six", SECRET)),
        ("mute", Basic("nobody", "")),
        ("other.example", Basic("anyone", SECRET)),
    ],
)
def test_entries(home: Path, host: str, expected: Basic) -> None:
    assert netrc_credentials(write(home / "file", FILE), host) == expected


@pytest.mark.parametrize(
    "text", ["machine h\n", "default\n", "machine h password x\n", "machine h\ndefault login d\n"]
)
def test_without_a_name_nobody_logs_in(home: Path, text: str) -> None:
    path = write(home / "file", text)
    try:
        assert netrc_credentials(path, "h") is None
    except OptionError as error:  # Python 3.11.0 to 3.11.3 wants a login
        assert "not valid" in str(error)


def test_no_entry(home: Path) -> None:
    path = write(home / "file", "machine a login b password c\n")
    assert netrc_credentials(path, "example.com") is None
    with_default = write(home / "other", FILE)
    assert netrc_credentials(with_default, "other.example", default=False) is None
    assert netrc_credentials(with_default, "example.com", default=False) is not None


def test_where_it_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".netrc", "machine h login usual password p\n")
    write(home / "other", "machine h login named password p\n")
    assert netrc_credentials(True, "h") == Basic("usual", "p")
    assert netrc_credentials("~/other", "h") == Basic("named", "p")
    monkeypatch.setenv("NETRC", str(home / "other"))
    assert netrc_credentials(True, "h") == Basic("named", "p")
    assert netrc_credentials("~/.netrc", "h") == Basic("usual", "p")
    monkeypatch.setenv("NETRC", "")
    assert netrc_credentials(True, "h") == Basic("usual", "p")


def test_it_is_read_anew(home: Path) -> None:
    path = write(home / "file", "machine h login a password p\n")
    assert netrc_credentials(path, "h") == Basic("a", "p")
    write(home / "file", "machine h login b password p\n")
    assert netrc_credentials(path, "h") == Basic("b", "p")


@pytest.mark.skipif(os.name != "posix", reason="these are permissions of POSIX")
def test_others_may_not_read_the_users_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(home / ".netrc", f"machine h login a password {SECRET}\n", 0o644)
    text = refusal(True, "h")
    assert path in text and "chmod 600" in text
    # Whoever names a file has decided, as for the standard library.
    assert netrc_credentials(path, "h") is not None
    monkeypatch.setenv("NETRC", path)
    assert netrc_credentials(True, "h") is not None


@pytest.mark.skipif(os.name != "posix", reason="these are permissions of POSIX")
def test_it_is_nobody_elses(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".netrc", f"machine h login a password {SECRET}\n")
    monkeypatch.setattr(os, "getuid", lambda: os.stat(home / ".netrc").st_uid + 1)
    assert "another user" in refusal(True, "h")


@pytest.mark.parametrize(
    "text, line",
    [
        (f"machine h login a password b {SECRET}\n", 1),
        (f"{SECRET}\n", 1),
        (f"machine h login a\n\n\npasswrd {SECRET}\n", 4),
    ],
)
def test_a_file_that_is_not_valid(home: Path, text: str, line: int) -> None:
    """Mostly a password with a blank: the standard library's error would show its second half."""
    path = write(home / "file", text)
    told = refusal(path)
    assert path in told and "not valid near line" in told and "option 'netrc'" in told
    assert any(f"line {number}" in told for number in (line, line + 1))


def test_a_file_that_cannot_be_read(home: Path) -> None:
    assert str(home / ".netrc") in refusal(True) and "No such file" in refusal(True)
    assert "cannot be read" in refusal(str(home))
    (home / "file").write_bytes(b"machine h login a password \xff" + SECRET.encode())
    assert "UTF-8" in refusal(str(home / "file"))


def test_an_entry_that_cannot_be_sent(home: Path) -> None:
    path = write(home / "file", f"machine example.com login a:b password {SECRET}\n")
    assert "colon" in refusal(path)
