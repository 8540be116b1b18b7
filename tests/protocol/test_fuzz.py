"""Random bytes → messages and the two documented errors, nothing else, in both roles."""

from __future__ import annotations

import random

import pytest

from tests.protocol.frame_bytes import xor
from tests.protocol.implementations import Implementation
from tests.protocol.pair import opened
from tests.protocol.reading import read
from tests.protocol.splits import cut
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.settings import Settings
from tieline.protocol.state import State

ROUNDS = 400


def plausible(source: random.Random, masked: bool) -> bytes:
    """Mostly frames: few random bytes get past the first header."""
    stream = b""
    for _ in range(source.randrange(1, 8)):
        payload = source.choice([source.randbytes(source.randrange(9)), b"text", "é€".encode()])
        first = source.choice([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88])
        length = len(payload) if source.random() < 0.9 else source.randrange(128)
        stream += bytes([first, masked << 7 | length])
        stream += b"\x37\xfa\x21\x3d" + xor(payload) if masked else payload
    if source.random() < 0.3:
        place = source.randrange(len(stream))
        stream = stream[:place] + source.randbytes(1) + stream[place + 1 :]
    return stream if source.random() < 0.9 else source.randbytes(30)


@pytest.mark.parametrize("masked", [False, True])
def test_decoder_and_assembler(implementation: Implementation, masked: bool) -> None:
    source = random.Random(1)
    errors = set()
    for _ in range(ROUNDS):
        stream = plausible(source, masked)
        where = [source.randrange(len(stream)) for _ in range(source.randrange(3))]
        for frame_by_frame in (False, True):
            # `read` lets every other exception out.
            outcome = read(
                cut(stream, where),
                masked=masked,
                max_message_size=source.choice([None, 3, 10]),
                max_fragments=source.choice([None, 2]),
                frame_by_frame=frame_by_frame,
                implementation=implementation,
            )
            if outcome.error is not None:
                errors.add((outcome.error[0], outcome.error[2]))
    # It got far enough to find every kind.
    assert errors == {(ProtocolError, 1002), (ProtocolError, 1007), (MessageTooBig, 1009)}


@pytest.mark.parametrize("inspect_frames", [False, True])
def test_a_connection_ends_once_whatever_it_receives(role: str, inspect_frames: bool) -> None:
    source = random.Random(2)
    settings = Settings(max_message_size=10, inspect_frames=inspect_frames)
    for _ in range(ROUNDS // 10):
        side = opened(role, settings)
        stream = plausible(source, role == "server")
        for piece in cut(stream, [source.randrange(len(stream)) for _ in range(2)]):
            side.receive(piece)
        side.receive_eof()
        assert side.info.code in range(1000, 5000)
        assert side.connection.state is State.CLOSED
        side.receive(b"\x81\x00")
        side.receive_eof()
        side.lose(OSError("again"))
        assert side.info is side.connection.close_info
