# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Options → an open WebSocket connection: dial, log in, upgrade, follow redirects, in one time."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from tieline.compression import Compression, parameters_of
from tieline.engine.credentials import proxy_login
from tieline.engine.random_bytes import random_bytes
from tieline.engine.record import Record
from tieline.engine.redirects import STATUSES, Redirects, is_redirect
from tieline.engine.route import Target
from tieline.engine.upgrade import Tell, upgrade
from tieline.errors import ConnectError, HandshakeError, ProxyError
from tieline.headers import Headers, HeadLimits
from tieline.hostnames import authority
from tieline.options import Options
from tieline.protocol.connection import Connection
from tieline.protocol.endpoints import client_connection
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.settings import Settings
from tieline.transport.attempt import Attempt
from tieline.transport.dial import Route, dial
from tieline.transport.stream import Stream

if TYPE_CHECKING:
    from tieline.auth import Challenge
    from tieline.engine.login import Login
    from tieline.transport.proxy import Proxy


class Connected:
    """What `connect` returns: everything that a session needs."""

    def __init__(self, connection: Connection, stream: Stream, response: HandshakeResponse) -> None:
        self.connection = connection
        #: Another one once an event loop has taken it over.
        self.stream = stream
        self.response = response


def connection_settings(options: Options, inspect_frames: bool) -> Settings:
    """The options that concern the protocol."""
    return _settings(
        options.max_message_size,
        options.max_fragments,
        options.ping_interval,
        options.ping_timeout,
        options.heartbeat_interval,
        options.close_timeout,
        options.decode_text,
        inspect_frames,
        options.compression,
        options.max_head_size,
        options.max_header_count,
        options.max_error_body,
    )


@lru_cache(maxsize=64)
def _settings(
    max_message_size: int | None,
    max_fragments: int | None,
    ping_interval: float | None,
    ping_timeout: float,
    heartbeat_interval: float | None,
    close_timeout: float,
    decode_text: bool,
    inspect_frames: bool,
    compression: Compression,
    max_head_size: int,
    max_header_count: int,
    max_error_body: int,
) -> Settings:
    # Immutable, and the same for most connections of a program: so they share one.
    return Settings(
        max_message_size=max_message_size,
        max_fragments=max_fragments,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        heartbeat_interval=heartbeat_interval,
        close_timeout=close_timeout,
        decode_text=decode_text,
        inspect_frames=inspect_frames,
        compression=parameters_of(compression),
        head_limits=HeadLimits(
            max_head_size=max_head_size,
            max_header_count=max_header_count,
            max_body=max_error_body,
        ),
    )


def connect(
    target: Target, settings: Settings, attempt: Attempt, record: Record, tell: Tell | None
) -> Connected:
    """Connect, on the calling thread, within the attempt's deadline.

    `record` learns of things as they become known, also when the attempt fails. `tell(kind,
    **data)` gets the events. Raises `ConnectError` or `OptionError`; every socket is closed then.
    """
    record.begin(attempt)
    journey = _Journey(settings, attempt, record, tell)
    try:
        while True:
            try:
                outcome = journey.visit(target)
            except ConnectError as error:
                journey.explain(error)
                raise
            if isinstance(outcome, Connected):
                return outcome
            target = journey.follow(target, outcome)
    except BaseException:
        # A login that fails before the dial has not handed it over.
        given = target.options.sock
        if given is not None and hasattr(given, "close"):
            given.close()
        raise
    finally:
        record.end(attempt)


