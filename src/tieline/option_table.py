"""The table of all options: stored form, group, default, meaning and what is accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from tieline import compression as compressing
from tieline import option_checks as check
from tieline import reconnect as reconnecting
from tieline import route_checks as route
from tieline import upkeep_checks as upkeep
from tieline.compression import Compression
from tieline.opening_options import OpeningOptions
from tieline.option_field import LateFunction, option
from tieline.reconnect import Reconnect

if TYPE_CHECKING:
    from dataclasses import dataclass as table
else:
    from tieline.option_field import table

if TYPE_CHECKING:
    import logging

KIB = 1024
MIB = 1024 * KIB


@table(frozen=True, kw_only=True, repr=False, eq=False)
class OptionTable(OpeningOptions):
    """The fields of `tieline.options.Options`, which adds the checks and how it is built.

    The annotations tell the stored form; a check may take more (``headers`` any mapping, say) and
    converts to it. Times are seconds, sizes bytes.
    """

    # --- time (seconds)
    connect_timeout: float = option(
        "time",
        30.0,
        "the whole of name look-up, dial, TLS and opening handshake, redirects included",
        check.seconds(),
    )
    timeout: float = option(
        "time", 15.0, "how long a send waits while the peer takes no bytes", check.seconds()
    )
    close_timeout: float = option(
        "time", 10.0, "how long disconnect() and close() wait for the peer's Close", check.seconds()
    )
    ping_interval: float | None = option(
        "time",
        20.0,
        "time from one ping to the next; any received byte shows that the peer is alive",
        check.seconds("no pings"),
    )
    ping_timeout: float = option(
        "time",
        20.0,
        "time after a ping without any received byte until the link counts as dead",
        check.seconds(),
    )
    heartbeat_message: str | bytes | Callable[[], object] | None = option(
        "time",
        None,
        "a message to send every heartbeat_interval, for servers that want one beside pings; a "
        "callable gives it each time, or None for none this time",
        upkeep.heartbeat(),
    )
    heartbeat_interval: float | None = option(
        "time",
        None,
        "time from the opening, and then from one heartbeat_message to the next",
        check.seconds("no such message"),
    )

    # --- limits
    # What one message may take of this process's memory: large for a feed, small for a machine.
    max_message_size: int | None = option(
        "limits", 64 * MIB, "largest message to receive, bytes", check.whole(1, "no limit")
    )
    # Empty fragments cost the peer two bytes each and are within any size limit.
    max_fragments: int | None = option(
        "limits", 131_072, "most fragments of one received message", check.whole(1, "no limit")
    )
    max_queue: int = option(
        "limits",
        1024,
        "messages held for recv(), or for the handlers of an executor, before reading stops, as it "
        "does with 16 MiB of them",
        check.whole(1),
    )
    write_limit: int = option(
        "limits", 64 * KIB, "bytes waiting to be sent above which send() blocks", check.whole(1)
    )
    # Common servers stop at 8 to 64 KiB and 100 headers; a client should take what they can send.
    max_head_size: int = option(
        "limits", 64 * KIB, "largest head of the handshake's answer, bytes", check.whole(1)
    )
    max_header_count: int = option(
        "limits", 256, "most headers in the handshake's answer", check.whole(1)
    )
    max_error_body: int = option(
        "limits", 64 * KIB, "bytes kept of a refused handshake's body", check.whole(0)
    )

    # --- compression
    compression: Compression = option(
        "compression",
        "deflate",
        "compress messages where the server takes it (permessage-deflate, RFC 7692)",
        compressing.compression(),
    )

    # --- reconnection
    reconnect: Reconnect | None = option(
        "reconnection",
        None,
        "dial again when the connection is lost; None or False: no",
        reconnecting.reconnect(),
    )
    offline: Literal["raise", "queue"] = option(
        "reconnection",
        "raise",
        "what becomes of a message while the connection is being made: 'raise' refuses it, 'queue' "
        "keeps it until the connection is open (without reconnect one is made only by connect() "
        "and reconnect())",
        upkeep.policy("raise", "queue"),
    )
    # As much as one generous message, and what a session holds for a program that reads slowly.
    offline_limit: tuple[int, int] = option(
        "reconnection",
        upkeep.DEFAULT_LIMIT,
        "the most that is kept while offline: bytes, and messages",
        upkeep.limit(),
    )
    offline_max_age: float | None = option(
        "reconnection",
        None,
        "seconds after which a kept message is dropped instead of sent",
        check.seconds("any age"),
    )
    offline_overflow: Literal["raise", "drop_oldest", "drop_newest"] = option(
        "reconnection",
        "raise",
        "what gives way above offline_limit: 'raise' refuses the message with SendBufferFull",
        upkeep.policy("raise", "drop_oldest", "drop_newest"),
    )

    # --- threads
    reactor: Any = option(
        "threads",
        None,
        "the background thread to use; None: for a client one of its own, so that a slow handler "
        "of another one delays nothing here; for plain connections the one that they share",
        route.reactor(),
    )
    executor: Any = option(
        "threads",
        None,
        "who runs the handlers, order kept; None: the background thread",
        check.executor(),
    )
    streaming: bool = option(
        "threads",
        False,
        "True: handlers get a stream of chunks for each message and may wait for them, on a thread "
        "of their own or the executor's",
        check.boolean(),
    )

    # --- other
    logger: logging.Logger | logging.LoggerAdapter[Any] | None = option(
        "other",
        None,
        "where to log; None: logging.getLogger('tieline')",
        check.has_methods(
            "a logging.Logger or LoggerAdapter, or None", "debug", "warning", "isEnabledFor"
        ),
    )
    json_dumps: Callable[[Any], str | bytes] = option(
        "other", LateFunction("json", "dumps"), "value → text of send_json()", check.function()
    )
    json_loads: Callable[[str | bytes], Any] = option(
        "other", LateFunction("json", "loads"), "text → value of recv_json()", check.function()
    )
    decode_text: bool = option(
        "other", True, "False: text arrives as bytes, its UTF-8 still verified", check.boolean()
    )
    slow_callback: float | None = option(
        "other", None, "a handler that takes longer is an event", check.seconds("no such event")
    )
    slow_send: float | None = option(
        "other", None, "a send that takes longer is an event", check.seconds("no such event")
    )
    low_throughput: float | None = option(
        "other",
        None,
        "a send slower than this many bytes per second is an event",
        check.rate("no such event"),
    )
    frame_events: bool = option(
        "other", False, "True: every frame in and out is an event", check.boolean()
    )
    close_on_callback_error: bool = option(
        "other",
        False,
        "True: a handler that raises closes the connection with 1011; False: it is logged",
        check.boolean(),
    )
