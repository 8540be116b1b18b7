"""What every server of tests/peers does, whatever library it is made with.

Paths: `/refuse`, `/redirect`, `/loop`, `/private` and `/silent` answer the upgrade request in
their own ways (`http_answer`); every other path is a WebSocket that sends back what it gets,
compressed as the library does it unless told otherwise. `/plain` declines compression, and
`/deflate/PARAMETER/...` asks for these parameters of permessage-deflate, such as
`/deflate/server_no_context_takeover/server_max_window_bits=9`, and compresses every message. A text
message may be one of the commands:

    !close CODE REASON    close with that code and reason
    !vanish               cut the TCP connection, without a Close frame
    !fragments A B C      send one text message in as many fragments
    !ping                 send a Ping and, when it is answered, the text "pong"
    !deaf                 read nothing any more
    !flood                send binary messages of 64 KiB until the connection ends

The server's standard output tells what it sees, one JSON object a line; `key` is the request's
query. On `/plain` and `/deflate` it tells what was agreed on, as the library understood it. It
listens at a free port and at the unix socket named by its first argument, and ends
when its standard input ends.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

SUBPROTOCOLS = ("tieline.v2", "tieline.v1")

#: "open sesame" for the user "Aladdin", as in RFC 7617 section 2.
AUTHORIZATION = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="

FLOOD = bytes(64 * 1024)

_write_lock = threading.Lock()


class Answer(NamedTuple):
    """An HTTP response that is no upgrade."""

    status: int
    reason: str
    headers: dict[str, str]
    body: str


def report(event: str, target: str = "", **data: object) -> None:
    """Tell the tests what was seen on the connection that asked for `target`."""
    parts = urlsplit(target)
    line = json.dumps({"event": event, "key": parts.query, "path": parts.path, **data})
    with _write_lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def deflate_parameters(target: str) -> dict[str, int | bool] | None:
    """What the path wants of permessage-deflate; None: it is not about it."""
    path = urlsplit(target).path
    if not path.startswith("/deflate"):
        return None
    parameters: dict[str, int | bool] = {}
    for parameter in path.split("/")[2:]:
        name, _, value = parameter.partition("=")
        parameters[name] = int(value) if value else True
    return parameters


def is_plain(target: str) -> bool:
    """Is compression declined?"""
    return urlsplit(target).path == "/plain"


def http_answer(target: str, headers: Mapping[str, str]) -> Answer | None:
    """How a request is answered that does not get its upgrade; None: it gets it."""
    parts = urlsplit(target)
    if parts.path == "/refuse":
        return Answer(403, "Forbidden", {"X-Why": "closed"}, "not today")
    if parts.path == "/redirect":
        return Answer(302, "Found", {"Location": f"/echo?{parts.query}"}, "")
    if parts.path == "/loop":
        return Answer(302, "Found", {"Location": target}, "")
    if parts.path == "/private" and headers.get("Authorization") != AUTHORIZATION:
        challenge = {"WWW-Authenticate": 'Basic realm="peers"'}
        return Answer(401, "Unauthorized", challenge, "who are you?")
    return None
