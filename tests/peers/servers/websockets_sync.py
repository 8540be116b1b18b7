"""The contract on the threads of `websockets`."""

from __future__ import annotations

import socket
import sys
import threading

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve, unix_serve

from tests.peers.servers.contract import FLOOD, SUBPROTOCOLS, http_answer, report
from tests.peers.servers.websockets_deflate import choose_extensions, report_extensions

stopped = threading.Event()


def process_request(connection: ServerConnection, request: Request) -> Response | None:
    report("request", request.path, headers=dict(request.headers.raw_items()))
    choose_extensions(connection.protocol, request.path)
    if request.path.startswith("/silent"):
        stopped.wait(60)
    answer = http_answer(request.path, request.headers)
    if answer is None:
        return None
    headers = Headers({**answer.headers, "Content-Length": str(len(answer.body))})
    return Response(answer.status, answer.reason, headers, answer.body.encode())


def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    report_extensions(connection.protocol, connection.request.path)
    try:
        for message in connection:
            obey(connection, message)
    except ConnectionClosed:
        pass  # reported below
    report(
        "close",
        connection.request.path,
        code=connection.close_code,
        reason=connection.close_reason,
    )


def obey(connection: ServerConnection, message: str | bytes) -> None:
    words = message.split(" ", 2) if isinstance(message, str) else [""]
    if words[0] == "!close":
        connection.close(int(words[1]), words[2])
    elif words[0] == "!vanish":
        connection.socket.shutdown(socket.SHUT_RDWR)
    elif words[0] == "!fragments":
        connection.send(str(message).split(" ")[1:])
    elif words[0] == "!ping":
        connection.ping("are you there").wait(10)
        connection.send("pong")
    elif words[0] == "!deaf":
        stopped.wait(60)
    elif words[0] == "!flood":
        while True:
            connection.send(FLOOD)
    else:
        connection.send(message)


def main() -> None:
    options = {
        "process_request": process_request,
        "subprotocols": SUBPROTOCOLS,
        "select_subprotocol": lambda _, offered: next(
            (name for name in SUBPROTOCOLS if name in offered), None
        ),
        "max_size": None,
    }
    with (
        serve(handle, "127.0.0.1", 0, **options) as tcp,
        unix_serve(handle, sys.argv[1], **options) as unix,
    ):
        for server in (tcp, unix):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        report("listening", port=tcp.socket.getsockname()[1])
        sys.stdin.read()
        stopped.set()


if __name__ == "__main__":
    main()