class _Journey:
    """One call of `connect`: what its requests to one place after the other have in common.

    Most ask once, and are let in without a login: what more is needed is made when it is.
    """

    def __init__(
        self, settings: Settings, attempt: Attempt, record: Record, tell: Tell | None
    ) -> None:
        self._settings = settings
        self._attempt = attempt
        self._record = record
        self._tell = tell
        #: Since the first answer that is not to stay.
        self._redirects: Redirects | None = None
        #: Origin of a proxy → its login, which a redirect does not end.
        self._proxy_logins: dict[tuple[str, str, int], Login] | None = None

    def visit(self, target: Target) -> Connected | HandshakeResponse:
        """Ask there, and log in where that is asked for. An answer to be followed is returned."""
        login = None if target.needs_no_login() else target.login()
        while True:
            cookies = None if target.options.cookies == () else target.cookies()
            outcome = self._ask(target, login, cookies)
            if isinstance(outcome, Connected):
                return outcome
            response = outcome.response
            assert response is not None
            self._asked(target, cookies)
            if response.status == 401:
                if login is None:
                    login = target.login()
                self._answer(target, login, outcome, response)
            elif target.options.max_redirects and is_redirect(response):
                return response
            elif response.status in STATUSES and not is_redirect(response):
                raise HandshakeError(f"{outcome}, without a Location to go to", response)
            else:
                raise outcome

    def _asked(self, target: Target, cookies: str | None) -> None:
        """This was asked, and is not the end."""
        if self._redirects is None:
            self._redirects = Redirects(target)
            self._record.add(redirects=self._redirects.followed)
        self._redirects.asked(target, cookies)

    def follow(self, target: Target, response: HandshakeResponse) -> Target:
        """Where an answer leads. Raises ConnectError when that is nowhere."""
        assert self._redirects is not None
        there = self._redirects.follow(target, response)
        if self._tell is not None:
            from tieline.events import RedirectEvent

            self._tell(RedirectEvent, status=response.status, location=there.url.safe)
        return there

    def explain(self, error: ConnectError) -> None:
        """Say in its text how one came to a place that nobody has asked for."""
        if self._redirects is not None:
            self._redirects.explain(error)

    def _ask(
        self, target: Target, login: Login | None, cookies: str | None
    ) -> Connected | HandshakeError:
        """One dial and one upgrade; a refusal that has a response is returned, not raised."""
        authorization = None
        if login is not None:
            authorization = login.authorization("GET", target.url.target)
        request = target.request(authorization, cookies)
        connection = client_connection(request, target.url.safe, self._settings, random_bytes)
        # Once on the list, a socket that was handed over is ours, also when the dial fails.
        route = target.route()
        attempt = self._attempt
        stream = dial(route, attempt) if route.proxy is None else self._dial_through(target, route)
        try:
            outcome = upgrade(connection, stream, target, attempt, self._record, self._tell)
            if isinstance(outcome, HandshakeResponse):
                if login is not None and not login.accepted(outcome.headers):
                    raise HandshakeError(
                        f"{target.url.safe} accepted the upgrade, but its Authentication-Info "
                        "shows that it does not know the password (RFC 7616 section 3.5): is this "
                        "the right server?",
                        outcome,
                    )
                return Connected(connection, stream, outcome)
        except BaseException:
            stream.close()
            raise
        stream.close()
        return outcome

    def _answer(
        self,
        target: Target,
        login: Login,
        refusal: HandshakeError,
        response: HandshakeResponse,
    ) -> None:
        """Have the next request answer a 401. Raises when there is nothing better to say."""
        lines = response.headers.get_all("www-authenticate")
        challenge = login.challenged(lines)
        if challenge is None:
            raise HandshakeError(f"{refusal}; {login.explain(lines)}", response)
        if target.options.sock is not None:
            raise HandshakeError(
                f"{refusal}; it wants a second request, and sock= serves for one only: connect "
                "without it, or give what needs no challenge",
                response,
            )
        self._note(login, challenge)

    def _dial_through(self, target: Target, route: Route) -> Stream:
        """Dial by a proxy, and log in to it where that is asked for."""
        proxy = route.proxy
        assert proxy is not None
        try:
            if proxy.scheme in ("http", "https"):
                return self._dial_by_http(target, route, proxy)
            return dial(route, self._attempt)
        except ConnectError as error:
            proxy.explain(error)
            raise

    def _dial_by_http(self, target: Target, route: Route, proxy: Proxy) -> Stream:
        login = self._proxy_login(target, proxy)
        far_end = authority(*(route.connect_to or (route.host, route.port)))
        while True:
            asked = through(route, proxy, login.authorization("CONNECT", far_end))
            try:
                stream = dial(asked, self._attempt)
            except ProxyError as error:
                refusal, response = error, error.response
                if response is None or response.status != 407:
                    raise
            else:
                if login.accepted(self._attempt.proxy_answer or Headers()):
                    return stream
                stream.close()
                raise ProxyError(
                    f"the proxy {proxy.name} opened the tunnel, but its Proxy-Authentication-Info "
                    "shows that it does not know the password (RFC 7616 section 3.5): is this the "
                    "right proxy?",
                    refused=True,
                )
            lines = response.headers.get_all("proxy-authenticate")
            challenge = login.challenged(lines)
            if challenge is None:
                assert asked.proxy is not None
                self._refused(asked.proxy, far_end, login.explain(lines), refusal)
            self._note(login, challenge)

    def _proxy_login(self, target: Target, proxy: Proxy) -> Login:
        if self._proxy_logins is None:
            self._proxy_logins = {}
        origin = (proxy.scheme, proxy.host, proxy.port)
        login = self._proxy_logins.get(origin)
        if login is None:
            login = self._proxy_logins[origin] = proxy_login(target.options, proxy)
        return login

    def _refused(self, proxy: Proxy, far_end: str, why: str, refusal: ProxyError) -> NoReturn:
        response = refusal.response
        assert response is not None
        from tieline.transport.http_connect import connect_headers, shown_status

        answer = shown_status(response, proxy, connect_headers(proxy, far_end))
        raise ProxyError(
            f"the proxy {proxy.name} refused a tunnel to {far_end} (proxy): {answer}; {why}",
            response,
        )

    def _note(self, login: Login, challenge: Challenge) -> None:
        party = login.party
        self._record.logged_in(party.shown, challenge)
        if self._tell is not None:
            from tieline.events import AuthenticationEvent

            self._tell(
                AuthenticationEvent,
                url=party.shown,
                scheme=challenge.scheme,
                realm=challenge.realm,
                is_proxy=party.is_proxy,
            )


def through(route: Route, proxy: Proxy, authorization: str | None) -> Route:
    """The route through an HTTP proxy to which this, and nothing else, is said of who we are."""
    if authorization is None:
        # Not even what its URL holds: other credentials go before those, and wait to be asked for.
        proxy = replace(proxy, username=None, password=None)
    return replace(route, proxy=replace(proxy, authorization=authorization))
