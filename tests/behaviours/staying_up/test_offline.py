"""Messages without a connection, receipts and flush: nothing silently lost, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.conversations import Conversations
from tests.behaviours.staying_up.losing import Proxied, lose
from tests.fronts import PATIENCE, AsyncioTalk, Talk
from tests.outages import Waits, Watch, policy, settled
from tieline import ConnectionClosed, OptionError, SendBufferFull, events
from tieline.engine.receipts import Receipt
from tieline.testing import EchoServer, ScriptedPeer

Talks = Callable[..., Talk]

#: More than any kernel takes for a peer that does not read.
HUGE = 16 * 1024 * 1024


def said_last(said: Conversations, *messages: str | bytes) -> None:
    """Exactly this was said on the second connection."""
    said.wait_until(lambda: len(said.all) == 2 and said.all[1] == list(messages), str(messages))


# --- offline --------------------------------------------------------------------------------------


def test_what_waited_goes_out_in_order_behind_the_subscriptions(
    watch: Watch, server: EchoServer, proxied: Proxied, waits: Waits, said: Conversations
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    talk.call("subscribe", "hello")
    with waits.held():
        lose(proxy, waits)
        talk.send("a")
        talk.call("send_json", {"b": 1})
        talk.call("send", bytearray(b"c"), when_offline="queue")
        assert talk.front.stats().offline_queued == 3
    talk.call("flush", PATIENCE)
    talk.send("d")
    said_last(said, "hello", "a", '{"b": 1}', b"c", "d")
    assert talk.front.stats().offline_queued == 0


def test_each_message_may_say_what_becomes_of_it(
    talks: Talks, server: EchoServer, proxied: Proxied, waits: Waits, said: Conversations
) -> None:
    proxy = proxied(server)
    told: list[Any] = []
    talk = talks(proxy.url, reconnect=policy(), on_event=told.append)
    with waits.held():
        lose(proxy, waits)
        with pytest.raises(ConnectionClosed, match="when_offline"):
            talk.call("send", "raised", when_offline="raise")
        with pytest.raises(ConnectionClosed):
            talk.send("by default")
        dropped = talk.call("send", "dropped", when_offline="drop", receipt=True)
        queued = talk.call("send", "queued", when_offline="queue", receipt=True)
        with pytest.raises(ConnectionClosed, match="drop"):
            settled(talk, dropped)
        assert not queued.done
        stats = talk.front.stats()
        assert (stats.offline_queued, stats.offline_dropped) == (1, 1)
    settled(talk, queued)
    said_last(said, "queued")
    (drop,) = [event for event in told if isinstance(event, events.MessageDroppedEvent)]
    assert (drop.reason, drop.size) == ("drop", len("dropped"))


@pytest.mark.parametrize("wish", ["", "later", 1, True])
def test_a_wish_that_is_none(talks: Talks, server: EchoServer, wish: Any) -> None:
    talk = talks(server.url)
    for method, message in (("send", "x"), ("send", ["x"]), ("send_json", "x")):
        with pytest.raises(OptionError, match="when_offline: expected 'raise', 'queue' or 'drop'"):
            talk.call(method, message, when_offline=wish)


@pytest.mark.parametrize("offline", ["queue", "raise"])
def test_what_is_sent_now_or_never(
    talks: Talks, server: EchoServer, proxied: Proxied, waits: Waits, offline: str
) -> None:
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=policy(), offline=offline)
    with waits.held():
        lose(proxy, waits)
        for send in (
            lambda: talk.call("send", ["a", "b"]),
            lambda: talk.call("send", iter(["a"]), when_offline="queue"),
            lambda: talk.call("send_frame", "x", tieline.Opcode.TEXT),
            lambda: talk.call("ping"),
            lambda: talk.call("pong"),
        ):
            with pytest.raises(ConnectionClosed, match="is reconnecting; .* never queued") as told:
                send()
            assert told.value.close_info.code == 1006
        assert talk.front.stats().offline_queued == 0
    talk.close_now()
    for send in (lambda: talk.call("send", ["a"]), lambda: talk.call("ping")):
        with pytest.raises(ConnectionClosed, match="closing or closed") as told:
            send()
        assert ("never queued" in str(told.value)) == (offline == "queue")


def test_when_nothing_will_be_open_any_more(
    talks: Talks, server: EchoServer, proxied: Proxied, waits: Waits
) -> None:
    proxy = proxied(server)
    told: list[Any] = []
    talk = talks(proxy.url, reconnect=policy(), offline="queue", on_event=told.append)
    with waits.held():
        lose(proxy, waits)
        receipt = talk.call("send", "waits", receipt=True)
        talk.close_now()
    with pytest.raises(ConnectionClosed):
        settled(talk, receipt)
    assert talk.front.stats().offline_dropped == 1
    drops = [event.reason for event in told if isinstance(event, events.MessageDroppedEvent)]
    assert drops == ["closed"]


def test_after_the_end_a_queue_is_of_no_use(talks: Talks, server: EchoServer) -> None:
    talk = talks(server.url, offline="queue")
    talk.close_now()
    wishes: list[dict[str, Any]] = [{}, {"when_offline": "queue"}, {"when_offline": "drop"}]
    for keywords in wishes:
        with pytest.raises(ConnectionClosed):
            talk.call("send", "x", **keywords)
    with pytest.raises(ConnectionClosed):
        talk.call("flush", PATIENCE)


# --- a connection that dies with messages in its buffer -------------------------------------------


def never_reads(reached: threading.Event, go: threading.Event) -> Callable[[ScriptedPeer], None]:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        reached.set()
        go.wait(PATIENCE)
        peer.reset()

    return script


def reads_all(received: list[bytes], done: threading.Event) -> Callable[[ScriptedPeer], None]:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        message = bytearray()
        while not done.is_set():
            frame = peer.receive_frame()
            if frame.opcode is tieline.Opcode.CLOSE:
                break
            message += frame.payload
            if frame.fin:
                received.append(bytes(message))
                message.clear()
                if received[-1] == b"last":
                    done.set()
        peer.send_close(1000)

    return script


@pytest.mark.parametrize("offline", ["queue", "raise"])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_what_the_kernel_did_not_take_goes_to_the_next_connection(
    talks: Talks, scripted: Any, waits: Waits, offline: str, kind: Callable[[bytes], Any]
) -> None:
    reached, go, done = threading.Event(), threading.Event(), threading.Event()
    received: list[bytes] = []
    queues = offline == "queue"
    scripts = [never_reads(reached, go), reads_all(received, done)]
    server = scripted(*scripts[: 1 + queues])
    talk = talks(
        server.url,
        reconnect=policy() if queues else None,
        offline=offline,
        offline_limit=4 * HUGE,
        write_limit=4 * HUGE,
        compression=None,
    )
    assert reached.wait(PATIENCE)
    memory = kind(b"a" * HUGE)
    first = talk.call("send", memory, receipt=True)
    if isinstance(memory, bytearray):
        memory[:] = b"b" * HUGE
    second = talk.call("send", b"second", receipt=True)
    assert not first.done and not second.done
    go.set()
    if not queues:
        for receipt in (first, second):
            with pytest.raises(ConnectionClosed, match="did not arrive"):
                settled(talk, receipt)
        return
    talk.call("flush", PATIENCE)
    talk.send(b"last")
    assert done.wait(PATIENCE)
    assert received == [b"a" * HUGE, b"second", b"last"]
    assert first.done and second.done


def test_a_flush_that_nothing_keeps_its_word_for(talks: Talks, scripted: Any, waits: Waits) -> None:
    reached, go = threading.Event(), threading.Event()
    server = scripted(never_reads(reached, go))
    talk = talks(server.url, write_limit=4 * HUGE, compression=None)
    assert reached.wait(PATIENCE)
    talk.send(b"a" * HUGE)
    with pytest.raises(TimeoutError):
        talk.call("flush", 0.01)
    threading.Timer(0.0, go.set).start()
    with pytest.raises(ConnectionClosed):
        talk.call("flush", PATIENCE)


# --- receipts and flush on a connection that lives ------------------------------------------------


@pytest.mark.parametrize("message", ["text", b"bytes", b"x" * HUGE, ["in", "pieces"]])
def test_receipts(talks: Talks, server: EchoServer, message: Any) -> None:
    talk = talks(server.url, max_message_size=None)
    receipt = talk.call("send", message, receipt=True)
    settled(talk, receipt)
    assert receipt.done
    whole = "".join(message) if isinstance(message, list) else message
    assert talk.receive() == whole


def test_receipts_of_compressed_messages(talks: Talks) -> None:
    with EchoServer(compression="deflate") as echo:
        talk = talks(echo.url, compression="deflate", max_message_size=None)
        for message in ("x" * 2000, "y" * 3_000_000, ["x" * 1000] * 3):
            settled(talk, talk.call("send", message, receipt=True))
            assert talk.receive() == "".join(message)


def test_no_receipt_unless_it_was_asked_for(talks: Talks, server: EchoServer) -> None:
    for offline in ("raise", "queue"):
        talk = talks(server.url, offline=offline)
        assert talk.call("send", "x") is None
        assert talk.call("send_json", "x") is None
        assert talk.call("send_json", "x", receipt=True).done
        talk.call("flush")


def test_from_other_threads_of_an_event_loop(
    talks: Talks, server: EchoServer, proxied: Proxied, waits: Waits, said: Conversations
) -> None:
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=policy(), offline="queue", offline_limit=(100, 1))
    if not isinstance(talk, AsyncioTalk):
        pytest.skip("its `send` is for any thread")
    settled(talk, talk.front.send_threadsafe("now", receipt=True))
    with waits.held():
        lose(proxy, waits)
        receipt = talk.front.send_threadsafe("later", receipt=True)
        with pytest.raises(SendBufferFull, match="offline_limit"):
            talk.front.send_threadsafe("too much")
        with pytest.raises(OptionError):
            talk.front.send_threadsafe("x", when_offline="maybe")
    settled(talk, receipt)
    said_last(said, "later")


def test_a_handler_does_not_wait(server: EchoServer, clients: Any) -> None:
    """Nor a signal handler on top of a call; it would keep the bytes from being written."""
    raised: list[BaseException] = []
    told = threading.Event()

    def handler(message: str | None) -> None:
        if message != "x":
            return
        receipt = Receipt(cannot_wait)
        for wait in (receipt.wait, lambda: receipt.wait(PATIENCE)):
            try:
                wait()
            except RuntimeError as error:
                raised.append(error)
        client.send("small", receipt=True).wait(PATIENCE)  # there is nothing to wait for
        told.set()

    client = clients(handler, server.url)
    client.connect()
    cannot_wait = client.send("x", receipt=True)._cannot_wait
    assert told.wait(PATIENCE)
    assert len(raised) == 2 and all("handler" in str(error) for error in raised)
    with client._line.lock:
        assert cannot_wait()
    with client._line.session.lock:
        assert cannot_wait()
    assert not cannot_wait()


def test_without_reconnect_nothing_waits_for_a_connection_that_nobody_makes(
    talks: Talks, scripted: Any
) -> None:
    reached, go = threading.Event(), threading.Event()
    told: list[Any] = []
    talk = talks(
        scripted(never_reads(reached, go)).url,
        offline="queue",
        write_limit=4 * HUGE,
        on_event=told.append,
        compression=None,
    )
    assert reached.wait(PATIENCE)
    receipt = talk.call("send", b"a" * HUGE, receipt=True)
    go.set()
    with pytest.raises(ConnectionClosed, match="has ended"):
        settled(talk, receipt)
    assert talk.ended().code == 1006
    with pytest.raises(ConnectionClosed, match="without the option reconnect none follows"):
        talk.send("late")
    with pytest.raises(ConnectionClosed, match="the connection is closed$"):
        talk.call("send", "late", when_offline="raise")
    stats = talk.front.stats()
    assert (stats.offline_queued, stats.offline_dropped) == (0, 1)
    (drop,) = [event for event in told if isinstance(event, events.MessageDroppedEvent)]
    assert (drop.reason, drop.size) == ("closed", HUGE)
