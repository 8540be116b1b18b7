"""How a dial would log in → what may be shown of it."""

from __future__ import annotations

from tieline.auth import Basic, Bearer, Digest
from tieline.auth.credentials import safe_scheme
from tieline.engine.login import Login as EngineLogin
from tieline.explaining.explanation import Headers, Login
from tieline.redact import safe_username
from tieline.transport.proxy import Proxy


def first_value(login: EngineLogin, method: str, target: str) -> str | None:
    """The header's value in the first request.

    Of a Digest, which counts what it proves, nothing is used up: then it is only the scheme.
    """
    if isinstance(login.credentials, Digest):
        return "Digest" if login.is_ready else None
    return login.authorization(method, target)


def explain_login(login: EngineLogin, headers: Headers, name: str) -> Login | None:
    """`name` is the header's, in lower case, in which `headers` may hold a value of the user's."""
    for header, value in headers:
        if header.lower() == name:
            scheme = value.partition(" ")[0]
            return Login(
                scheme=scheme if safe_scheme(scheme) == scheme else "a value of its own",
                username=None,
                source="the header given",
            )
    found = login.credentials
    if isinstance(found, Basic):
        username = safe_username(found.username, found.password)
        return Login(scheme="Basic", username=username, source=login.source)
    if isinstance(found, Bearer):
        return Login(scheme=safe_scheme(found.token_type), username=None, source=login.source)
    if isinstance(found, Digest):
        return Login(
            scheme="Digest",
            username=found.username,
            source=login.source,
            note="proved at once, with a nonce that was kept"
            if login.is_ready
            else "proved once the other side has asked for it",
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
    username = None if proxy.username is None else safe_username(proxy.username, proxy.password)
    return Login(scheme=scheme, username=username, source="the proxy's URL")
