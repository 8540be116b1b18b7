"""SOCKS 4, 4a and 5 against proxies that follow a script, good and bad."""

from __future__ import annotations

import builtins
import socket
import threading

import pytest

from tieline.errors import ConnectCancelled, ConnectTimeout, OptionError, ProxyError
from tieline.transport.proxy import Proxy
from tieline.transport.socks import open_tunnel, require_library
from tieline.transport.stream import SocketStream

PLAIN5 = Proxy("socks5h", "proxy.example", 1080)
KNOWN5 = Proxy("socks5h", "proxy.example", 1080, "us\xe9r", "hush")
PLAIN4 = Proxy("socks4a", "proxy.example", 1080)

ANY = "05 01 00"
#: What each side says, in turns; the client begins.
NO_AUTH = [ANY, "05 00"]
GRANTED = "05 00 00 01 7f000001 1f90"
TO_NAME = "05 01 00 03 0b" + b"example.com".hex() + "01bb"


@pytest.fixture
def talk(serve, handlers, attempt):
    """talk(script, proxy, ...) → what open_tunnel said, and the stream; the script was kept to."""
    streams = []

    def run(script, proxy=PLAIN5, host="example.com", port=443, attempt=attempt, then=None):
        lines = [bytes.fromhex(line) if isinstance(line, str) else line for line in script]

        def handler(connection):
            for asked, answer in zip(lines[::2], lines[1::2], strict=True):
                got = b""
                while len(got) < len(asked):
                    piece = connection.recv(len(asked) - len(got))
                    if not piece:
                        break
                    got += piece
                assert got == asked
                if callable(answer):
                    answer(connection)
                    return
                connection.sendall(answer)
            (then or handlers.silent)(connection)

        server = serve(handler)
        stream = SocketStream(socket.create_connection(server.address, 5))
        streams.append(stream)
        return open_tunnel(stream, proxy, host, port, attempt), stream

    yield run
    for stream in streams:
        stream.close()


def received(stream, attempt, count):
    data = bytearray(count)
    have = 0
    while have < count:
        got = stream.receive_into(memoryview(data)[have:])
        if got is None:
            attempt.wait(stream.fileno(), readable=True)
        else:
            assert got
            have += got
    return bytes(data)


# What is asked for


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("example.com", "03 0b" + b"example.com".hex()),
        ("10.1.2.3", "01 0a010203"),
        ("2001:db8::1", "04 20010db8 00000000 00000000 00000001"),
    ],
)
def test_socks5(talk, host, address):
    refusal, _ = talk([*NO_AUTH, f"05 01 00 {address} 01bb", GRANTED], host=host)
    assert refusal is None


def test_socks5_with_credentials(talk):
    name, password = "us\xe9r".encode(), b"hush"
    asked = bytes([1, len(name)]) + name + bytes([len(password)]) + password
    script = ["05 02 00 02", "05 02", asked.hex(), "01 00", TO_NAME, GRANTED]
    assert talk(script, KNOWN5)[0] is None


def test_a_proxy_that_has_the_version_of_socks_where_rfc_1929_has_another(talk):
    proxy = Proxy("socks5h", "h", 1, "u", None)
    script = ["05 02 00 02", "05 02", "01 01 75 00", "05 00", TO_NAME, GRANTED]
    assert talk(script, proxy)[0] is None


def test_credentials_are_not_sent_to_who_does_not_ask_for_them(talk):
    assert talk(["05 02 00 02", "05 00", TO_NAME, GRANTED], KNOWN5)[0] is None


@pytest.mark.parametrize(
    ("proxy", "host", "asked"),
    [
        (Proxy("socks4", "h", 1), "10.1.2.3", "04 01 01bb 0a010203 00"),
        (Proxy("socks4", "h", 1, "me"), "10.1.2.3", "04 01 01bb 0a010203 6d65 00"),
        (PLAIN4, "10.1.2.3", "04 01 01bb 0a010203 00"),
        (PLAIN4, "example.com", "04 01 01bb 000000ff 00" + b"example.com".hex() + "00"),
        (Proxy("socks4a", "h", 1, "me"), "a.b", "04 01 01bb 000000ff 6d65 00 612e62 00"),
        (PLAIN4, "127.1", "04 01 01bb 000000ff 00 3132372e31 00"),
    ],
)
def test_socks4(talk, proxy, host, asked):
    assert talk([asked, "00 5a 0000 00000000"], proxy, host)[0] is None


def test_socks4_and_ipv6(talk):
    with pytest.raises(ProxyError, match=r"cannot be asked for \[::1\]:443: SOCKS4 knows IPv4"):
        talk([], PLAIN4, "::1", then=lambda connection: connection.recv(1))


@pytest.mark.parametrize(
    "granted",
    [
        GRANTED,
        "05 00 00 03 03 616263 1f90",
        "05 00 00 04 00000000 00000000 00000000 00000001 1f90",
    ],
)
@pytest.mark.parametrize("piecewise", [False, True])
def test_not_a_byte_of_the_target_is_taken(talk, attempt, granted, piecewise):
    def answer(connection):
        data = bytes.fromhex(granted) + b"hello"
        if piecewise:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for position in range(len(data)):
                connection.sendall(data[position : position + 1])
        else:
            connection.sendall(data)
        connection.recv(1)

    refusal, stream = talk([*NO_AUTH, TO_NAME, answer])
    assert refusal is None
    assert received(stream, attempt, 5) == b"hello"


