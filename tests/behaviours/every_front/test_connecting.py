"""Options of request, route and TLS, at work on each front."""

from __future__ import annotations

import socket
import ssl
import threading
from http.cookiejar import CookieJar
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509 import load_pem_x509_certificate

import tieline
from tests.behaviours.every_front.conftest import Open, echo_script, shows
from tests.engine.digest_scripts import Tunnel, challenge, proof, refuse_tunnel, sent_digest
from tieline.testing import ScriptedPeer


def request_of(server: Any) -> Any:
    """The last upgrade request that came."""
    return server.peers[-1].request


# --- request


@shows("headers", "origin", "user_agent", "cookies")
def test_headers(talk: Open, scripted: Any) -> None:
    server = scripted(echo_script)
    talk(
        server.url,
        headers={"X-Client": "42"},
        origin="https://example.com",
        user_agent="me/1",
        cookies={"a": "b"},
    )
    headers = request_of(server).headers
    assert headers.get("x-client") == "42"
    assert headers.get("origin") == "https://example.com"
    assert headers.get("user-agent") == "me/1"
    assert headers.get("cookie") == "a=b"


@shows("url", "default_path")
def test_callables_are_asked_for_each_attempt(talk: Open, scripted: Any) -> None:
    server = scripted(echo_script)
    threads: list[threading.Thread] = []

    def url() -> str:
        threads.append(threading.current_thread())
        return f"ws://127.0.0.1:{server.port}"

    given = {"url": url, "headers": lambda: {"X-Attempt": "1"}, "default_path": "/here"}
    open_talk = talk(given)
    request = request_of(server)
    assert (request.target, request.headers.get("x-attempt")) == ("/here", "1")
    loop = getattr(open_talk, "_thread", None)
    assert len(threads) == 1 and loop not in threads, "the loop must not be held up"


@shows("compression")
@pytest.mark.parametrize(
    ("compression", "offered"),
    [
        (None, None),
        ("deflate", "permessage-deflate; client_max_window_bits"),
        (
            tieline.Deflate(server_max_window_bits=9, client_context_takeover=False),
            "permessage-deflate; client_no_context_takeover; server_max_window_bits=9; "
            "client_max_window_bits",
        ),
    ],
    ids=["None", "deflate", "Deflate"],
)
def test_what_compression_is_offered(
    talk: Open, scripted: Any, compression: Any, offered: str | None
) -> None:
    server = scripted(echo_script)
    open_talk = talk(server.url, compression=compression)
    assert request_of(server).headers.get("sec-websocket-extensions") == offered
    assert open_talk.front.response.extensions == ()  # this server does without


@shows("compression")
@pytest.mark.parametrize(
    "wish", ["deflate", tieline.Deflate(client_context_takeover=False)], ids=type
)
def test_compressed_messages(talk: Open, echoing: Any, wish: Any) -> None:
    server = echoing(compression=tieline.Deflate(server_context_takeover=False))
    open_talk = talk(server.url, compression=wish)
    (agreed,) = open_talk.front.response.extensions
    assert agreed.startswith("permessage-deflate; server_no_context_takeover")
    assert ("client_no_context_takeover" in agreed) is (wish != "deflate")
    for message in ("{}", "{'price': 1}" * 100, b"\0" * 100_000, "{'price': 1}" * 100, ""):
        open_talk.send(message)
        assert open_talk.receive() == message
    stats = open_talk.front.stats()
    assert stats.wire_bytes_received < stats.payload_bytes_received / 10
    assert stats.wire_bytes_sent < stats.payload_bytes_sent / 10


@shows("subprotocols")
def test_subprotocols(talk: Open, echoing: Any) -> None:
    server = echoing(subprotocols=["b"])
    assert talk(server.url, subprotocols=["a", "b"]).front.subprotocol == "b"


@shows("auth", "username", "password", "token", "token_type")
@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"auth": ("me", "it")}, "Basic bWU6aXQ="),
        ({"auth": lambda url: tieline.Bearer("x")}, "Bearer x"),
        ({"username": "me", "password": "it"}, "Basic bWU6aXQ="),
        ({"token": "x", "token_type": "Token"}, "Token x"),
    ],
    ids=["auth", "callable", "username", "token"],
)
def test_credentials(talk: Open, scripted: Any, options: dict[str, Any], sent: str) -> None:
    server = scripted(echo_script)
    talk(server.url, **options)
    assert request_of(server).headers.get("authorization") == sent


DIGEST = 'Digest realm="here", nonce="n", qop="auth"'


