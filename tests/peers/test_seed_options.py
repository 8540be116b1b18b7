"""The options of the second table of docs/seed.md, on every peer."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

import tieline
from tests.peers.processes import PATIENCE
from tests.peers.servers.contract import AUTHORIZATION

pytestmark = pytest.mark.peers

#: Seconds within which something happens that is bounded by much less, on a busy machine; the
#: bound that it would have by default is 10 s or more.
AT_ONCE = 6.0


@pytest.fixture
def sent_headers(peer, key):
    """`sent_headers()`: what the peer was sent by the next request, names in lower case."""

    def read() -> dict[str, str]:
        return {name.lower(): value for name, value in peer.saw("request", key)["headers"].items()}

    return read


@pytest.fixture
def make(peer, key, received, make_client):
    """make(path, **options): a client of this peer."""

    def make(path="/echo", **options):
        return make_client(received, **{"url": peer.url(path, key), **peer.options, **options})

    return make


def assert_echo(client, received):
    client.send("hello")
    assert received.next() == "hello"


# --- credentials and headers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_url", "options"),
    [
        ("", {"username": "Aladdin", "password": "open sesame"}),
        ("Aladdin:open%20sesame@", {}),
        ("", {"auth": ("Aladdin", "open sesame")}),
        ("", {"auth": tieline.Basic("Aladdin", "open sesame")}),
        ("", {"headers": {"Authorization": AUTHORIZATION}}),
    ],
    ids=["username and password", "in the URL", "pair", "Basic", "header"],
)
def test_basic_authentication(peer, key, make, received, in_url, options):
    client = make(url=peer.url("/private", key, in_url), **options)
    info = {}
    client.connect(info=info)
    assert_echo(client, received)
    for shown in (repr(client), repr(info), client.safe_url, repr(client.options)):
        assert "sesame" not in shown
        assert AUTHORIZATION not in shown


def test_wrong_password_is_a_refusal_that_names_no_password(make):
    client = make("/private", username="Aladdin", password="close sesame")
    with pytest.raises(tieline.HandshakeError, match="401") as raised:
        client.connect()
    assert raised.value.response.status == 401
    assert raised.value.response["www-authenticate"] == 'Basic realm="peers"'
    assert raised.value.response.body == b"who are you?"
    assert "sesame" not in str(raised.value)


def test_token_is_sent_with_its_type(make, sent_headers):
    make(token="0123-4567").connect()
    assert sent_headers()["authorization"] == "Bearer 0123-4567"
    make(token="0123-4567", token_type="Ticket").connect()
    assert sent_headers()["authorization"] == "Ticket 0123-4567"


def test_headers_cookies_origin_and_user_agent(make, sent_headers):
    make(
        headers={"X-Client": "42"},
        cookies={"session": "s3"},
        origin="https://example.com",
        user_agent="seed/1.0",
    ).connect({"hdr": {"X-Connection": "1"}})
    headers = sent_headers()
    assert headers["x-client"] == "42"
    assert headers["x-connection"] == "1"
    assert headers["cookie"] == "session=s3"
    assert headers["origin"] == "https://example.com"
    assert headers["user-agent"] == "seed/1.0"


# --- redirects and refusals ----------------------------------------------------------------------


def test_a_redirect_is_followed(make, received, peer, key):
    client = make("/redirect")
    info = {}
    client.connect(info=info)
    assert [peer.saw("request", key)["path"] for _ in range(2)] == ["/redirect", "/echo"]
    assert info["redirects"] == [peer.url("/echo", key)]
    assert client.response.url == peer.url("/echo", key)
    assert_echo(client, received)


def test_redirects_in_a_circle_are_told(make, peer, key):
    with pytest.raises(tieline.TooManyRedirects, match="go in a circle") as raised:
        make("/loop", max_redirects=3).connect()
    assert raised.value.response.status == 302
    assert peer.saw("request", key)["path"] == "/loop"
    assert peer.saw_nothing_more("request", key)


def test_max_redirects_0_gives_the_redirect_itself(make, key):
    """Qore's redirect_passthru."""
    with pytest.raises(tieline.HandshakeError) as raised:
        make("/redirect", max_redirects=0).connect()
    assert raised.value.response.status == 302
    assert raised.value.response["location"] == f"/echo?{key}"


