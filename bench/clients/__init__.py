"""One module for each client: the three kinds of work, done as its users would do it.

Each module has ``VERSION`` and three functions, which connect, start the stopwatch, do the work and
stop it when the last message has come:

- ``receive(url, count, stopwatch)``: send "go", receive `count` messages as `str`, add up their
  lengths; return how many came and the sum.
- ``echo(url, payload, count, stopwatch)``: `count` times send `payload` and await the answer, as
  `bytes`; return the last answer.
- ``send(url, payload, count, stopwatch)``: send `payload` `count` times, await the server's text;
  return it.

Callback clients work in callbacks, the others in a loop. Compression is off everywhere.
"""

#: Module name → what has to be importable for it. The first is the one that others are compared to.
CLIENTS = {
    "tieline_callback_client": "tieline",
    "tieline_sync_client": "tieline",
    "tieline_asyncio_client": "tieline",
    "tieline_uvloop_client": "uvloop",
    "picows_client": "picows",
    "aiohttp_client": "aiohttp",
    "websockets_client": "websockets",
    "websocket_client_client": "websocket",
}
