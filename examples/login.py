"""A server that wants a login: a function that sees its challenges, and cookies kept in a file.

    python examples/login.py wss://example.com/ USER COOKIES.txt

It needs any server that answers; `tieline serve` wants no login, and Apache or nginx in front of it
may. The password is in the environment variable PASSWORD, or asked for when the server wants it.
"""

from __future__ import annotations

import getpass
import os
import sys
from http.cookiejar import MozillaCookieJar
from urllib.parse import urlsplit

import tieline


def main(url: str, user: str, cookie_file: str) -> None:
    jar = MozillaCookieJar(cookie_file)
    if os.path.exists(cookie_file):
        jar.load(ignore_discard=True)

    def answer(asked: str, challenges: tuple[tieline.Challenge, ...]) -> tieline.Digest | None:
        # First it is asked without any: nothing is sent before a server wants it. And a redirect
        # to another server must not get what is for this one.
        if not challenges or urlsplit(asked).netloc != urlsplit(url).netloc:
            return None
        password = os.environ.get("PASSWORD") or getpass.getpass(f"{challenges[0].realm!r}: ")
        # Never sent in the clear. Give (user, password) where Basic is fine too.
        return tieline.Digest(user, password)

    try:
        with tieline.connect(url, auth=answer, cookies=jar) as ws:
            print("logins:", [login["scheme"] for login in ws.connection_info()["authentication"]])
            print("cookies:", [cookie.name for cookie in jar])
            ws.send("hello")
            print("answer:", ws.recv(timeout=5))
    except tieline.HandshakeError as error:
        # It says what was asked for, what was tried, and what to do.
        raise SystemExit(str(error)) from error
    finally:
        # A refusal may set cookies too.
        jar.save(ignore_discard=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:4])
