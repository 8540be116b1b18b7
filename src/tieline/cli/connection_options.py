"""The words about a connection → the options of its `WebSocketClient`."""

from __future__ import annotations

import getpass
import math
import sys
import warnings
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieline.cli.status import usage_error

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

#: A person waits: less patience with a server that does not answer a Close than a program has.
_CLOSE_TIMEOUT = 3.0

#: More than any token; a wrong file name should not fill the memory.
_TOKEN_LIMIT = 64 * 1024


def connection_options(arguments: Namespace) -> dict[str, Any]:
    """What `WebSocketClient` takes. Raises `CommandError`; asks for a password if need be."""
    options: dict[str, Any] = {
        "url": arguments.url,
        "headers": [_header(word) for word in arguments.header],
        "subprotocols": arguments.subprotocol,
        "close_timeout": _CLOSE_TIMEOUT,
    }
    given = {
        "origin": arguments.origin,
        "proxy": arguments.proxy,
        "unix_socket": arguments.unix_socket,
        "ssl_ca_path": arguments.ca,
        "ssl_cert_path": arguments.cert,
        "ssl_key_path": arguments.key,
        "server_hostname": arguments.server_hostname,
        "ssl_fingerprint": arguments.fingerprint,
        "connect_timeout": arguments.timeout,
        "token": _token(arguments),
        "cookies": _cookies(arguments),
    }
    options.update({name: value for name, value in given.items() if value is not None})
    if arguments.user is not None:
        options["username"], options["password"] = _credentials("--user", arguments.user)
    if arguments.netrc:
        options["netrc"] = True
    if arguments.proxy_user is not None:
        options["proxy_auth"] = _credentials("--proxy-user", arguments.proxy_user)
    if arguments.no_proxy:
        if arguments.proxy is not None:
            usage_error("--proxy and --no-proxy exclude each other")
        options["proxy"] = None
    if arguments.no_compression:
        options["compression"] = None
    if arguments.insecure:
        options["ssl_verify_cert"] = False
    if arguments.ping_interval is not None:
        off = arguments.ping_interval in (0, math.inf)
        options["ping_interval"] = None if off else arguments.ping_interval
    return options


def _header(word: str) -> tuple[str, str]:
    name, colon, value = word.partition(":")
    if not colon:
        # What was given may be a secret, so it is not repeated.
        usage_error("--header: expected 'Name: value', got a word without a colon")
    return name.strip(), value.strip()


def _credentials(option: str, word: str) -> tuple[str, str]:
    user, colon, password = word.partition(":")
    if colon:
        return user, password
    if sys.stdin is None or not sys.stdin.isatty():
        usage_error(
            f"{option}: expected USER:PASS, as there is no terminal to ask for the password"
        )
    try:
        return user, getpass.getpass(f"Password of {user} ({option}): ")
    except EOFError:
        usage_error(f"{option}: expected a password, got the end of the input")


def _cookies(arguments: Namespace) -> dict[str, str] | CookieJar | None:
    if arguments.cookie_file is not None:
        if arguments.cookie:
            usage_error("--cookie and --cookie-file exclude each other")
        return _cookie_jar(arguments.cookie_file)
    cookies: dict[str, str] = {}
    for word in arguments.cookie:
        # Several in one word, as in the header and in curl's -b.
        for part in filter(None, map(str.strip, word.split(";"))):
            name, equals, value = part.partition("=")
            if not equals:
                # What was given may be a secret, so it is not repeated.
                usage_error("--cookie: expected NAME=VALUE, got a word without an =")
            cookies[name.strip()] = value.strip()
    return cookies or None


def _cookie_jar(path: str) -> CookieJar:
    from http.cookiejar import LoadError, MozillaCookieJar

    jar = MozillaCookieJar(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it takes an odd line for a bug of its own
            jar.load(ignore_discard=True, ignore_expires=True)
    except (LoadError, ValueError):
        # Its own words would repeat the line.
        usage_error(
            "--cookie-file: expected a file in the format of Netscape, which begins with the line "
            f"'# Netscape HTTP Cookie File'; {path!r} has a line that does not belong there"
        )
    except OSError as error:
        usage_error(f"--cookie-file: cannot read {path!r}: {error.strerror}")
    for cookie in jar:
        if cookie.expires == 0:  # how curl writes that it lasts as long as the session
            cookie.expires, cookie.discard = None, True
    jar.clear_expired_cookies()
    return jar


def _token(arguments: Namespace) -> str | None:
    if arguments.token_file is None:
        token: str | None = arguments.token
        return token
    if arguments.token is not None:
        usage_error("--token and --token-file exclude each other")
    path = Path(arguments.token_file)
    try:
        with path.open("rb") as file:
            content = file.read(_TOKEN_LIMIT)
    except OSError as error:
        usage_error(f"--token-file: cannot read {str(path)!r}: {error.strerror}")
    # Editors end a file with a line end, which is no part of the token. What else cannot stand in
    # a header is refused with the option.
    return content.decode("utf-8", "replace").strip()
