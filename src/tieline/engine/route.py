# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Options and a URL → where to dial and what to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from tieline._version import __version__
from tieline.compression import parameters_of
from tieline.engine.credentials import server_login
from tieline.engine.login import Login
from tieline.errors import OptionError
from tieline.options import Options
from tieline.protocol.handshake import UpgradeRequest
from tieline.protocol.settings import Settings
from tieline.redact import has_no_secret, is_secret_header, is_secret_subprotocol
from tieline.request_checks import HeaderPairs
from tieline.transport.dial import Route
from tieline.transport.proxy_choice import ProxyChoice, choose_proxy
from tieline.transport.tls_settings import Peer, TLSSettings
from tieline.transport.url import URL, Scheme, parse_url

if TYPE_CHECKING:
    from tieline.headers import Headers

_USER_AGENT = f"tieline/{__version__}"

#: RFC 6455 section 3 and 11.1; the http forms are what redirects and copied addresses hold.
SCHEMES: Mapping[str, Scheme] = {
    "ws": Scheme(80, False),
    "wss": Scheme(443, True),
    "http": Scheme(80, False, "ws"),
    "https": Scheme(443, True, "wss"),
}


class Shared:
    """What the places that differ in their query have in common."""

    # Python's own attributes, like those of `Place`: dials of several threads look at them and put
    # something there, without a lock.
    __slots__ = ("has_no_login", "route", "settings")

    def __init__(self) -> None:
        #: Without a proxy: which one is asked anew each time. None: not made yet.
        self.route: Route | None = None
        #: Nobody has given credentials for it, nor will. False also while that is not known.
        self.has_no_login = False
        #: With `inspect_frames` and without.
        self.settings: dict[bool, Settings] = {}


class Place:
    """A URL of some options, and what their dials to it have in common once one has made it."""

    __slots__ = ("base", "request", "shared", "url")

    def __init__(self, url: URL, base: Place | None = None) -> None:
        self.url = url
        #: The same without the query of the URL, which may hold a secret: it is kept for good.
        self.base = base
        #: Without credentials, cookies, and headers of one connection; None: not made yet.
        self.request: UpgradeRequest | None = None
        #: What does not depend on the query.
        self.shared: Shared = Shared() if base is None else base.shared


def parse_options_url(options: Options, text: str) -> URL:
    """The URL of an attempt. Raises `OptionError`."""
    known: Place | None = options.parsed.get(text)
    return _parse(options, text) if known is None else known.url


def target_of(options: Options, text: str, headers: HeaderPairs) -> Target:
    """Where an attempt begins. `headers`: those of this connection alone. Raises `OptionError`."""
    place: Place | None = options.parsed.get(text)
    if place is None:
        place = _place(options, text)
    if headers or callable(options.headers):
        return Target(options, place.url, (*options.attempt_headers(), *headers))
    return Target(options, place.url, options.headers, place)


@lru_cache(maxsize=64)
def _parse_plain(text: str, default_port: int | None, default_path: str) -> URL:
    # Programs connect to the same few places. Those that may hold a secret are not kept.
    return parse_url(text, SCHEMES, default_port, default_path)


def _parse(options: Options, text: str) -> URL:
    schemes = SCHEMES
    if not options.schemes and has_no_secret(text):
        return _parse_plain(text, options.default_port, options.default_path)
    if options.schemes:
        further = {n: Scheme(entry["port"], entry["ssl"]) for n, entry in options.schemes.items()}
        schemes = {**SCHEMES, **further}
    return parse_url(text, schemes, options.default_port, options.default_path)


def _place(options: Options, text: str) -> Place:
    if options.kept is not None:
        rest, mark, query = text.partition("?")
        base = _base(options.kept, rest)
        if base is not None and not mark:
            return base
        url = None if base is None else base.url.asking(query)
        if url is not None:
            return Place(url, base)
    return Place(_parse(options, text))


def _base(kept: Options, text: str) -> Place | None:
    base: Place | None = kept.parsed.get(text)
    if base is None:
        try:
            check_addresses(kept)
        except OptionError:
            return None  # the error that users see shows the query, too
        base = kept.parsed[text]
    return base


def check_addresses(options: Options) -> None:
    """What can be said of the URL and the proxy before the dial. Raises `OptionError`."""
    if options.parsed and not isinstance(options.proxy, str):
        return  # they were checked before
    for url in options.urls:
        if isinstance(url, str) and url not in options.parsed:
            options.parsed[url] = _place(options, url)
    if isinstance(options.proxy, str):
        from tieline.transport.proxy import Proxy

        Proxy.parse(options.proxy, options.proxy_headers)


