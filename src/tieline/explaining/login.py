"""How a dial would log in → what may be shown of it."""

from __future__ import annotations

from tieline.auth import Basic, Bearer, Digest
from tieline.engine.login import Login as EngineLogin
from tieline.explaining.explanation import Headers, Login
from tieline.transport.proxy import Proxy

#: Shown of a value that the user wrote; anything else at its beginning may be the secret itself.
_SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey"})


def first_value(login: EngineLogin, method: str, target: str) -> str | None:
    """The header's value in the first request.

    Of a Digest, which counts what it proves, nothing is used up: then it is None.
    """
    if isinstance(login.credentials, Digest):
        return None
    return login.authorization(method, target)


def explain_login(login: EngineLogin, headers: Headers, name: str) -> Login | None:
    """`name` is the header's, in lower case, in which `headers` may hold a value of the user's."""
    for header, value in headers:
        if header.lower() == name:
            scheme = value.partition(" ")[0]
            known = scheme.lower() in _SCHEMES
            return Login(
                scheme=scheme if known else "a value of its own",
                username=None,
                source="the header given",
            )
    found = login.credentials
    if isinstance(found, Basic):
        return Login(scheme="Basic", username=found.username, source=login.source)
    if isinstance(found, Bearer):
        return Login(scheme=found.token_type, username=None, source=login.source)
    if isinstance(found, Digest):
        return Login(
            scheme="Digest",
            username=found.username,
            source=login.source,
            note="proved once the other side has asked for it",
        )
    if login.source:
        # Only a callable may have nothing to say yet.
        return Login(
            scheme="none at first",
            username=None,
            source=login.source,
            note="the callable is asked again when the other side wants a login",
        )
    return None


def explain_socks_login(proxy: Proxy) -> Login | None:
    """What a SOCKS proxy is told. All of it goes unencrypted."""
    if proxy.username is None and proxy.password is None:
        return None
    scheme = "SOCKS4 user id" if proxy.scheme.startswith("socks4") else "SOCKS5 user and password"
    return Login(scheme=scheme, username=proxy.username, source="the proxy's URL")