@shows("auth")
@pytest.mark.parametrize("how", ["Digest", "pair", "callable"])
def test_a_challenge_is_answered(talk: Open, scripted: Any, how: str) -> None:
    threads: list[threading.Thread] = []

    def answer(url: str, challenges: tuple[tieline.Challenge, ...]) -> tieline.Digest | None:
        threads.append(threading.current_thread())
        return tieline.Digest("me", "it") if challenges else None

    def verified(peer: ScriptedPeer) -> None:
        given = sent_digest(peer.read_request().headers["authorization"])
        assert given["response"] == proof(given, "GET", "it")
        echo_script(peer)

    server = scripted(challenge(DIGEST), verified)
    forms = {"Digest": tieline.Digest("me", "it"), "pair": ("me", "it"), "callable": answer}
    info: dict[str, Any] = {}
    open_talk = talk(server.url, auth=forms[how], info=info)
    open_talk.send("known")
    assert open_talk.receive() == "known"
    assert [each["scheme"] for each in info["authentication"]] == ["digest"]
    loop = getattr(open_talk, "_thread", None)
    assert len(threads) == (2 if how == "callable" else 0), "both times by the dial"
    assert loop not in threads, "the loop must not be held up"


@shows("netrc")
def test_netrc(talk: Open, scripted: Any, tmp_path: Any) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password it")
    server = scripted(echo_script)
    talk(server.url, netrc=str(tmp_path / "netrc"))
    assert request_of(server).headers.get("authorization") == "Basic bWU6aXQ="


@shows("cookies")
def test_a_jar(talk: Open, scripted: Any) -> None:
    def welcome(peer: ScriptedPeer) -> None:
        peer.redirect("/there", headers=[("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2")])

    server = scripted(welcome, echo_script)
    jar = CookieJar()
    talk(server.url, cookies=jar)
    assert request_of(server).headers.get("cookie") == "a=1; b=2"
    assert len(jar) == 2


@shows("max_redirects")
def test_redirects(talk: Open, scripted: Any) -> None:
    def moved(peer: ScriptedPeer) -> None:
        peer.redirect("/there")

    server = scripted(moved, echo_script, moved)
    assert talk(server.url).front.response.url.endswith("/there")
    with pytest.raises(tieline.HandshakeError):
        talk(server.url, max_redirects=0)


@shows("cross_origin_redirects")
def test_redirects_to_another_origin(talk: Open, scripted: Any) -> None:
    there = scripted(echo_script)
    here = scripted(*[lambda peer: peer.redirect(there.url)] * 2)
    assert talk(here.url).front.response.url == there.url
    with pytest.raises(tieline.HandshakeError, match="cross_origin_redirects=False"):
        talk(here.url, cross_origin_redirects=False)
    assert len(there.peers) == 1


# --- route


@shows("proxy", "proxy_headers")
def test_proxy(talk: Open, scripted: Any) -> None:
    def proxy(peer: ScriptedPeer) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.socket.recv(4096)
        heads.append(data)
        peer.send_raw(b"HTTP/1.1 200 OK\r\n\r\n")
        echo_script(peer)

    heads: list[bytes] = []
    server = scripted(proxy)
    options = {"proxy": f"http://127.0.0.1:{server.port}", "proxy_headers": {"X-For": "proxy"}}
    open_talk = talk("ws://far.example/", **options)
    open_talk.send("through")
    assert open_talk.receive() == "through"
    assert heads[0].startswith(b"CONNECT far.example:80 ") and b"X-For: proxy" in heads[0]


@shows("proxy_auth")
def test_proxy_auth(talk: Open, scripted: Any) -> None:
    def check(found: str | None, far_end: str) -> None:
        assert found is not None
        given = sent_digest(found)
        assert given["uri"] == far_end == "far.example:80"
        assert given["response"] == proof(given, "CONNECT", "it")

    server = scripted(refuse_tunnel(DIGEST), Tunnel(check, echo_script))
    options = {"proxy": f"http://127.0.0.1:{server.port}", "proxy_auth": tieline.Digest("me", "it")}
    open_talk = talk("ws://far.example/", **options)
    open_talk.send("far")
    assert open_talk.receive() == "far"


@shows("connect_to", "source_address", "schemes", "default_port")
def test_where_to(talk: Open, scripted: Any) -> None:
    server = scripted(echo_script, echo_script, echo_script)
    options: dict[str, Any] = {"connect_to": ("127.0.0.1", server.port)}
    talk("ws://far.example/", source_address=("127.0.0.1", 0), **options)
    assert request_of(server).headers.get("host") == "far.example"
    talk("feed://127.0.0.1", schemes={"feed": {"port": server.port, "ssl": False}})
    talk("ws://127.0.0.1", default_port=server.port)
    assert len(server.peers) == 3


