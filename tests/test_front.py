"""Front: what every front can be asked, before, during and after a connection."""

from __future__ import annotations

import copy
import gc
import pickle
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

import tieline
from tests.fronts import FRONTS, Talk
from tieline import ConnectionClosed, OptionError, State, WebSocketClient
from tieline.engine.complaints import Complaints
from tieline.events import ConnectionEvent, OpenEvent
from tieline.testing import EchoServer


def test_before_there_was_a_connection() -> None:
    client = WebSocketClient(print, "ws://user:secret@localhost:1/?token=x", proxy=None)
    assert (client.state, client.is_open(), client.isOpen()) == (State.CLOSED, False, False)
    assert (client.response, client.subprotocol, client.close_info) == (None, None, None)
    assert (client.connection_id, client.latency) == (-1, None)
    assert client.stats().connects == 0
    assert "secret" not in repr(client) + client.safe_url
    for send in (client.send, client.send_json, client.ping, client.pong):
        with pytest.raises(ConnectionClosed, match="connect"):
            send("x")


def test_during_and_after_it() -> None:
    with EchoServer() as server:
        client = WebSocketClient(print, server.url, proxy=None, subprotocols=["a"])
        client.connect()
        info = client.connection_info()
        assert info["state"] == "open" and info["connection_id"] == client.connection_id > 0
        assert info["peer"][1] == server.port
        client.ping().wait(5)
        assert client.latency is not None and client.latency > 0
        client.disconnect(1000)
        assert client.connection_id == -1 and client.response is not None
        client.reset_stats()
        assert client.latency is None


@pytest.mark.parametrize("front", FRONTS)
def test_an_option_that_is_assigned(front: type[Talk]) -> None:
    """Nothing would come of it."""
    with EchoServer() as server, closing(front(server.url)) as talk:
        for name in ("ping_interval", "url", "on_message", "on_close", "on_mesage", "callback"):
            with pytest.raises(AttributeError, match=f"^{name}: "):
                setattr(talk.front, name, 5)
        talk.front.mine = 5
        assert talk.front.mine == 5
        talk.send("still here")
        assert talk.receive() == "still here"


@pytest.mark.parametrize("front", FRONTS)
def test_a_method_that_another_front_has(front: type[Talk]) -> None:
    kinds = (WebSocketClient, tieline.Connection, tieline.aio.Connection)
    names = {name for each in kinds for name in dir(each) if not name.startswith("_")}
    with EchoServer() as server, closing(front(server.url)) as talk:
        absent = names - set(dir(talk.front))
        assert len(absent) > 4
        for name in absent:
            assert not hasattr(talk.front, name)
            kind = type(talk.front).__name__
            with pytest.raises(AttributeError, match=f"'{kind}' has no '{name}': "):
                getattr(talk.front, name)


class OwnAttributes(WebSocketClient):
    """A user's class, with names as options have them."""

    timeout = 3

    @property
    def on_close(self) -> str:
        return self.heard

    @on_close.setter
    def on_close(self, heard: str) -> None:
        self.heard = heard

    def __init__(self, url: str) -> None:
        self.token = self.logger = self.callback = self.on_ready = "mine"
        self.on_messages = self.on_close = "mine"  # nearly one of ours, and in its place
        super().__init__(self.on_message, url, proxy=None)
        self.headers = {"mine": 1}

    def on_message(self, message: object) -> None:
        self.messages = [*getattr(self, "messages", []), message]

    def close(self) -> str:
        self.disconnect()
        return "closed"


def test_attributes_of_a_users_class() -> None:
    with EchoServer() as server:
        client = OwnAttributes(server.url)
        client.connect()
        client.wait_for(lambda message: True, 5, send="hello")
        client.timeout += 1
        assert (client.token, client.headers, client.timeout) == ("mine", {"mine": 1}, 4)
        assert client.close() == "closed"
    assert client.messages == ["hello", None]
    with pytest.raises(AttributeError, match="on_open: handlers are given to the constructor"):
        client.on_open = print


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickle.dumps])
def test_there_is_no_copy_that_could_end_it(
    front: type[Talk], twin: Callable[[object], object]
) -> None:
    with EchoServer() as server, closing(front(server.url)) as talk:
        with pytest.raises(TypeError, match="cannot be copied or pickled; make another one"):
            twin(talk.front)
        gc.collect()
        talk.send("still here")
        assert talk.receive() == "still here"


class Remade(WebSocketClient):
    def __reduce__(self) -> tuple[Any, ...]:
        return str, (self.url,)


def test_a_users_class_may_say_how_it_is_made_anew() -> None:
    client = Remade(print, "ws://localhost/")
    assert pickle.loads(pickle.dumps(client)) == copy.copy(client) == "ws://localhost/"


class Replaced(Complaints):
    """A line whose connection is replaced by another open one while somebody looks at it."""

    def __init__(self) -> None:
        self.present: Replaced.Session = Replaced.Session(self)

    class Session:
        def __init__(self, line: Replaced | None) -> None:
            self._line = line

        @property
        def is_open(self) -> bool:
            if self._line is None:
                return True
            self._line.present = Replaced.Session(None)
            return False


def test_it_is_open_while_one_connection_takes_the_place_of_another() -> None:
    client = WebSocketClient(print, "ws://localhost:1/", proxy=None)
    client._line = Replaced()  # type: ignore[assignment]
    assert client.is_open()


def test_a_subprotocol_that_is_a_token_is_for_the_program_only() -> None:
    events: list[ConnectionEvent] = []
    name = "bearer.hush"
    with EchoServer(subprotocols=[name]) as server:
        with WebSocketClient(
            print, server.url, proxy=None, subprotocols=[name], on_event=events.append
        ) as client:
            info = client.connection_info()
            assert client.subprotocol == name and info["subprotocol"] == "***"
            assert "hush" not in repr(client.response) + repr(info) + repr(client.options)
            assert client.ping().wait(5) is not None
    opened = [each for each in events if isinstance(each, OpenEvent)]
    assert [each.subprotocol for each in opened] == ["***"] and "hush" not in repr(events)


@pytest.mark.parametrize("front", FRONTS)
def test_a_socket_that_was_given_is_used_once(front: type[Talk]) -> None:
    """And the connection on it is not closed for a dial that cannot be."""
    with EchoServer() as server:
        given = socket.create_connection(("127.0.0.1", server.port), 5)
        with closing(front(server.url, sock=given)) as talk:
            for method in ("connect", "reconnect") if front is FRONTS[0] else ("reconnect",):
                with pytest.raises(OptionError, match="'sock': .* was used up"):
                    talk.call(method)
            talk.send("still here")
            assert talk.receive() == "still here"


def test_a_socket_that_was_given_and_failed() -> None:
    with socket.socket() as unconnected:
        client = WebSocketClient(print, "ws://h/", sock=unconnected)
        for text in ("expected a connected socket", "got one that is closed"):
            with pytest.raises(OptionError, match=text):
                client.connect()
