"""An answer that sends us elsewhere → the next target, or why it is not followed."""

from __future__ import annotations

from tieline.engine.route import Target
from tieline.errors import ConnectError, HandshakeError, OptionError, TooManyRedirects
from tieline.protocol.handshake import HandshakeResponse
from tieline.redact import safe_url
from tieline.transport.url import URL

#: RFC 9110 section 15.4. 300 and 304 lead nowhere.
STATUSES = frozenset({301, 302, 303, 307, 308})

#: Places that an error shows of a long chain.
_MOST_SHOWN = 6


class Redirects:
    """The way of one dial from place to place. Not thread-safe: the thread that dials has it.

    Made once an answer leads elsewhere, or asks for a login: few do.
    """

    def __init__(self, target: Target) -> None:
        #: Where the server has sent us, in order, secrets masked.
        self.followed: list[str] = []
        self._first = target.url.safe
        # And whether as the first origin: the same request is not answered otherwise.
        self._asked: set[tuple[URL, bool, str | None]] = set()

    def asked(self, target: Target, cookies: str | None) -> None:
        """This was asked, perhaps with cookies."""
        self._asked.add((target.url, target.trusted, cookies))

    def explain(self, error: ConnectError) -> None:
        """Say in its text how one came to a place that nobody has asked for."""
        if self.followed and not isinstance(error, TooManyRedirects):  # which shows all of it
            error.args = (f"{error} (redirected from {self._first})", *error.args[1:])

    def follow(self, target: Target, response: HandshakeResponse) -> Target:
        """Where it leads. Raises `HandshakeError` or `TooManyRedirects` when that is nowhere."""
        here = target.url.safe
        location = _location(here, response)
        limit = target.options.max_redirects
        if len(self.followed) >= limit:
            raise TooManyRedirects(
                f"{here} redirects to {safe_url(location)}: that is more than "
                f"max_redirects={limit}; the way was {self._chain()}",
                response,
            )
        try:
            redirected = target.redirected(location)
        except OptionError as error:
            raise HandshakeError(
                f"{here} redirects to an unusable place: {error}", response
            ) from error
        there = redirected.url.safe
        if target.url.secure and not redirected.url.secure:
            raise HandshakeError(
                f"{here} redirects to {there}, which is not encrypted: not followed; connect to "
                "that URL itself if it is meant",
                response,
            )
        if not (redirected.trusted or target.options.cross_origin_redirects):
            raise HandshakeError(
                f"{here} redirects to {there}, which is another origin: not followed, because of "
                "cross_origin_redirects=False; connect to that URL itself if it is meant",
                response,
            )
        if target.options.sock is not None:
            raise HandshakeError(
                f"{here} redirects to {there}, and sock= serves for one request only: connect to "
                "that URL itself",
                response,
            )
        self.followed.append(there)
        # Only now: a cookie that came with the redirect makes it another request.
        if (redirected.url, redirected.trusted, redirected.cookies()) in self._asked:
            raise TooManyRedirects(
                f"the redirects go in a circle, and no cookie was set meanwhile: {self._chain()}; "
                "the server may want a cookie (cookies=), a login (auth=), or another URL",
                response,
            )
        return redirected

    def _chain(self) -> str:
        places = [self._first, *self.followed]
        if len(places) > _MOST_SHOWN:
            places = [places[0], f"({len(places) - _MOST_SHOWN} more)", *places[1 - _MOST_SHOWN :]]
        return " → ".join(places)


def is_redirect(response: HandshakeResponse) -> bool:
    """True when the answer names another place."""
    return response.status in STATUSES and "location" in response.headers


def _location(here: str, response: HandshakeResponse) -> str:
    given = set(response.headers.get_all("location"))
    if len(given) > 1:
        # Whoever is on the way may read another one than we do.
        raise HandshakeError(
            f"{here} redirects to {len(given)} places at once (RFC 9110 section 10.2.2 allows one "
            "Location): not followed",
            response,
        )
    (location,) = given
    # As browsers read it: the bytes are UTF-8 if they can be, and a blank stands for itself.
    try:
        location = location.encode("latin-1").decode()
    except UnicodeError:
        pass
    return location.replace(" ", "%20")
