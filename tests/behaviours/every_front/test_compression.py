"""Servers that compress wrongly, or too well: what the user of each front sees of it."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tieline
from tests.behaviours.every_front.conftest import Open
from tests.fronts import PATIENCE
from tieline import Opcode
from tieline.testing import ScriptedPeer, deflate_payload

NEGOTIATED = "permessage-deflate"


def breaking(
    send: Callable[[ScriptedPeer], object], code: int, extensions: str | None = NEGOTIATED
) -> Callable[[ScriptedPeer], None]:
    """A script that sends a message, then what it must not, and awaits a Close with `code`."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade(extensions=extensions)
        peer.send_text("before")
        send(peer)
        close = peer.expect_close(code)
        assert close.reason

    return script


def assert_breaks(
    talk: Open, server: Any, code: int, kind: type[Exception], text: str, **options: Any
) -> tieline.CloseInfo:
    """The message before the fault arrives; then the connection ends, and says why."""
    told: list[tieline.CloseInfo] = []
    open_talk = talk(server.url, on_close=told.append, **options)
    assert open_talk.receive() == "before"
    info = open_talk.ended()
    server.wait()
    assert isinstance(info.error, kind) and text in str(info.error)
    assert info.sent is not None and info.sent.code == code
    assert (info.code, info.clean, info.initiator) == (1006, False, "local")
    with pytest.raises(tieline.ConnectionClosed) as closed:
        open_talk.send("too late")
    assert closed.value.close_info == info == open_talk.front.close_info
    open_talk.close_now()
    assert told == [info]
    return info


FAULTS: dict[str, tuple[Callable[[ScriptedPeer], object], str]] = {
    "control": (
        lambda peer: peer.send_frame(Opcode.PING, "x", rsv1=True),
        "RSV1 (compressed) on the first frame of a data message only, got it with opcode 0x9",
    ),
    "continuation": (
        lambda peer: (
            peer.send_frame(Opcode.TEXT, "x", fin=False, compress=True),
            peer.send_frame(Opcode.CONTINUATION, "x", compress=True, rsv1=True),
        ),
        "RSV1 (compressed) on the first frame of a data message only, got it with opcode 0x0",
    ),
    "RSV2": (
        lambda peer: peer.send_frame(Opcode.TEXT, deflate_payload("x"), rsv=6),
        "expected no RSV bit without a negotiated extension, got 0x60",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_reserved_bits_that_mean_nothing(talk: Open, scripted: Any, fault: str) -> None:
    send, text = FAULTS[fault]
    server = scripted(breaking(send, 1002))
    assert_breaks(talk, server, 1002, tieline.ProtocolError, text)


@pytest.mark.parametrize("compression", ["deflate", None])
def test_compression_that_was_not_agreed_on(talk: Open, scripted: Any, compression: Any) -> None:
    server = scripted(
        breaking(lambda peer: peer.send_text("x", compress=True), 1002, extensions=None)
    )
    text = "expected no RSV bit without a negotiated extension, got 0x40"
    assert_breaks(talk, server, 1002, tieline.ProtocolError, text, compression=compression)


def ending_itself() -> bytes:
    context = zlib.compressobj(wbits=-15)
    return context.compress(b"all of it") + context.flush() + b"more"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        pytest.param(ending_itself(), "stream that ends before its message does", id="ends"),
        pytest.param(b"\xff" * 20, "expected compressed data (RFC 7692)", id="no deflate"),
        pytest.param(deflate_payload(b"\xff"), "UTF-8", id="no UTF-8"),
    ],
)
def test_content_that_cannot_be_inflated(
    talk: Open, scripted: Any, payload: bytes, text: str
) -> None:
    server = scripted(breaking(lambda peer: peer.send_frame(Opcode.TEXT, payload, rsv1=True), 1007))
    assert_breaks(talk, server, 1007, tieline.ProtocolError, text)


def test_a_stream_that_ends_with_its_message_is_none_too_short(talk: Open, scripted: Any) -> None:
    """RFC 7692 section 7.2.3.4: a block may say that it is the last one."""
    context = zlib.compressobj(wbits=-15)
    payload = context.compress(b"all of it") + context.flush() + b"\0"

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade(extensions=NEGOTIATED)
        peer.send_frame(Opcode.TEXT, payload, rsv1=True)
        peer.send_frame(Opcode.TEXT, deflate_payload("and more"), rsv1=True)
        peer.expect_text("done")
        peer.finish()

    open_talk = talk(scripted(script).url)
    assert [open_talk.receive(), open_talk.receive()] == ["all of it", "and more"]
    open_talk.send("done")
    assert open_talk.ended().code == 1000


