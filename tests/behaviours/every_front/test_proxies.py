"""Proxies that refuse, break, babble or say nothing, on each front: a clear error, in time."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

import tieline
from tests.behaviours.every_front.conftest import Open, echo_script
from tieline.testing import ScriptedPeer

FAR = "ws://far.example/"


def read_head(peer: ScriptedPeer) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.socket.recv(4096)
    return head


def answering(answer: bytes) -> Callable[[ScriptedPeer], None]:
    def script(peer: ScriptedPeer) -> None:
        read_head(peer)
        try:
            peer.send_raw(answer)
            peer.hold()
        except OSError:
            pass  # the client has heard enough

    return script


def refusal(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal("403 Forbidden"), r"403 Forbidden; it may not allow this host or port"),
        (refusal("403 Forbidden", "not <b>you</b>\n"), r"403 Forbidden \('not you'\)"),
        (
            refusal("407 Who", "", 'Proxy-Authenticate: Basic realm="x"'),
            "407 Who; it asks for Basic .* was refused: check user",
        ),
        (refusal("502 Bad Gateway"), "502 Bad Gateway; it cannot reach the target now"),
        (refusal("302 Found", "", "Location: http://elsewhere.example/"), "302 Found"),
        (refusal("101 Switching Protocols"), "."),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000, "did not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, "did not answer in HTTP"),
        (b"HTTP/1.1 100 Go on\r\n\r\n" * 10_000, "did not answer in HTTP"),
        (b"\x00\xff" * 100_000, "did not answer in HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "did not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Sure\r\n", "bytes into the tunnel"),
    ],
)
def test_answers_to_connect(talk: Open, scripted: Any, answer: bytes, reason: str) -> None:
    server = scripted(answering(answer))
    with pytest.raises(tieline.ProxyError, match=reason) as raised:
        talk(FAR, proxy=f"http://user:hush@127.0.0.1:{server.port}")
    text = str(raised.value)
    assert "hush" not in text and "dXNlcjpodXNo" not in text
    assert f"127.0.0.1:{server.port}" in text


def test_a_proxy_that_shows_what_it_was_sent(talk: Open, scripted: Any) -> None:
    def echo(peer: ScriptedPeer) -> None:
        head = read_head(peer).decode()
        peer.send_raw(refusal("400 Bad Request", head + " user:hush", "Content-Type: text/plain"))
        peer.hold()

    server = scripted(echo)
    with pytest.raises(tieline.ProxyError, match="CONNECT far.example:80") as raised:
        talk(
            FAR,
            proxy=f"http://user:hush@127.0.0.1:{server.port}",
            proxy_headers={"X-Api-Key": "mine-alone"},
            headers={"Authorization": "Bearer far"},
            cookies={"session": "far"},
        )
    text = str(raised.value)
    for secret in ("hush", "dXNlcjpodXNo", "mine-alone", "Bearer far", "session"):
        assert secret not in text


def test_what_is_for_the_target_is_not_for_the_proxy(talk: Open, scripted: Any) -> None:
    heads: list[bytes] = []

    def proxy(peer: ScriptedPeer) -> None:
        heads.append(read_head(peer))
        peer.send_raw(b"HTTP/1.1 200 OK\r\n\r\n")
        echo_script(peer)

    server = scripted(proxy)
    talk(
        "ws://me:mine@far.example/path?token=t",
        proxy=f"http://user:hush@127.0.0.1:{server.port}",
        headers={"X-Api-Key": "k"},
        cookies={"session": "s"},
        user_agent="me/1",
    )
    (head,) = heads
    fields = dict(line.lower().split(b": ") for line in head.strip().split(b"\r\n")[1:])
    assert set(fields) == {b"host", b"proxy-authorization"}
    request = server.peers[-1].request
    assert request.headers.get("authorization") and request.headers.get("cookie") == "session=s"
    assert "proxy-authorization" not in request.headers


@pytest.mark.parametrize("scheme", ["http", "socks4a", "socks5"])
@pytest.mark.parametrize("says", [b"", b"\x05"], ids=["nothing", "little"])
def test_a_proxy_that_never_answers(talk: Open, scripted: Any, scheme: str, says: bytes) -> None:
    def silent(peer: ScriptedPeer) -> None:
        if scheme == "socks5":
            peer.send_raw(says)
        peer.hold()

    server = scripted(silent)
    with pytest.raises(tieline.ConnectTimeout) as raised:
        talk(
            "ws://127.0.0.1:1/",
            proxy=f"{scheme}://127.0.0.1:{server.port}",
            connect_timeout=0.2,
        )
    assert raised.value.phase == "proxy"


@pytest.mark.parametrize("scheme", ["http", "socks4a", "socks5h"])
def test_a_proxy_that_goes_away_in_the_middle(talk: Open, scripted: Any, scheme: str) -> None:
    server = scripted(lambda peer: peer.socket.recv(4096) and peer.reset())
    with pytest.raises(tieline.ProxyError, match="broke .proxy.: Connection reset"):
        talk(FAR, proxy=f"{scheme}://127.0.0.1:{server.port}")


def test_socks5_garbage(talk: Open, scripted: Any) -> None:
    server = scripted(lambda peer: peer.send_raw(b"\x00\xff" * 1000))
    with pytest.raises(tieline.ProxyError, match="did not answer as a socks5h proxy does"):
        talk(FAR, proxy=f"socks5h://127.0.0.1:{server.port}")


def test_an_https_proxy_to_a_plain_target(talk: Open, scripted: Any, tmp_path: Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def proxy(peer: ScriptedPeer) -> None:
        peer.start_tls(context)
        read_head(peer)
        peer.send_raw(b"HTTP/1.1 200 OK\r\n\r\n")
        echo_script(peer)

    server = scripted(proxy)
    url = f"https://127.0.0.1:{server.port}"
    open_talk = talk(FAR, proxy=url, ssl_ca_path=tmp_path / "ca.pem")
    open_talk.send("inside")
    assert open_talk.receive() == "inside"


def test_headers_for_a_proxy_that_takes_none(talk: Open) -> None:
    with pytest.raises(tieline.OptionError, match="proxy_headers: only HTTP proxies take headers"):
        talk(FAR, proxy="socks5://127.0.0.1:1", proxy_headers={"X-Team": "blue"})


def test_a_broken_variable(talk: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ws_proxy", "WS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ws_proxy", "http://u:hush@127.0.0.1:http")
    with pytest.raises(tieline.OptionError, match="^ws_proxy in the environment: ") as raised:
        talk(FAR, proxy=True)
    assert "hush" not in str(raised.value)


NAMED = (
    "; the proxy is http://user:***@127.0.0.1:{port}, because of HTTPS_PROXY in the environment "
    "(proxy=None connects without it)"
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Have the environment name a proxy on this port; returns what an error has to say of it."""
    for name in ("wss_proxy", "WSS_PROXY", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def name_proxy(port: int) -> str:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hush@127.0.0.1:{port}")
        return NAMED.format(port=port)

    return name_proxy


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_proxy_of_the_environment_that_is_not_there(
    talk: Open, environment: Callable[[int], str], closed_port: int
) -> None:
    named = environment(closed_port)
    with pytest.raises(tieline.ProxyError, match="Connection refused") as raised:
        talk("wss://far.example/", proxy=True)
    assert str(raised.value).endswith(named)


@pytest.mark.parametrize(
    ("says", "kind", "text"),
    [
        (answering(refusal("403 Forbidden")), tieline.ProxyError, "403 Forbidden"),
        (
            answering(refusal("407 Who", "", 'Proxy-Authenticate: Basic realm="x"')),
            tieline.ProxyError,
            "407 Who",
        ),
        (answering(b"HTTP/1.1 200 OK\r\n\r\n"), tieline.ConnectTimeout, "in phase .tls."),
        (
            answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"no TLS at all"),
            tieline.ProxyError,
            "into the tunnel",
        ),
        (lambda peer: peer.hold(), tieline.ConnectTimeout, "in phase .proxy."),
    ],
    ids=["refuses", "wants a login", "says nothing", "babbles", "never answers"],
)
def test_errors_name_the_variable_that_names_the_proxy(
    talk: Open,
    scripted: Any,
    environment: Callable[[int], str],
    says: Callable[[ScriptedPeer], None],
    kind: type[tieline.ConnectError],
    text: str,
) -> None:
    named = environment(scripted(says).port)
    timeout = 0.2 if kind is tieline.ConnectTimeout else 30
    with pytest.raises(kind, match=text) as raised:
        talk("wss://far.example/", proxy=True, connect_timeout=timeout)
    assert str(raised.value).endswith(named) and "hush" not in str(raised.value)


def test_errors_say_nothing_of_a_variable_for_a_proxy_of_the_callers(
    talk: Open, environment: Callable[[int], str], closed_port: int
) -> None:
    environment(1)
    with pytest.raises(tieline.ProxyError) as raised:
        talk("wss://far.example/", proxy=f"http://127.0.0.1:{closed_port}")
    assert "HTTPS_PROXY" not in str(raised.value) and "proxy=None" not in str(raised.value)


def test_disconnect_while_the_proxy_thinks(scripted: Any) -> None:
    asked = threading.Event()

    def silent(peer: ScriptedPeer) -> None:
        peer.socket.recv(4096)
        asked.set()
        peer.hold()

    server = scripted(silent)
    client = tieline.WebSocketClient(print, FAR, proxy=f"socks5h://127.0.0.1:{server.port}")
    threading.Thread(target=lambda: asked.wait(20) and client.disconnect()).start()
    with pytest.raises(tieline.ConnectCancelled, match="in phase 'proxy'"):
        client.connect()
