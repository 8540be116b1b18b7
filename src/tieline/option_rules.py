"""Options that contradict each other, and names that are no options → OptionError."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from tieline.errors import OptionError

if TYPE_CHECKING:
    from tieline.options import Options

# At most one of each row may be given, because only one of them could be obeyed.
_ONE_OF = (
    ("ssl_ca_path", "ssl_ca_data"),
    ("ssl_cert_path", "ssl_cert_data"),
    ("ssl_key_path", "ssl_key_data"),
    ("unix_socket", "sock", "connect_to"),
    ("auth", "username"),
    ("auth", "token"),
    ("username", "token"),
)
# A context has its own trust and its own certificate; these would be silently without effect.
_IN_SSL_CONTEXT = (
    "ssl_verify_cert",
    "ssl_ca_path",
    "ssl_ca_data",
    "ssl_cert_path",
    "ssl_cert_data",
    "ssl_key_path",
    "ssl_key_data",
    "ssl_key_password",
)
# Header -> the options that write it. Sent twice, the server would obey one of the two at random.
_WRITTEN_BY = {
    "authorization": ("auth", "username", "token"),
    "cookie": ("cookies",),
    "origin": ("origin",),
    "user-agent": ("user_agent",),
}

_BODIES = (
    "it is about HTTP bodies and methods, which the opening handshake of a WebSocket does not have"
)
_ANSWER = (
    "a refused handshake raises HandshakeError, whose .response holds status, headers and body; "
    "with max_redirects=0 a redirect is such an answer too"
)
_RECONNECT = "use `reconnect`, True or a Reconnect(...) with its delays and limits"
_PINGS = "use `ping_interval` and `ping_timeout`, seconds"
_OFFLINE = "use `offline`, 'queue', with `offline_limit` for how much is kept"
_VERSION = "only WebSocket version 13 (RFC 6455) is spoken; 8 is a draft that no server needs"
_OPENING = "`on_open` is called with the server's response when a connection is open"
_ENDING = "`on_close` is called with how a connection has ended"
_DATA = "`on_message` is called with each message, text as str and binary as bytes"

#: A name that other clients (Qore's HTTPClient first of all) have -> what to do here.
ELSEWHERE = {
    "additional_methods": _BODIES,
    "assume_encoding": _BODIES,
    "encoding": _BODIES,
    "encoding_passthru": _BODIES,
    "pre_encoded_urls": _BODIES,
    "encode_chars": _BODIES,
    "redirect_passthru": _ANSWER,
    "error_passthru": _ANSWER,
    "protocol_version": _VERSION,
    "version": _VERSION,
    "on_connect": _OPENING,
    "on_connected": _OPENING,
    "on_opened": _OPENING,
    "on_disconnect": _ENDING,
    "on_disconnected": _ENDING,
    "on_closed": _ENDING,
    "on_data": _DATA,
    "on_text": _DATA,
    "protocols": "use `schemes` for further URL schemes, `subprotocols` for what is spoken inside",
    "hdr": "connect() takes it, for one connection; here it is `headers`, for all of them",
    "header": "use `headers`",
    "extra_headers": "use `headers`",
    "additional_headers": "use `headers`",
    "cookie": "use `cookies`, a mapping or a CookieJar",
    "cookiejar": "use `cookies`, which takes a CookieJar",
    "cookie_jar": "use `cookies`, which takes a CookieJar",
    "proxy_authorization": "use `proxy_auth`",
    "http_proxy_auth": "use `proxy_auth`",
    "open_timeout": "use `connect_timeout`",
    "max_size": "use `max_message_size`",
    "ssl": "a wss:// URL uses TLS; its options are `ssl_context` and those that start with ssl_",
    "sslopt": "use the options that start with ssl_, or `ssl_context`",
    "verify": "use `ssl_ca_path` to trust an authority, `ssl_verify_cert` to trust anyone",
    "compress": "use `compression`",
    "compression_options": "use `compression` with a Deflate(...)",
    "enable_compression": "use `compression`, 'deflate' or None",
    "per_message_deflate": "use `compression`, 'deflate' or None",
    "extensions": "use `compression`; permessage-deflate is the only extension in use",
    "http_proxy_host": "use `proxy`, a URL",
    "urls": "use `url`, which takes a list too",
    "servers": "use `url`, which takes a list too",
    "auto_reconnect": _RECONNECT,
    "autoreconnect": _RECONNECT,
    "reconnection": _RECONNECT,
    "reconnect_interval": _RECONNECT,
    "reconnect_delay": _RECONNECT,
    "reconnection_delay": _RECONNECT,
    "reconnect_attempts": _RECONNECT,
    "reconnection_attempts": _RECONNECT,
    "max_reconnects": _RECONNECT,
    "max_retries": _RECONNECT,
    "retries": _RECONNECT,
    **{
        name: f"it belongs to `reconnect`: reconnect=Reconnect({name}=...)"
        for name in (
            "initial",
            "max_delay",
            "multiplier",
            "jitter",
            "max_attempts",
            "max_time",
            "stable_after",
            "max_retry_after",
            "retry",
            "initial_connect",
        )
    },
    "backoff": _RECONNECT,
    "backoff_factor": _RECONNECT,
    "heartbeat": _PINGS + "; what the application itself sends is `heartbeat_message`",
    "autoping": _PINGS,
    "keepalive": _PINGS,
    "keepalive_interval": _PINGS,
    "keepalive_timeout": _PINGS,
    "ping_payload": "every ping has one of its own; the server's answers show in `on_pong`",
    "offline_queue": _OFFLINE,
    "max_enqueued_messages": _OFFLINE,
    "resubscribe": "register what is to be sent after every open with subscribe()",
}


def refuse_unknown(
    names: Iterable[str], options: Collection[str], also_known: Iterable[str] = ()
) -> None:
    """Raise `OptionError` for the names that are no options, with what was probably meant.

    ``also_known`` are further names that could have been meant.
    """
    problems = [_unknown(name, [*options, *also_known]) for name in names if name not in options]
    if problems:
        raise OptionError("; ".join(problems))


def _unknown(name: str, known: list[str]) -> str:
    if name in ELSEWHERE:
        return f"there is no option {name!r}: {ELSEWHERE[name]}"
    from difflib import get_close_matches  # for mistakes only

    close = get_close_matches(name.lower(), known, n=3)
    # A long "name" is more likely a value in the wrong place, so not all of it is repeated.
    shown = repr(name if len(name) <= 40 else name[:40] + "...")
    if not close:
        return (
            f"there is no option {shown}; the list of options has them all, and so has describe() "
            "in tieline.options"
        )
    return f"there is no option {shown}; did you mean " + " or ".join(map(repr, close)) + "?"


# Every contradiction needs one of these: without, as for most clients, there is none to look for.
_TELLING = frozenset(name for row in _ONE_OF for name in row) | {
    "ssl_context",
    "ssl_key_password",
    "streaming",
    "password",
    "token_type",
    "cookies",
    "origin",
    "user_agent",
    "proxy_auth",
    "heartbeat_message",
    "heartbeat_interval",
    "source_address",
}


def refuse_contradictions(options: Options, given: Iterable[str]) -> None:
    """Raise `OptionError` for the first pair of options that cannot both be obeyed.

    `given` are the names of those that may be at other values than their defaults.
    """
    if _TELLING.isdisjoint(given):
        return
    for problem in _contradictions(options):
        raise OptionError(problem)


def _contradictions(options: Options) -> Iterator[str]:
    for row in _ONE_OF:
        given = [name for name in row if getattr(options, name) is not None]
        if len(given) > 1:
            yield f"options {_names(given)} are both given; give one of them"
    if options.ssl_context is not None:
        inside = [
            name
            for name in _IN_SSL_CONTEXT
            if getattr(options, name) is not (True if name == "ssl_verify_cert" else None)
        ]
        if inside:
            yield (
                f"option 'ssl_context' excludes {_names(inside)}: set that on the context, "
                "or leave the context out"
            )
    certificate = options.ssl_cert_path is not None or options.ssl_cert_data is not None
    for name in ("ssl_key_path", "ssl_key_data", "ssl_key_password"):
        if getattr(options, name) is not None and not certificate:
            yield (
                f"option {name!r} is given without a client certificate; "
                "give ssl_cert_path or ssl_cert_data too"
            )
    if options.streaming and hasattr(options.executor, "call_soon_threadsafe"):
        yield (
            "option 'streaming': a handler waits for the rest of its message, which would hold up "
            "the event loop that is the executor; tieline.aio.connect() has recv_stream() for it"
        )
    yield from _credential_contradictions(options)
    yield from _upkeep_contradictions(options)
    if options.source_address is not None:
        for name in ("unix_socket", "sock"):
            if getattr(options, name) is not None:
                yield f"option 'source_address' has no meaning with {name!r}; leave one of them out"
    if isinstance(options.proxy, str):
        for name in ("unix_socket", "sock"):
            if getattr(options, name) is not None:
                yield f"option 'proxy' is given, but {name!r} leads past it; leave one of them out"


def _credential_contradictions(options: Options) -> Iterator[str]:
    if options.password is not None and options.username is None:
        yield (
            "option 'password' is given without 'username'; give username too, "
            "also when the URL holds it ('' is allowed)"
        )
    if options.token is None and options.token_type != "Bearer":
        yield "option 'token_type' is given without 'token', which it is the type of"
    if options.headers and not callable(options.headers):
        given = {name.lower() for name, _ in options.headers}
        for header, writers in _WRITTEN_BY.items():
            for writer in writers:
                if header in given and getattr(options, writer) not in (None, ()):
                    yield (
                        f"option 'headers' holds {header!r}, which option {writer!r} "
                        "writes too; give one of them"
                    )
    if options.proxy_auth is None:
        return
    if any(name.lower() == "proxy-authorization" for name, _ in options.proxy_headers):
        yield (
            "option 'proxy_headers' holds 'proxy-authorization', which option 'proxy_auth' writes "
            "too; give one of them"
        )
    if isinstance(options.proxy, str) and options.proxy.lower().startswith("socks"):
        yield (
            "option 'proxy_auth' is for HTTP proxies; a SOCKS proxy takes user name and password "
            "from its URL: socks5://user:password@host"
        )
    if options.proxy is None:
        yield "option 'proxy_auth' is given, but proxy=None uses no proxy; leave one of them out"


def _upkeep_contradictions(options: Options) -> Iterator[str]:
    if options.sock is not None:
        for name, given in (
            ("reconnect", options.reconnect is not None),
            ("url", len(options.urls) > 1),
        ):
            if given:
                yield (
                    f"option 'sock' is one connection, which cannot be dialled again, but {name!r} "
                    "asks for more dials; leave one of them out"
                )
    pair = ("heartbeat_message", "heartbeat_interval")
    for name, other in (pair, pair[::-1]):
        if getattr(options, name) is not None and getattr(options, other) is None:
            yield f"option {name!r} is given without {other!r}; give both, or neither"


def _names(names: list[str]) -> str:
    return " and ".join(map(repr, names))
