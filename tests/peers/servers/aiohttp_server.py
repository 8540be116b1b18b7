"""The contract on `aiohttp`'s web server.

It has no way to send fragments, and takes the parameters of permessage-deflate from the client.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import WSMsgType, web

from tests.peers.servers.contract import (
    FLOOD,
    SUBPROTOCOLS,
    deflate_parameters,
    http_answer,
    is_plain,
    report,
)


async def handle(request: web.Request) -> web.StreamResponse:
    report("request", request.path_qs, headers=dict(request.headers))
    if request.path == "/silent":
        await asyncio.sleep(60)
    answer = http_answer(request.path_qs, request.headers)
    if answer is not None:
        return web.Response(
            status=answer.status, reason=answer.reason, headers=answer.headers, text=answer.body
        )
    # Pongs are asked for, so that the one to "!ping" is seen.
    websocket = web.WebSocketResponse(
        protocols=SUBPROTOCOLS,
        autoping=False,
        max_msg_size=0,
        timeout=1,
        compress=not is_plain(request.path_qs),
    )
    await websocket.prepare(request)
    if is_plain(request.path_qs) or deflate_parameters(request.path_qs) is not None:
        window_bits = int(websocket.compress)
        agreed = {"server_max_window_bits": window_bits} if window_bits else None
        report("agreed", request.path_qs, deflate=agreed)
    reason = ""
    try:
        while not websocket.closed:
            message = await websocket.receive()
            if message.type == WSMsgType.CLOSE:
                reason = message.extra or ""
            elif message.type == WSMsgType.PING:
                await websocket.pong(message.data)
            elif message.type == WSMsgType.PONG:
                await websocket.send_str("pong")
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                await obey(request, websocket, message.data)
    except ConnectionError:
        pass  # reported below
    report("close", request.path_qs, code=websocket.close_code or 1006, reason=reason)
    return websocket


async def obey(
    request: web.Request, websocket: web.WebSocketResponse, message: str | bytes
) -> None:
    words = message.split(" ", 2) if isinstance(message, str) else [""]
    if words[0] == "!close":
        await websocket.close(code=int(words[1]), message=words[2].encode())
    elif words[0] == "!vanish":
        assert request.transport is not None
        request.transport.abort()
    elif words[0] == "!ping":
        await websocket.ping(b"are you there")
    elif words[0] == "!deaf":
        await asyncio.sleep(60)
    elif words[0] == "!flood":
        while True:
            await websocket.send_bytes(FLOOD)
    elif isinstance(message, str):
        await websocket.send_str(message)
    else:
        await websocket.send_bytes(message)


async def main() -> None:
    application = web.Application()
    application.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    tcp = web.TCPSite(runner, "127.0.0.1", 0)
    await tcp.start()
    await web.UnixSite(runner, sys.argv[1]).start()
    report("listening", port=runner.addresses[0][1])
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