# Refusals


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "general failure"),
        (2, "connection not allowed by ruleset"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
        (6, "TTL expired"),
        (7, "command not supported"),
        (8, "address type not supported"),
        (0x5B, "reply 0x5b, which means nothing"),
    ],
)
@pytest.mark.parametrize("rest", ["", "01 00000000 0000"], ids=["short", "whole"])
def test_socks5_refuses(talk, code, words, rest):
    refusal, _ = talk(
        [*NO_AUTH, TO_NAME, f"05 {code:02x} 00 {rest or '00'}"], then=lambda connection: None
    )
    assert words in refusal.words
    assert refusal.is_final is (code in (2, 7, 8))


@pytest.mark.parametrize(
    ("code", "words"),
    [("5b", "rejected or failed"), ("5c", "identd"), ("5d", "another user id"), ("00", "0x00")],
)
def test_socks4_refuses(talk, code, words):
    asked = "04 01 01bb 0a010203 00"
    refusal, _ = talk([asked, f"00 {code} 0000 00000000"], PLAIN4, "10.1.2.3")
    assert words in refusal.words
    assert refusal.is_final is (code in ("5c", "5d"))


@pytest.mark.parametrize(
    ("script", "proxy", "reason"),
    [
        ([ANY, "05 ff"], PLAIN5, r"wants authentication .*proxy='socks5h://user:password@proxy"),
        ([ANY, "05 02"], PLAIN5, "wants authentication .*give credentials"),
        (["05 02 00 02", "05 ff"], KNOWN5, "neither a user name with password nor"),
        ([ANY, "05 01"], PLAIN5, "chose the authentication method 0x01"),
        ([ANY, "05 77"], PLAIN5, "chose the authentication method 0x77"),
        (
            ["05 02 00 02", "05 02", "01 05 7573c3a972 04 68757368", "01 07"],
            KNOWN5,
            "refused the user name and password .proxy.: status 7; check them",
        ),
        ([ANY, "04 00"], PLAIN5, "did not answer as a socks5h proxy does: it began with"),
        (
            [ANY, b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            PLAIN5,
            "that is HTTP: give the proxy as http",
        ),
        ([ANY, "15 03 03 00 02 02 46"], PLAIN5, "that is TLS"),
        (["04 01 01bb 0a010203 00", b"HTTP/1.1"], Proxy("socks4", "h", 1), "that is HTTP"),
        (["04 01 01bb 0a010203 00", "04 5a 0000 00000000"], Proxy("socks4", "h", 1), "began with"),
        ([*NO_AUTH, TO_NAME, "04 00 00 01 00000000 0000"], PLAIN5, "it began with"),
        ([*NO_AUTH, TO_NAME, "05 00 00 09 0000"], PLAIN5, "did not answer as a socks5h proxy"),
        ([*NO_AUTH, TO_NAME, "05 00 00 03 01 ff 0000"], PLAIN5, "did not answer as a socks5h"),
    ],
)
def test_answers_that_end_it(talk, script, proxy, reason):
    with pytest.raises(ProxyError, match=reason) as caught:
        talk(script, proxy, "10.1.2.3" if proxy.scheme == "socks4" else "example.com")
    assert "hush" not in str(caught.value)
    assert caught.value.refused


@pytest.mark.parametrize(
    "script",
    [
        [ANY, lambda connection: None],
        [ANY, lambda connection: connection.sendall(b"\x05")],
        [*NO_AUTH, TO_NAME, lambda connection: connection.sendall(b"\x05\x00\x00\x01\x7f")],
    ],
)
def test_a_proxy_that_hangs_up(talk, script):
    with pytest.raises(ProxyError, match="closed the connection instead of answering") as caught:
        talk(script)
    assert not caught.value.refused


def test_a_reset(talk):
    def reset(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with pytest.raises(ProxyError, match=r"broke \(proxy\): Connection reset") as caught:
        talk([ANY, reset])
    assert not caught.value.refused


# Bounds


@pytest.mark.parametrize("script", [[], [*NO_AUTH]], ids=["from the start", "later"])
def test_deadline(talk, make_attempt, script):
    with pytest.raises(ConnectTimeout) as caught:
        talk(script, attempt=make_attempt(0.1))
    assert caught.value.phase == "proxy"
    assert "asking the socks5h proxy proxy.example:1080 for a tunnel to example.com:443" in str(
        caught.value
    )


def test_cancel_from_another_thread(talk, handlers, make_attempt):
    attempt = make_attempt(None)

    def cancelling(connection):
        threading.Thread(target=attempt.cancel).start()
        handlers.silent(connection)

    with pytest.raises(ConnectCancelled, match="in phase 'proxy'"):
        talk([ANY, cancelling], attempt=attempt)


def test_events_hold_no_password(talk, make_attempt):
    events = []
    attempt = make_attempt(5, on_event=lambda *event: events.append(event))
    talk(["05 02 00 02", "05 00", TO_NAME, GRANTED], KNOWN5, attempt=attempt)
    ((kind, data),) = events
    assert kind == "proxy" and data["target"] == "example.com:443"
    assert data["proxy"] == "socks5h://us%C3%A9r:***@proxy.example:1080"
    assert attempt.timings["proxy"] > 0


# The library


def test_what_to_do_without_the_library(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "socksio":
            raise ImportError("No module named 'socksio'")
        return real(name, *rest, **more)

    require_library(KNOWN5)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OptionError, match=r"pip install 'tieline\[socks\]'") as caught:
        require_library(KNOWN5)
    assert "hush" not in str(caught.value)


def test_it_is_loaded_when_it_is_needed(modules_loaded_by):
    assert "socksio" not in modules_loaded_by("import tieline.transport.dial")
