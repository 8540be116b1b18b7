"""The contract on the asyncio server of `websockets`."""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve, unix_serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.peers.servers.contract import FLOOD, SUBPROTOCOLS, http_answer, report
from tests.peers.servers.websockets_deflate import choose_extensions, report_extensions


async def process_request(connection: ServerConnection, request: Request) -> Response | None:
    report("request", request.path, headers=dict(request.headers.raw_items()))
    choose_extensions(connection.protocol, request.path)
    if request.path.startswith("/silent"):
        await asyncio.sleep(60)
    answer = http_answer(request.path, request.headers)
    if answer is None:
        return None
    headers = Headers({**answer.headers, "Content-Length": str(len(answer.body))})
    return Response(answer.status, answer.reason, headers, answer.body.encode())


async def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    report_extensions(connection.protocol, connection.request.path)
    try:
        async for message in connection:
            await obey(connection, message)
    except ConnectionClosed:
        pass  # reported below
    report(
        "close",
        connection.request.path,
        code=connection.close_code,
        reason=connection.close_reason,
    )


async def obey(connection: ServerConnection, message: str | bytes) -> None:
    words = message.split(" ", 2) if isinstance(message, str) else [""]
    if words[0] == "!close":
        await connection.close(int(words[1]), words[2])
    elif words[0] == "!vanish":
        connection.transport.abort()
    elif words[0] == "!fragments":
        await connection.send(str(message).split(" ")[1:])
    elif words[0] == "!ping":
        waiter = await connection.ping("are you there")
        await asyncio.wait_for(waiter, 10)
        await connection.send("pong")
    elif words[0] == "!deaf":
        await asyncio.sleep(60)
    elif words[0] == "!flood":
        while True:
            await connection.send(FLOOD)
    else:
        await connection.send(message)


async def main() -> None:
    options = {
        "process_request": process_request,
        "subprotocols": SUBPROTOCOLS,
        "select_subprotocol": lambda _, offered: next(
            (name for name in SUBPROTOCOLS if name in offered), None
        ),
        "max_size": None,
        "close_timeout": 1,
    }
    async with (
        serve(handle, "127.0.0.1", 0, **options) as tcp,
        unix_serve(handle, sys.argv[1], **options),
    ):
        (listener,) = tcp.sockets
        report("listening", port=listener.getsockname()[1])
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
