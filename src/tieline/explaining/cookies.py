"""Cookies of the options, or of a jar → which would be sent, and why the others would not."""

from __future__ import annotations

from collections.abc import Iterable
from http.cookiejar import Cookie as JarCookie

from tieline.engine.cookies import jar_host
from tieline.engine.route import Target
from tieline.explaining.explanation import Cookie
from tieline.headers import is_sendable
from tieline.transport.url import URL


def explain_cookies(target: Target) -> tuple[Cookie, ...]:
    """What is sent is asked of the target, as a dial does. Only the reasons are found here."""
    given = target.options.cookies
    is_own = any(name.lower() == "cookie" for name, _ in target.shown_headers())
    if isinstance(given, tuple):
        reason = "a Cookie header is given" if is_own else "from cookies="
        return tuple(Cookie(name=name, sent=not is_own, reason=reason) for name, _ in given)
    # Before the jar is asked, which forgets then what has expired.
    known: list[JarCookie] = list(given)
    header = target.cookies()
    sent = set((header or "").split("; "))
    return tuple(_of_jar(known, sent, target.url, is_own))


def _of_jar(known: Iterable[JarCookie], sent: set[str], url: URL, is_own: bool) -> Iterable[Cookie]:
    for cookie in known:
        pair = cookie.name if cookie.value is None else f"{cookie.name}={cookie.value}"
        if is_own:
            yield Cookie(name=cookie.name, sent=False, reason="a Cookie header is given")
        elif pair in sent and not _reason(cookie, url):
            yield Cookie(name=cookie.name, sent=True, reason=f"from the jar, for {cookie.domain}")
        else:
            reason = _reason(cookie, url) or "the jar's policy does not let it go there"
            yield Cookie(name=cookie.name, sent=False, reason=reason)


def _reason(cookie: JarCookie, url: URL) -> str:
    """Why RFC 6265 section 5.4 leaves it out; "" if nothing speaks against it."""
    if cookie.is_expired():
        return "it has expired"
    if not _is_for(cookie, jar_host(url)):
        return f"it is for {cookie.domain}"
    if cookie.secure and not url.secure:
        return "it is for TLS only (Secure)"
    if not is_sendable(f"{cookie.name}={cookie.value or ''}"):
        return "it holds a character that no header can carry"
    path = url.target.partition("?")[0]
    if not (path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/")):
        return f"it is for the path {cookie.path}"
    return ""


def _is_for(cookie: JarCookie, host: str) -> bool:
    # A jar writes "name.local" for names without a dot.
    names = {host, f"{host}.local"}
    domain = cookie.domain.lower()
    if not cookie.domain_specified and not domain.startswith("."):
        return domain in names
    suffix = "." + domain.lstrip(".")
    return any(f".{name}".endswith(suffix) for name in names)
