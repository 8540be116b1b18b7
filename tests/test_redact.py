"""No secret gets through, and no text makes redaction fail."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.redact import (
    MASK,
    SECRET_HEADERS,
    has_no_secret,
    is_secret_header,
    is_secret_subprotocol,
    safe_headers,
    safe_subprotocol,
    safe_url,
)


@pytest.mark.parametrize(
    "name",
    [
        *sorted(SECRET_HEADERS),
        "AUTHORIZATION",
        "X-Auth-Token",
        "X-CSRF-Token",
        "X-Amz-Security-Token",
        "My-Secret",
        "x-password",
        "X-Api-Key",
        "X_API_KEY",
        "ApiKey",
        "OK-ACCESS-SIGN",
        "OK-ACCESS-PASSPHRASE",
    ],
)
def test_secret_headers_are_known(name):
    assert is_secret_header(name)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Accept",
        "Keep-Alive",
        "Author",
        "WWW-Authenticate",
    ],
)
def test_other_headers_stay_readable(name):
    assert not is_secret_header(name)


def test_headers_keep_order_and_names():
    pairs = [("Host", "a"), ("Cookie", "sid=1"), ("Host", "b")]
    assert safe_headers(pairs) == [("Host", "a"), ("Cookie", MASK), ("Host", "b")]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("ws://example.com/feed?symbol=EUR", "ws://example.com/feed?symbol=EUR"),
        ("ws://user@example.com/", "ws://user@example.com/"),
        ("ws://abcdefghijklmno@h/", "ws://abcdefghijklmno@h/"),
        ("ws://abcdefghijklmnop@h/", "ws://***@h/"),
        ("ws://sk_live_9@h/", "ws://***@h/"),
        ("ws://sk_live_9:@h/", "ws://***:***@h/"),
        ("ws://joe9:hush@h/", "ws://joe9:***@h/"),
        ("ws://a%40b@h/", "ws://a%40b@h/"),
        ("ws://user:pw@example.com/", "ws://user:***@example.com/"),
        ("ws://user:p@w@example.com/", "ws://user:***@example.com/"),
        ("ws://:pw@example.com/", "ws://:***@example.com/"),
        ("ws://example.com/a@b:c@d", "ws://example.com/a@b:c@d"),
        ("ws://user@example.com/a@b", "ws://user@example.com/a@b"),
        ("ws://user:pw@example.com/a#b", "ws://user:***@example.com/a#b"),
        ("ws://[::1]:80/a@b", "ws://[::1]:80/a@b"),
        ("ws://[fe80::1%25eth0]:80/a@b", "ws://[fe80::1%25eth0]:80/a@b"),
        # Nobody can tell a port from the beginning of a password with a "/" in it.
        ("ws://example:8080/a@b", "ws://example:***@b"),
        ("http://joe:12/secret@proxy:3128", "http://joe:***@proxy:3128"),
        ("http://joe:12#secret@proxy:3128", "http://joe:***@proxy:3128"),
        ("http://joe:12?secret@proxy:3128/x?token=1", "http://joe:***@proxy:3128/x?token=***"),
        ("wss://joe:12/se@cret@host/feed", "wss://joe:***@host/feed"),
        ("wss://stream.example.com:9443/ws/x@trade", "wss://stream.example.com:9443/ws/x@trade"),
        ("ws://127.0.0.1:8080/x@trade", "ws://127.0.0.1:8080/x@trade"),
        ("ws://localhost:8080/x@trade", "ws://localhost:8080/x@trade"),
        ("wss://joe:/secret@host/feed", "wss://joe:***@host/feed"),
        ("wss://joe@corp.example:12/secret@host/feed", "wss://joe@corp.example:***@host/feed"),
        ("wss://joe:12@3/secret@host/feed", "wss://joe:***@host/feed"),
        ("wss://[joe]:12/secret@host/feed", "wss://[joe]:***@host/feed"),
        ("joe:12/secret@proxy/?to=http://h", "joe:***@proxy/?to=http://h"),
        ("ws://[::1]/a@b", "ws://[::1]/a@b"),
        ("ws://h/?token=abc&x=1", "ws://h/?token=***&x=1"),
        ("ws://h/?x=1&X-Amz-Signature=abc", "ws://h/?x=1&X-Amz-Signature=***"),
        ("ws://h/?listenKey=abc", "ws://h/?listenKey=***"),
        ("ws://h/?listenkey=abc", "ws://h/?listenkey=***"),
        ("ws://h/?%74oken=abc", "ws://h/?%74oken=***"),
        ("ws://h/?token=a;b?c#d", "ws://h/?token=***"),
        ("ws://h/?x=1;token=abc", "ws://h/?x=1;token=***"),
        ("ws://h/?zipcode=8000&code=abc", "ws://h/?zipcode=8000&code=***"),
        ("ws://h/?next=http://u:pw@g/?key=abc", "ws://h/?next=http://u:***@g/?key=***"),
        ("ws://h/#access_token=abc", "ws://h/#access_token=***"),
        ("/path?sig=abc", "/path?sig=***"),
        ("ws+unix:///tmp/a@b.sock:/x?pwd=1", "ws+unix:///tmp/a@b.sock:/x?pwd=***"),
    ],
)
def test_urls(url, safe):
    assert safe_url(url) == safe


@pytest.mark.parametrize("name", ["Location", "content-location", "Refresh", "Referer", "LINK"])
def test_urls_in_headers_are_masked(name):
    value = "0; url=https://u:hush@h/?token=hush&x=1"
    assert safe_headers([(name, value)]) == [(name, "0; url=https://u:***@h/?token=***&x=1")]
    assert safe_headers([(name, "/next?x=1")]) == [(name, "/next?x=1")]


@pytest.mark.parametrize(
    "text", ["://", ":", "@", "/", ":1@", "://:", "a:1/@", "?=", "&key=", "://u:p@&", "[", "%", "."]
)
@pytest.mark.parametrize("start", ["", "ws://joe:12", "ws://[", "/"])
def test_the_time_is_linear(text, start):
    begun = time.process_time()
    safe_url(start + text * 50_000)
    assert time.process_time() - begun < 1.0


SECRET_PARAMETERS = (
    "token access_token key api_key apikey secret password passwd pwd sig signature auth code "
    "session jwt credential credentials client_secret refresh-token X-Amz-Credential"
).split()


@pytest.mark.parametrize("name", SECRET_PARAMETERS)
@pytest.mark.parametrize("form", [str.lower, str.upper, str.title])
def test_secret_parameters_in_any_case(name, form):
    assert "hush" not in safe_url(f"wss://example.com/?a=b&{form(name)}=hush")


@pytest.mark.parametrize(
    "url",
    [
        "user:hush@example.com",
        "ws:user:hush@example.com",
        "ws:/user:hush@example.com/",
        "ws://user:hu/hush@example.com/",
        "ws://user:hu?hush@example.com/",
        "ws://user:hu#hush@example.com/",
        "ws://user:hush@[::1/",
        "://user:hush@",
        "ws://user:hush@example.com:99999/\r\n",
        "WS://USER:hush@\x00",
    ],
)
def test_passwords_of_invalid_urls(url):
    assert "hush" not in safe_url(url)


@pytest.mark.parametrize("value", [None, 3, b"ws://user:hush@host/"])
def test_what_is_no_text_is_named_by_its_type(value):
    assert safe_url(value) == f"<{type(value).__name__}>"


@given(st.text())
def test_any_text_can_be_made_safe(text):
    assert isinstance(safe_url(text), str)


@given(
    st.text(alphabet=st.characters(exclude_characters="/?#", codec="utf-8")),
    st.sampled_from(["", "@", ":", "/?token=", "&", ";"]),
)
def test_a_password_is_masked_whatever_it_holds(noise, sign):
    assert "hush" not in safe_url(f"ws://user:{noise}hush{noise}@example.com/{sign}")


@given(st.sampled_from(SECRET_PARAMETERS), st.text(alphabet="ab;?#=/@:%"))
def test_a_secret_value_is_masked_whatever_it_holds(name, noise):
    assert "hush" not in safe_url(f"ws://example.com/?{name}={noise}hush{noise}&x=1")


@pytest.mark.parametrize(
    "name",
    ["bearer.abc", "Bearer-abc", "jwt.x", "access_token.x", "openai-insecure-api-key.sk-abc"]
    + ["base64url.bearer.authorization.k8s.io.YWJj", "v1.a1b2c3d4e5f6g7h8i9", "x" * 32]
    + ["eyJhbGciOiJIUzI1NiJ9", "auth-0123456789abcdef0", "9b2e-4c11-8d07-5566-0a1f"],
)
def test_subprotocols_that_look_like_secrets(name):
    assert is_secret_subprotocol(name) and safe_subprotocol(name) == MASK
    pair = ("sec-websocket-PROTOCOL", f"chat, {name}, v2")
    assert safe_headers([pair]) == [(pair[0], f"chat, {MASK}, v2")]


@pytest.mark.parametrize(
    "name",
    ["chat", "graphql-transport-ws", "graphql-ws", "v12.stomp", "mqtt", "ocpp2.0.1", "soap"]
    + ["wamp.2.msgpack.batched", "v4.channel.k8s.io", "base64.binary.k8s.io", "sip", "xmpp"]
    + ["com.microsoft.minecraft.wsencrypt", "actioncable-v1-json", "x.2025-06-18"],
)
def test_subprotocols_that_are_names(name):
    assert not is_secret_subprotocol(name) and safe_subprotocol(name) == name


@pytest.mark.parametrize(
    "url",
    [
        "ws://example.com",
        "ws://example.com:9000/",
        "wss://example.com/chat",
        "wss://example.com/stream/v2/echo/",
        "ws://[::1]:9000/ws",
        "wss://example.com/?",
        "wss://example.com/?v=10&encoding=json",
        "wss://example.com/ws/btcusdt?depth=20&raw",
        "wss://example.com/?limit=100000",
    ],
)
def test_urls_that_may_be_kept(url):
    assert has_no_secret(url)


@pytest.mark.parametrize(
    "url",
    [
        "ws://user:pw@example.com/",
        "wss://example.com/chat?token=x",
        "wss://example.com/chat?depth=5&sig=x",
        "wss://example.com/chat?t%6Fken=x",
        "wss://example.com/chat?user=bob&pw=hunter",
        "wss://example.com/chat?user=2bXq81LmZ0",
        "wss://example.com/chat?user=1234567890",
        "wss://example.com/chat?12345=x",
        "wss://example.com/chat?pin=123456",
        "wss://example.com/chat?user=abcdefghijklmnopq",
        "wss://example.com/chat?depth=5?token=x",
        "wss://example.com/chat?2bXq81LmZ0",
        "wss://example.com/link/2bXq81LmZ0?depth=5",
        "wss://example.com/chat#x",
        "wss://example.com/link/2bXq81LmZ0",
        "wss://example.com/link/ABCDEFGH",
        "wss://example.com/hook/abcdefghijklmnopq",
        "wss://example.com/a-b-c-d-e",
        "example.com/chat",
        "",
    ],
)
def test_urls_that_may_hold_a_secret(url):
    assert not has_no_secret(url)


@pytest.mark.parametrize("name", ["token", "t%6Fken", "sig", "%73ig"])
def test_a_parameter_is_as_secret_the_second_time(name):
    for _ in range(2):
        assert safe_url(f"wss://h/?depth=5&{name}=x&b=1") == f"wss://h/?depth=5&{name}=***&b=1"