def test_a_bomb(talk: Open, scripted: Any) -> None:
    limit = 1_000_000
    bomb = deflate_payload(bytes(100 * limit))
    assert len(bomb) < limit / 5
    reasons: list[str] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade(extensions=NEGOTIATED)
        peer.send_text("before")
        peer.send_frame(Opcode.BINARY, bomb, rsv1=True)
        reasons.append(peer.expect_close(1009).reason)

    server = scripted(script)
    text = "the client's max_message_size is 1000000"
    error = assert_breaks(
        talk, server, 1009, tieline.MessageTooBig, text, max_message_size=limit
    ).error
    assert isinstance(error, tieline.MessageTooBig)
    assert (error.side, error.limit, error.option) == ("client", limit, "max_message_size")
    assert limit < error.size < 100 * limit
    assert reasons == [str(error)]


def test_what_grows_by_being_compressed_is_not_too_big(talk: Open, echoing: Any) -> None:
    size = 1024 * 1024
    noise = random.Random(1).randbytes(size)
    open_talk = talk(echoing(max_message_size=size).url, max_message_size=size)
    open_talk.call("send", noise, compress=True)
    assert (open_talk.receive() == noise) is True


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("x-webkit-deflate-frame", "expected permessage-deflate once"),
        ("permessage-deflate, permessage-deflate", "expected permessage-deflate once"),
        ("permessage-deflate; fast", "expected the parameters server_no_context_takeover"),
        ("permessage-deflate; server_max_window_bits=16", "from 8 to 15, got '16'"),
        ("permessage-deflate; client_max_window_bits", "expected a value of client_max_window"),
        (
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "expected server_no_context_takeover once",
        ),
        ("permessage-deflate;;", "Sec-WebSocket-Extensions"),
    ],
)
def test_answers_that_refuse_the_handshake(
    talk: Open, scripted: Any, answer: str, text: str
) -> None:
    server = scripted(lambda peer: peer.accept_upgrade(extensions=answer))
    with pytest.raises(tieline.HandshakeError) as refused:
        talk(server.url)
    assert text in str(refused.value)
    assert refused.value.response is not None and refused.value.response.status == 101


def test_an_answer_to_an_offer_that_was_not_made(talk: Open, scripted: Any) -> None:
    server = scripted(lambda peer: peer.accept_upgrade(extensions=NEGOTIATED))
    with pytest.raises(tieline.HandshakeError, match="none was offered, got permessage-deflate"):
        talk(server.url, compression=None)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"server_context_takeover": False}, "expected server_no_context_takeover, which was"),
        ({"server_max_window_bits": 9}, "expected server_max_window_bits of 9 at most, which was"),
    ],
)
def test_a_server_that_does_not_grant_what_was_asked_for(
    talk: Open, scripted: Any, asked: dict[str, Any], text: str
) -> None:
    server = scripted(lambda peer: peer.accept_upgrade(extensions=NEGOTIATED))
    with pytest.raises(tieline.HandshakeError, match=text):
        talk(server.url, compression=tieline.Deflate(**asked))


_PROGRAM = """
import re, sys
from pathlib import Path
from tests.fronts import FRONTS

def peak():  # ru_maxrss would be the parent's until this process is bigger
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024

front = next(one for one in FRONTS if one.front_name == sys.argv[2])
limit = 8 * 1024 * 1024
talk = front(sys.argv[1], max_message_size=limit)
talk.receive()
before = peak()
talk.send("go")
info = talk.ended()
grown = peak() - before
talk.close()
print(type(info.error).__name__, info.error.size > limit, grown)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_the_memory_that_a_bomb_costs(front: Any, scripted: Any, program: Any) -> None:
    """No more than the limit: the pieces of 8 MiB, and what the allocator rounds up."""
    context = zlib.compressobj(9, wbits=-15)
    zeros = bytes(1024 * 1024)
    bomb = b"".join(context.compress(zeros) for _ in range(512))
    bomb += context.flush(zlib.Z_SYNC_FLUSH)[:-4]
    assert len(bomb) < 600 * 1024

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade(extensions=NEGOTIATED)
        # What is inflated once needs the libraries, and their memory.
        peer.send_text("x" * 100_000, compress=True)
        peer.expect_text("go")
        peer.send_frame(Opcode.BINARY, bomb, rsv1=True)
        peer.expect_close(1009)

    server = scripted(script, timeout=2 * PATIENCE)
    running = program(_PROGRAM, server.url, front.front_name)
    _, status, output = running.finish()
    assert status == 0, output
    # The loop, in debug mode, tells of what took long.
    kind, is_over, mebibytes = output.splitlines()[0].split()
    assert (kind, is_over) == ("MessageTooBig", "True")
    assert 1 < float(mebibytes) <= 12
