"""A script of faults is played connection by connection, and a port that was closed opens again."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

import tieline
from tieline.testing import EchoServer, FaultProxy, fault_proxy, faults
from tieline.testing.listening import listen

#: Seconds after which something that should have happened long ago will not happen any more.
PATIENCE = 20.0


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


def talk(proxy: FaultProxy, **options: Any) -> tieline.Connection:
    return tieline.connect(proxy.url, proxy=None, **options)


def dial(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)


def is_refused(proxy: FaultProxy) -> bool:
    try:
        dial(proxy).close()
    except ConnectionRefusedError:
        return True
    return False


def test_without_a_script_everybody_gets_through(echo: EchoServer) -> None:
    with FaultProxy(echo.url) as proxy:
        assert proxy.url == f"ws://127.0.0.1:{proxy.port}/" and proxy.port != echo.port
        for _ in range(3):
            with talk(proxy) as ws:
                ws.send("hello")
                assert ws.recv(PATIENCE) == "hello"
        assert [one.number for one in proxy.connections] == [1, 2, 3]
        assert "3 connections so far" in repr(proxy)


def test_one_fault_for_each_connection(echo: EchoServer) -> None:
    with FaultProxy(echo.url, faults.reset(), faults.PASS, faults.cut(20)) as proxy:
        with pytest.raises(tieline.ConnectError):
            talk(proxy)
        talk(proxy).close()
        with pytest.raises(tieline.HandshakeError):
            talk(proxy)
        talk(proxy).close()  # the script is over


def test_the_last_fault_may_be_repeated(echo: EchoServer) -> None:
    with FaultProxy(echo.url, faults.PASS, faults.reset(), repeat=True) as proxy:
        talk(proxy).close()
        for _ in range(3):
            with pytest.raises(tieline.ConnectError):
                talk(proxy)
        proxy.heal()
        talk(proxy).close()


@pytest.mark.parametrize("script", [(), (faults.PASS, faults.REFUSE)], ids=["none", "REFUSE"])
def test_what_cannot_be_repeated(echo: EchoServer, script: Any) -> None:
    with pytest.raises(ValueError, match="repeat=True needs a script"):
        FaultProxy(echo.url, *script, repeat=True)


def test_the_rest_of_the_url_stays() -> None:
    with FaultProxy("wss://localhost:1/feed?key=1") as proxy:
        assert proxy.url == f"wss://127.0.0.1:{proxy.port}/feed?key=1"


@pytest.mark.parametrize("url", ["127.0.0.1:80", "tcp://localhost", "", "ws://:80"])
def test_a_url_without_a_server(url: str) -> None:
    with pytest.raises(ValueError, match="expected a server's URL"):
        FaultProxy(url)


# --- refused dials


def test_refuse_and_listen(echo: EchoServer) -> None:
    with FaultProxy(echo.url) as proxy:
        with talk(proxy) as before:
            proxy.refuse()
            assert not proxy.is_listening
            for _ in range(3):
                assert is_refused(proxy)
            before.send("still here")
            assert before.recv(PATIENCE) == "still here"
            proxy.listen()
            assert proxy.is_listening
            talk(proxy).close()
        assert len(proxy.connections) == 2


def test_a_script_refuses_once_the_connection_before_was_accepted(echo: EchoServer) -> None:
    script = (faults.REFUSE, faults.PASS, faults.REFUSE, faults.reset(), faults.PASS)
    with FaultProxy(echo.url, *script) as proxy:
        assert is_refused(proxy)
        proxy.listen()
        with talk(proxy):
            assert is_refused(proxy) and is_refused(proxy)
            proxy.listen()
        with pytest.raises(tieline.ConnectError):
            talk(proxy)
        talk(proxy).close()


def test_heal_opens_the_port(echo: EchoServer) -> None:
    with FaultProxy(echo.url, faults.REFUSE, faults.reset(), faults.reset()) as proxy:
        proxy.heal()
        talk(proxy).close()
        proxy.refuse()
        proxy.heal()
        talk(proxy).close()


def test_crash_and_restart(echo: EchoServer) -> None:
    with FaultProxy(echo.url) as proxy:
        with talk(proxy) as ws:
            proxy.crash()
            with pytest.raises(tieline.ConnectionClosed) as closed:
                ws.recv(PATIENCE)
            assert isinstance(closed.value.close_info.error, ConnectionResetError)
        assert is_refused(proxy)
        proxy.listen()
        talk(proxy).close()


def test_another_server_takes_over(echo: EchoServer) -> None:
    with EchoServer(on_message=lambda connection, message: "new") as second:
        with FaultProxy(echo.url) as proxy:
            for url, answer in ((echo.url, "x"), (second.url, "new")):
                proxy.lead_to(url)
                with talk(proxy) as ws:
                    ws.send("x")
                    assert ws.recv(PATIENCE) == answer


# --- TLS


@pytest.fixture
def secure() -> Iterator[tuple[EchoServer, dict[str, Any]]]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with EchoServer(ssl_context=context) as server:
        yield server, {"ssl_ca_data": authority.cert_pem.bytes()}


@pytest.mark.parametrize(
    "fault",
    [faults.cut(), faults.cut(50), faults.reset(10), faults.garbage(), faults.tls_alert()],
    ids=str,
)
def test_a_tls_handshake_that_fails(
    secure: tuple[EchoServer, dict[str, Any]], fault: faults.Fault
) -> None:
    server, options = secure
    with FaultProxy(server.url, fault) as proxy:
        with pytest.raises(tieline.ConnectError) as failed:
            talk(proxy, **options)
        if fault is faults.tls_alert():
            assert "handshake failure" in str(failed.value)
        with talk(proxy, **options) as ws:
            ws.send("secret")
            assert ws.recv(PATIENCE) == "secret"
            assert proxy.connections[1].to_server.passed > len("secret")


# --- waiting and ending


def test_wait_for_returns_what_was_found_and_is_bounded(echo: EchoServer) -> None:
    with FaultProxy(echo.url) as proxy:
        with pytest.raises(TimeoutError, match="after 0.01 s: <FaultProxy"):
            proxy.wait_for(lambda: proxy.connections, 0.01)
        with dial(proxy):
            (found,) = proxy.wait_for(lambda: proxy.connections, PATIENCE)
            assert found.number == 1


def test_a_predicate_may_use_the_proxy(echo: EchoServer) -> None:
    with FaultProxy(echo.url) as proxy, dial(proxy):

        def strike() -> bool:
            proxy.strike(faults.reset())
            return bool(proxy.connections)

        assert proxy.wait_for(strike, PATIENCE)


def test_strikes_only_what_is_open(echo: EchoServer) -> None:
    with FaultProxy(echo.url) as proxy:
        talk(proxy).close()
        proxy.wait_for(lambda: not proxy.connections[0].is_open, PATIENCE)
        with dial(proxy) as raw:
            proxy.wait_for(lambda: len(proxy.connections) == 2, PATIENCE)
            proxy.strike(faults.reset())
            with pytest.raises(ConnectionResetError):
                raw.recv(1)
        assert [one.fault for one in proxy.connections] == [faults.PASS, faults.reset()]


def test_close_ends_everything(echo: EchoServer) -> None:
    proxy = FaultProxy(echo.url, faults.HANG, faults.black_hole(), faults.PASS)
    ends = [dial(proxy) for _ in range(3)]
    proxy.wait_for(lambda: len(proxy.connections) == 3, PATIENCE)
    started = time.monotonic()
    proxy.close()
    assert time.monotonic() - started < PATIENCE / 2
    proxy.close()
    assert not proxy.is_listening and not any(one.is_open for one in proxy.connections)
    for end in ends:
        end.close()
    for call in (proxy.refuse, proxy.listen, proxy.heal):
        with pytest.raises(RuntimeError, match="was closed"):
            call()
    proxy.strike(faults.reset())  # there is none


def test_what_goes_wrong_in_the_proxy_is_told(
    echo: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(host: str, port: int) -> socket.socket:
        raise OSError("somebody has the port")

    proxy = FaultProxy(echo.url)
    scripted = FaultProxy(echo.url, faults.PASS, faults.REFUSE)
    monkeypatch.setattr(fault_proxy, "bind", taken)
    with pytest.raises(OSError, match="somebody has the port"):
        proxy.refuse()
    proxy.close()
    dial(scripted).close()
    scripted.wait_for(lambda: not scripted.is_listening, PATIENCE)
    with pytest.raises(OSError, match="somebody has the port"):
        scripted.close()
    scripted.close()


def test_a_port_that_is_taken(echo: EchoServer) -> None:
    with listen("127.0.0.1", 0) as listener:
        with pytest.raises(OSError):
            FaultProxy(echo.url, port=listener.getsockname()[1])


def test_any_thread_may_ask(echo: EchoServer) -> None:
    with FaultProxy(echo.url) as proxy:
        threads = [
            threading.Thread(target=call) for call in (proxy.refuse, proxy.listen) for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        proxy.listen()
        talk(proxy).close()