class Target:
    """One place to connect to, and what may be shown there. Nobody changes it."""

    def __init__(
        self,
        options: Options,
        url: URL,
        headers: HeaderPairs,
        place: Place | None = None,
        trusted: bool = True,
        first: URL | None = None,
    ) -> None:
        self.options = options
        self.url = url
        #: Headers of this connection, after those of the options; secrets included.
        self.headers = headers
        #: What it shares with other targets; None where it is not just like them.
        self.place = place
        #: False after a redirect to another origin: credentials and cookies stay behind, also when
        #: another redirect leads back.
        self.trusted = trusted
        #: The URL that the first redirect came from; None before it.
        self.first = first

    @property
    def peer(self) -> Peer:
        """Whom TLS is set up with there."""
        return Peer.SERVER if self.trusted else Peer.ELSEWHERE

    def route(self) -> Route:
        """How to get there. Raises `OptionError`."""
        options, url = self.options, self.url
        place = None if self.place is None else self.place.shared
        if place is not None and place.route is not None:
            if options.proxy is None:
                return place.route
            proxy = proxy_choice(options, url).proxy
            return place.route if proxy is None else replace(place.route, proxy=proxy)
        if not self.trusted:
            # What names or unlocks the first server must not be used on another one.
            options = options.replace(
                connect_to=None,
                unix_socket=None,
                sock=None,
                server_hostname=None,
                ssl_cert_path=None,
                ssl_cert_data=None,
                ssl_key_path=None,
                ssl_key_data=None,
                ssl_key_password=None,
            )
        route = Route(
            host=url.host,
            port=url.port,
            tls=replace(_tls_settings(options), peer=self.peer) if url.secure else None,
            connect_to=options.connect_to,
            unix_path=options.unix_socket or url.unix_path,
            sock=options.sock,
            source_address=options.source_address,
            socket_options=options.socket_options,
            family=options.family,
        )
        if place is not None:
            place.route = route
        proxy = proxy_choice(options, url).proxy
        return route if proxy is None else replace(route, proxy=proxy)

    def request(
        self, authorization: str | None = None, cookies: str | None = None
    ) -> UpgradeRequest:
        """What to ask for there, with these values of the headers Authorization and Cookie."""
        options = self.options
        place = self.place if authorization is None and cookies is None else None
        if place is not None and place.request is not None:
            return place.request
        if place is not None and place.base is not None:
            base = Target(options, place.base.url, self.headers, place.base)
            place.request = base.request().asking_for(self.url.target)
            return place.request
        user_agent = options.user_agent
        pairs = list(self.shown_headers())
        if authorization is not None:
            pairs.append(("Authorization", authorization))
        if cookies is not None:
            pairs.append(("Cookie", cookies))
        request = UpgradeRequest(
            host=self.url.host_header,
            target=self.url.target,
            subprotocols=self._subprotocols(),
            origin=options.origin,
            user_agent=_USER_AGENT if user_agent is None else user_agent,
            headers=tuple(pairs),
            compression=parameters_of(options.compression),
        )
        if place is not None:
            place.request = request
        return request

    def keeps(self, request: UpgradeRequest) -> bool:
        """Is it kept for the dials that follow? Then it says nothing that the options do not."""
        return self.place is not None and self.place.request is request

    def redirected(self, location: str) -> Target:
        """The target that a redirect leads to. Raises `OptionError` for an unusable location."""
        url = self.url.join(location)
        trusted = self.trusted and url.origin == self.url.origin
        return Target(self.options, url, self.headers, None, trusted, self.first or self.url)

    def shown_headers(self) -> HeaderPairs:
        """The user's own headers, as far as they are for this place."""
        if self.trusted:
            return self.headers
        return tuple(
            pair
            for pair in self.headers
            # The Host that names the first server is not that of another one.
            if pair[0].lower() != "host" and not is_secret_header(pair[0])
        )

    def _subprotocols(self) -> tuple[str, ...]:
        """Those that are for this place: some servers take a token as one."""
        offered = self.options.subprotocols
        if self.trusted:
            return offered
        return tuple(name for name in offered if not is_secret_subprotocol(name))

    def login(self) -> Login:
        """Who we are there. Asks the callable in `auth`, and the netrc file."""
        login = server_login(self.options, self.url, self.shown_headers(), self.trusted)
        # A callable may give some the next time, and a netrc file be another one.
        asks = self.options.auth is not None or self.options.netrc is not False
        if self.place is not None and not (login.credentials or login.source or asks):
            self.place.shared.has_no_login = True
        return login

    def needs_no_login(self) -> bool:
        """Is it known that nobody has given credentials for this place, nor will?"""
        return self.place is not None and self.place.shared.has_no_login

    def cookies(self) -> str | None:
        """The Cookie header for this place now; None: there is none, or the user gave his own."""
        given = self.options.cookies
        if given == () or any(name.lower() == "cookie" for name, _ in self.shown_headers()):
            return None
        if not isinstance(given, tuple):
            from tieline.engine.cookies import cookies_for

            return cookies_for(given, self.url, self.first)
        return "; ".join(f"{name}={value}" for name, value in given) if self.trusted else None

    def store_cookies(self, headers: Headers) -> None:
        """Keep what an answer from there sets, in a jar that the user gave."""
        if not isinstance(self.options.cookies, tuple):
            from tieline.engine.cookies import store_cookies

            store_cookies(self.options.cookies, self.url, self.first, headers)


def _tls_settings(options: Options) -> TLSSettings:
    return TLSSettings(
        context=options.ssl_context,
        verify_cert=options.ssl_verify_cert,
        ca_path=options.ssl_ca_path,
        ca_data=options.ssl_ca_data,
        cert_path=options.ssl_cert_path,
        cert_data=options.ssl_cert_data,
        key_path=options.ssl_key_path,
        key_data=options.ssl_key_data,
        key_password=options.ssl_key_password,
        server_hostname=options.server_hostname,
        fingerprint=options.ssl_fingerprint,
    )


def proxy_choice(options: Options, url: URL) -> ProxyChoice:
    """Which proxy the connection goes through, and why. Raises `OptionError`."""
    bypass = None
    if options.sock is not None:
        bypass = "sock is given"
    elif options.unix_socket is not None or url.unix_path is not None:
        bypass = "the way leads to a unix socket"
    choice = choose_proxy(
        options.proxy,
        secure=url.secure,
        host=url.host,
        port=url.port,
        headers=options.proxy_headers,
        bypass=bypass,
    )
    if choice.proxy is None or choice.proxy.scheme != "https":
        return choice
    # Here, since a target without TLS has no settings of its own that could tell whom to trust.
    trust = _tls_settings(options).trust_only
    return choice._replace(proxy=replace(choice.proxy, tls=trust))
