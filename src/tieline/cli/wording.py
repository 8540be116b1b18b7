"""What the library says of its options → the same in the command's words."""

from __future__ import annotations

import re

#: As errors write them → as the command does. Longer ones first: they hold shorter ones.
_WORDS = {
    "auth=(user, password)": "--user USER:PASS",
    "proxy_auth=(user, password)": "--proxy-user USER:PASS",
    "ssl_verify_cert=False": "--insecure",
    "netrc=True": "--netrc",
    "proxy=None": "--no-proxy",
    "proxy=": "--proxy ",
    "token=...": "--token T",
    "connect_timeout": "--timeout",
    "ssl_ca_path": "--ca",
    "ssl_cert_path": "--cert",
    "ssl_key_path": "--key",
    "ssl_fingerprint": "--fingerprint",
    "server_hostname": "--server-hostname",
    "unix_socket": "--unix-socket",
    "proxy_auth": "--proxy-user",
    "username": "--user",
    "cookies": "--cookie",
    "auth": "--user",
    "token": "--token",
}
_KNOWN = re.compile(
    # Not inside of a word, a path or a query: those are the user's own.
    r"(?<![\w./?&=-])(?P<quote>'?)(?P<option>"
    + "|".join(map(re.escape, sorted(_WORDS, key=len, reverse=True)))
    + r")(?P=quote)(?P<equals>=(?![\w'\"]))?(?![\w./-])"
)
#: Words that are also plain English, and mean the option only where they are written as one.
_ENGLISH = frozenset({"username", "token", "cookies", "auth"})


def in_the_commands_words(text: str) -> str:
    """An error's text, its options named as the command names them."""
    return _KNOWN.sub(_replaced, text)


def _replaced(match: re.Match[str]) -> str:
    if match["option"] in _ENGLISH and not (match["quote"] or match["equals"]):
        return match[0]
    return _WORDS[match["option"]]
