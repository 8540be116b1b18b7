"""A client's connection → one big message, or all that it sends counted.

``python -m bench.big.server`` prints its port and serves one connection after the other. Nothing
here is as big as the message: it consists of one piece, again and again.

- ``/receive?form=F&size=S``: after the client's first message, one of S bytes: ``binary`` or
  ``text`` in one frame, ``fragments`` (binary) or ``deflate`` (binary, compressed) in many
- ``/send``: reads and counts; after the client's Ping with the marker, a text message with the
  number of bytes
"""

from __future__ import annotations

import socket
import struct

from bench.big.workload import PIECE
from bench.deflate.negotiation import TAIL, agree
from bench.marker import MARKER, take
from bench.server import accept, finish, read_request, serve, server_frame, some

_CONTINUATION, _TEXT, _BINARY, _PONG = 0, 1, 2, 10
_FIN, _COMPRESSED = 0x80, 0x40


def _talk(connected: socket.socket) -> None:
    request = read_request(connected)
    agreement = agree(request.headers.get("sec-websocket-extensions"))
    accept(connected, request, agreement.answer if agreement else None)
    if request.kind == "send":
        word = str(take(connected, keep=False).size).encode()
        pong = server_frame(_FIN | _PONG, MARKER)
        connected.sendall(pong + server_frame(_FIN | _TEXT, word))
        finish(connected)
        return
    form, pieces = request.query["form"], request.number("size") // len(PIECE)
    some(connected)  # the client says that it is ready
    if form in ("binary", "text"):
        opcode = _TEXT if form == "text" else _BINARY
        connected.sendall(struct.pack("!BBQ", _FIN | opcode, 127, pieces * len(PIECE)))
        for _ in range(pieces):
            connected.sendall(PIECE)
    elif form == "fragments":
        _send_fragments(connected, PIECE, PIECE, _BINARY, pieces)
    else:
        if agreement is None:
            raise ConnectionError("the client does not want compressed messages")
        compressor = agreement.compressor()
        # Compressed with an empty window: it refers to nothing before, and may be sent again.
        piece = compressor.compress(PIECE) + compressor.flush(2)  # Z_SYNC_FLUSH
        _send_fragments(connected, piece, piece.removesuffix(TAIL), _BINARY | _COMPRESSED, pieces)
    finish(connected)


def _send_fragments(
    connected: socket.socket, piece: bytes, last: bytes, first_byte: int, pieces: int
) -> None:
    connected.sendall(server_frame(first_byte, piece))
    middle = server_frame(_CONTINUATION, piece)
    for _ in range(pieces - 2):
        connected.sendall(middle)
    connected.sendall(server_frame(_FIN | _CONTINUATION, last))


if __name__ == "__main__":
    serve(_talk)
