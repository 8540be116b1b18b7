"""Options → how a connection would be made, told without making it.

Everything is asked of the code that dials: the same target, route, proxy choice, TLS context and
request. Nothing goes over the network, unless addresses are asked for.
"""

from __future__ import annotations

from typing import Any

from tieline.engine.handlers import split_options
from tieline.engine.route import Target, check_addresses, parse_options_url, proxy_choice
from tieline.errors import OptionError
from tieline.explaining.cookies import explain_cookies
from tieline.explaining.explanation import Explanation
from tieline.explaining.login import explain_login, first_value
from tieline.explaining.tls import explain_tls
from tieline.explaining.way import Addresses, explain_address, explain_proxy
from tieline.options import Options
from tieline.protocol.handshake import EXTENSIONS
from tieline.redact import safe_headers, safe_subprotocol, safe_url
from tieline.transport.attempt import Attempt
from tieline.transport.dial import Route

#: In the place of the nonce that each request has.
_KEY = "(16 random bytes)"

_TIMES = (
    "connect_timeout",
    "timeout",
    "close_timeout",
    "ping_interval",
    "ping_timeout",
    "heartbeat_interval",
)


def explain(
    url_or_options: object = None, /, *, resolve: bool = False, **options: Any
) -> Explanation:
    """Tell how `connect` would get there with these arguments, and why so, without connecting.

    `url_or_options` is the URL or a mapping of options that holds ``"url"``; keyword options go
    before it, as for `tieline.connect` and `WebSocketClient`, whose handlers may be among them. Of
    several URLs the first is explained.

    Callables among the options (``url``, ``headers``, ``auth``) are asked, as for a dial; files
    (certificates, netrc) and the environment are read. No name is looked up; with `resolve` those
    are that this machine would look up, which takes ``connect_timeout`` seconds at most.

    What would fail is in ``problems``. Raises `OptionError` for options that cannot be used. Any
    thread may call this.
    """
    checked = split_options(url_or_options, options)
    check_addresses(checked)
    problems: list[str] = []
    text = checked.attempt_url()
    target = Target(checked, parse_options_url(checked, text), checked.attempt_headers())
    route, reason = _route(target, problems)
    # First of all: a jar forgets what has expired when it is asked for a request's cookies.
    cookies = explain_cookies(target)
    headers, login = _request(target, problems)
    shown = dict((name.lower(), value) for name, value in headers)
    # One bound for all names that are looked up.
    with Attempt(checked.connect_timeout) as attempt:
        addresses = Addresses(route.family, attempt, resolve, problems)
        address = explain_address(route, addresses, problems)
        proxy = explain_proxy(route, target, addresses, problems)
    return Explanation(
        url=target.url.safe,
        other_urls=tuple(map(_shown_source, checked.urls[1:])),
        address=address,
        proxy=proxy,
        proxy_reason=reason,
        tls=None if route.tls is None else explain_tls(route.tls, route.host, problems),
        request=f"GET {safe_url(target.url.target)} HTTP/1.1",
        headers=headers,
        login=login,
        cookies=cookies,
        subprotocols=tuple(map(safe_subprotocol, checked.subprotocols)),
        compression=shown.get(EXTENSIONS.lower()),
        times={name: getattr(checked, name) for name in _TIMES},
        reconnection=_reconnection(checked),
        problems=tuple(dict.fromkeys(problems)),
    )


def _route(target: Target, problems: list[str]) -> tuple[Route, str]:
    try:
        return target.route(), proxy_choice(target.options, target.url).reason
    except OptionError as error:
        # What the options say was checked; what the environment says was not.
        problems.append(str(error))
    # Options for a proxy, and none, would contradict each other.
    options = target.options.replace(proxy=None, proxy_auth=None, proxy_headers=())
    without = Target(options, target.url, target.headers)
    return without.route(), "not known: see the problems"


def _request(target: Target, problems: list[str]) -> tuple[Any, Any]:
    authorization, login = None, None
    try:
        found = target.login()
        authorization = first_value(found, "GET", target.url.target)
        login = explain_login(found, target.shown_headers(), "authorization")
    except OptionError as error:
        problems.append(str(error))  # a netrc file that cannot be read
    request = target.request(authorization, target.cookies())
    return tuple(safe_headers(request.header_list(_KEY))), login


def _reconnection(options: Options) -> str:
    text = "no" if options.reconnect is None else repr(options.reconnect)
    if options.offline == "raise":
        return text
    messages, size = options.offline_limit[1], options.offline_limit[0]
    return f"{text}; meanwhile up to {messages} messages, {size} bytes, wait to be sent"


def _shown_source(source: object) -> str:
    return safe_url(source) if isinstance(source, str) else "what the callable gives"
