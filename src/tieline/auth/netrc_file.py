"""A host → the user name and password that the user's netrc file has for it."""

from __future__ import annotations

import os
import stat
from typing import NoReturn

from tieline.auth.credentials import Basic
from tieline.errors import OptionError

_WORDS = "machine, default, login, account, password or macdef; quote a value that holds a blank"


def netrc_credentials(given: bool | str, host: str, *, default: bool = True) -> Basic | None:
    """The entry of `host`, or (if `default`) the one called default, as `Basic`; or None.

    `given`: the file's path, or True for $NETRC or else ~/.netrc (~/_netrc on Windows), which must
    be the user's own when it holds a password. The file is read anew each time. Raises
    `OptionError` for a file that is missing, unsafe or malformed; the text shows nothing of it.
    """
    import netrc  # late: few programs have use for it

    path, is_usual = _path(given)
    try:
        parsed = netrc.netrc(path)
    except netrc.NetrcParseError as error:
        # Its text quotes the word that it stumbled over: mostly a part of a password.
        problem = f"it is not valid near line {error.lineno}; expected {_WORDS}"
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except OSError as error:
        problem = f"it cannot be read: {error.strerror or error}"
    else:
        found = _entry(parsed, host, default)
        if found is None:
            return None
        if is_usual and found[1]:
            _check_owner(path)
        try:
            return Basic(*found)
        except OptionError as error:
            problem = f"the entry for {host!r} cannot be used: {error}"
    _refuse(path, problem)


def _path(given: bool | str) -> tuple[str, bool]:
    """And whether nobody has named it."""
    named = given if isinstance(given, str) else os.environ.get("NETRC")
    if named:
        return os.path.expanduser(named), False
    home = os.path.expanduser("~")
    usual = os.path.join(home, ".netrc")
    other = os.path.join(home, "_netrc")
    return other if os.name == "nt" and not os.path.exists(usual) else usual, True


def _entry(parsed: object, host: str, default: bool) -> tuple[str, str] | None:
    hosts: dict[str, tuple[str, str | None, str | None]] = parsed.hosts  # type: ignore[attr-defined]
    # Names of hosts know no case; "default" is what the file calls its last entry.
    named = {name.lower(): entry for name, entry in hosts.items()}
    name = host.lower()
    entry = None if name == "default" else named.get(name)
    if entry is None and default:
        entry = named.get("default")
    # Without a name there is nobody to log in.
    return (entry[0], entry[2] or "") if entry is not None and entry[0] else None


def _check_owner(path: str) -> None:
    """As the standard library does for the same file: others must not be able to read it."""
    if os.name != "posix":
        return
    found = os.stat(path)
    if found.st_uid != os.getuid():
        _refuse(path, "it belongs to another user")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _refuse(path, "others may read or change it; run: chmod 600 on it")


def _refuse(path: str, problem: str) -> NoReturn:
    raise OptionError(f"option 'netrc': the file {path!r}: {problem}")