@shows("family")
def test_family(talk: Open, echoing: Any) -> None:
    server = echoing()
    with pytest.raises(tieline.ConnectError):
        talk(server.url, family=socket.AF_INET6)


@shows("unix_socket")
def test_unix_socket(talk: Open, scripted: Any, tmp_path: Any) -> None:
    path = str(tmp_path / "s")
    scripted(echo_script, path=path)
    open_talk = talk("ws://localhost/", unix_socket=path)
    open_talk.send("near")
    assert open_talk.receive() == "near"


@shows("sock")
def test_sock(talk: Open, echoing: Any) -> None:
    server = echoing()
    connected = socket.create_connection(("127.0.0.1", server.port))
    open_talk = talk("ws://localhost/", sock=connected)
    open_talk.send("mine")
    assert open_talk.receive() == "mine"


# --- TLS


@shows("ssl_ca_data", "ssl_context", "ssl_verify_cert", "server_hostname", "ssl_fingerprint")
def test_tls(
    talk: Open, echoing: Any, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    trust = {"ssl_ca_data": authority.cert_pem.bytes()}
    context = ssl.create_default_context()
    authority.configure_trust(context)
    server = echoing(ssl_context=server_context)
    url = f"wss://127.0.0.1:{server.port}/"
    for options in (
        trust,
        {"ssl_context": context},
        {"ssl_verify_cert": False},
        trust | {"server_hostname": "localhost"},
    ):
        open_talk = talk(url, **options)
        open_talk.send("secret")
        assert open_talk.receive() == "secret"
        assert open_talk.front.connection_info()["tls"]["version"] == "TLSv1.3"
    for refused in (
        {},
        trust | {"server_hostname": "elsewhere.example"},
        trust | {"ssl_fingerprint": "0" * 64},
    ):
        with pytest.raises(tieline.TLSError):
            talk(url, **refused)


@shows("ssl_cert_data")
def test_client_certificate(talk: Open, echoing: Any, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.bytes()
    server = echoing(ssl_context=context)
    url = f"wss://localhost:{server.port}/"
    open_talk = talk(url, ssl_ca_data=authority.cert_pem.bytes(), ssl_cert_data=mine)
    open_talk.send("known")
    assert open_talk.receive() == "known"


@shows("ssl_cert_data", "ssl_key_password")
def test_a_client_certificate_in_pkcs12(talk: Open, echoing: Any, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = authority.issue_cert("client@example.com")
    packed = serialize_key_and_certificates(
        None,
        load_pem_private_key(mine.private_key_pem.bytes(), None),
        load_pem_x509_certificate(mine.cert_chain_pems[0].bytes()),
        None,
        BestAvailableEncryption(b"hush"),
    )
    server = echoing(ssl_context=context)
    url = f"wss://localhost:{server.port}/"
    trust = authority.cert_pem.bytes()
    open_talk = talk(url, ssl_ca_data=trust, ssl_cert_data=packed, ssl_key_password="hush")
    open_talk.send("known")
    assert open_talk.receive() == "known"
    with pytest.raises(tieline.OptionError, match="ssl_key_password: it does not open"):
        talk(url, ssl_ca_data=trust, ssl_cert_data=packed, ssl_key_password="wrong")


@shows("url", "connect_to", "server_hostname")
@pytest.mark.parametrize(
    ("host", "options"),
    [("fa\xdf.example", {}), ("h.example", {"server_hostname": "fa\xdf.example"})],
    ids=["url", "server_hostname"],
)
def test_names_beyond_ascii(
    talk: Open, scripted: Any, authority: trustme.CA, host: str, options: dict[str, Any]
) -> None:
    """One form for DNS, SNI, the certificate and Host: the one of browsers (IDNA 2003: fass)."""
    a_label = "xn--fa-hia.example"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(a_label).configure_cert(context)
    names: list[str | None] = []
    context.sni_callback = lambda session, name, context: names.append(name)
    server = scripted(echo_script, ssl_context=context)
    open_talk = talk(
        f"wss://{host}:{server.port}/",
        ssl_ca_data=authority.cert_pem.bytes(),
        connect_to=("127.0.0.1", server.port),
        **options,
    )
    assert names == [a_label]
    expected = a_label if not options else host
    assert request_of(server).headers["host"] == f"{expected}:{server.port}"
    open_talk.send("there")
    assert open_talk.receive() == "there"