def test_a_refusal_holds_status_headers_and_body(make):
    """Qore's error_passthru. The client stays usable, and the callback hears nothing."""
    client = make("/refuse")
    for _ in range(2):
        with pytest.raises(tieline.HandshakeError, match="403") as raised:
            client.connect()
        assert raised.value.response.status == 403
        assert raised.value.response["x-why"] == "closed"
        assert raised.value.response.body == b"not today"


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_connect_timeout_spans_the_whole_set_up(make):
    client = make("/silent", connect_timeout=1.0)
    info = {}
    begun = time.monotonic()
    with pytest.raises(tieline.ConnectTimeout, match="connect_timeout") as raised:
        client.connect(info=info)
    assert 1.0 <= time.monotonic() - begun < AT_ONCE
    assert raised.value.phase == "upgrade"
    assert isinstance(raised.value, TimeoutError)
    assert info["request-uri"].startswith("GET /silent")
    assert info["timings"]["total"] >= 1.0


@pytest.mark.slow
def test_timeout_limits_one_send_to_a_peer_that_does_not_read(make, received):
    # Compressed, a gigabyte of zeros fits into the buffers.
    client = make(timeout=0.3, close_timeout=0.3, compression=None)
    client.connect()
    client.send("!deaf")
    block = bytes(1024 * 1024)
    with pytest.raises(tieline.SendTimeout) as raised:
        # Kernels and libraries have buffers, but none that holds a gigabyte.
        for _ in range(1024):
            begun = time.monotonic()
            client.send(block)
    assert 0.3 <= time.monotonic() - begun < AT_ONCE
    assert isinstance(raised.value, TimeoutError)
    begun = time.monotonic()
    client.disconnect()
    assert time.monotonic() - begun < AT_ONCE
    assert received.until_none() == []
    assert client.close_info.clean is False


# --- parts of the URL ----------------------------------------------------------------------------


def test_default_port_and_default_path_complete_the_url(make, peer, received):
    client = make(
        url=f"{peer.scheme}://127.0.0.1", default_port=peer.port, default_path="/from-default?it"
    )
    client.connect()
    assert peer.saw("request", "it")["path"] == "/from-default"
    assert_echo(client, received)


def test_schemes_adds_a_scheme_with_its_port_and_tls(make, peer, key, received):
    """Qore's `protocols`."""
    client = make(
        url=f"feed://127.0.0.1/echo?{key}",
        schemes={"feed": {"port": peer.port, "ssl": peer.secure}},
    )
    client.connect()
    assert_echo(client, received)


def test_unix_socket_in_the_url(peer, key, make, received):
    if peer.secure:
        # The certificate is for the host, which this form of URL does not have.
        options = {"server_hostname": "localhost"}
    else:
        options = {}
    path = quote(peer.unix_path, safe="")
    client = make(url=f"{peer.scheme}://socket={path}/echo?{key}", **options)
    client.connect()
    assert_echo(client, received)
    assert peer.saw("request", key)["path"] == "/echo"

    client = make(url=f"{peer.scheme}+unix://{peer.unix_path}:/echo?{key}", **options)
    client.connect()
    assert_echo(client, received)


def test_unix_socket_as_an_option(peer, key, make, received):
    client = make(url=f"{peer.scheme}://localhost/echo?{key}", unix_socket=peer.unix_path)
    client.connect()
    assert_echo(client, received)
    assert peer.saw("request", key)["headers"].get("Host", "localhost") == "localhost"


def test_connect_to_dials_elsewhere_and_keeps_the_host(peer, key, make, received, sent_headers):
    client = make(
        url=f"{peer.scheme}://localhost:1/echo?{key}", connect_to=("127.0.0.1", peer.port)
    )
    client.connect()
    assert sent_headers()["host"] == "localhost:1"
    assert_echo(client, received)


# --- what is only checked ------------------------------------------------------------------------


def test_http_version_is_1_1(make, received):
    client = make(http_version="1.1")
    assert client.connect().http_version == "1.1"
    with pytest.raises(tieline.OptionError, match="http_version"):
        make(http_version="1.0")


@pytest.mark.parametrize(
    "name",
    [
        "additional_methods",
        "assume_encoding",
        "encoding",
        "encoding_passthru",
        "pre_encoded_urls",
        "encode_chars",
    ],
)
def test_options_about_bodies_and_methods_are_refused_with_the_reason(name):
    with pytest.raises(tieline.OptionError, match=f"'{name}'.*handshake") as raised:
        tieline.WebSocketClient(print, "ws://example.com", **{name: True})
    assert raised.value.err == "WEBSOCKET-ERROR"


def test_the_client_is_usable_after_every_kind_of_failure(make, peer, key, received):
    places = iter(["/refuse", "/loop", "/silent", "/private", "/echo"])
    client = make(url=lambda: peer.url(next(places), key), connect_timeout=0.2)
    for _ in range(4):
        with pytest.raises(tieline.ConnectError):
            client.connect()
        assert client.state is tieline.State.CLOSED
    client.connect(timeout=PATIENCE)
    assert_echo(client, received)
