"""Options and a URL, or a proxy → which of the credentials that the user gave are for it.

The first of these counts: a header of the user's own, the options `auth`, `username` and `token`
(`proxy_auth` for a proxy), the userinfo of the URL, the netrc file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieline.engine.login import Ask, Login, Party
from tieline.options import Options
from tieline.request_checks import HeaderPairs
from tieline.transport.url import URL

if TYPE_CHECKING:
    from tieline.auth import Credentials
    from tieline.transport.proxy import Proxy

_ADVICE = "give auth=(user, password), token=... or user:password@ in the URL"
_ELSEWHERE = "the credentials given are for the first origin, and were not sent to this one"


def server_login(options: Options, url: URL, headers: HeaderPairs, trusted: bool) -> Login:
    """How to log in to the server of this URL. Asks the callable in `auth`, if there is one.

    `trusted`: it is the origin that the user has named, not one that a redirect led to. To the
    others goes what is meant for them: the URL's own, the netrc file's entry for that host, and,
    once they ask, what a callable gives that sees who does.
    """
    given = options.auth is not None or options.username is not None or options.token is not None
    advice = _ELSEWHERE if given and not trusted else _ADVICE
    party = Party(url.safe, False, url.origin, advice)
    if headers and any(name.lower() == "authorization" for name, _ in headers):
        return Login(party, None, "the Authorization header given")
    if given and (trusted or callable(options.auth)):
        ask = _asking(options.auth, lambda seen: options.attempt_auth(url.safe, seen))
        found = options.attempt_auth(url.safe) if trusted else None
        if found is not None:
            return Login(party, found, _option(options), ask)
        if ask is not None:
            found, source = _by_place(options, url, trusted)
            return Login(party, found, source or "auth=", ask, renews=trusted)
    return Login(party, *_by_place(options, url, trusted))


def _by_place(options: Options, url: URL, trusted: bool) -> tuple[Credentials | None, str]:
    """What the URL holds, or else the netrc file, and which of them it was."""
    if url.username is not None:
        from tieline.auth import Basic

        return Basic(url.username, url.password or ""), "the URL's user name and password"
    if options.netrc is not False:
        from tieline.auth.netrc_file import netrc_credentials

        # The entry called default is for where the user connects, not for where he is led to.
        found = netrc_credentials(options.netrc, url.host, default=trusted)
        if found is not None:
            return found, "the netrc file's entry"
    return None, ""


def _option(options: Options) -> str:
    return next(
        f"{name}=" for name in ("token", "username", "auth") if getattr(options, name) is not None
    )


def _asking(function: object, ask: Ask) -> Ask | None:
    if not callable(function):
        return None
    from tieline.auth.asking import sees_challenges

    return ask if sees_challenges(function) else None


def proxy_login(options: Options, proxy: Proxy) -> Login:
    """How to log in to this HTTP proxy. Asks the callable in `proxy_auth`, if there is one."""
    origin = (proxy.scheme, proxy.host, proxy.port)
    party = Party(
        proxy.safe, True, origin, "give proxy_auth=(user, password), or both in the proxy's URL"
    )
    if any(name.lower() == "proxy-authorization" for name, _ in proxy.headers):
        return Login(party, None, "the Proxy-Authorization header given")
    ask = _asking(options.proxy_auth, lambda seen: options.attempt_proxy_auth(proxy.safe, seen))
    found = options.attempt_proxy_auth(proxy.safe)
    if found is not None or ask is not None:
        return Login(party, found, "proxy_auth=", ask)
    if proxy.username is not None:
        from tieline.auth import Basic

        pair = Basic(proxy.username, proxy.password or "")
        return Login(party, pair, "the user name and password of the proxy's URL")
    if options.netrc is not False:
        from tieline.auth.netrc_file import netrc_credentials

        # Not the entry called default: that is meant for servers, and goes out unasked.
        entry = netrc_credentials(options.netrc, proxy.host, default=False)
        if entry is not None:
            return Login(party, entry, "the netrc file's entry")
    return Login(party, None, "")
