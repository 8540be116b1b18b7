"""URLs taken apart, refused with a reason, and followed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.errors import OptionError
from tieline.transport.url import URL, Scheme, parse_url

SCHEMES = {
    "ws": Scheme(80, False),
    "wss": Scheme(443, True),
    "http": Scheme(80, False, "ws"),
    "https": Scheme(443, True, "wss"),
    "feed": Scheme(7000, True),
}


def parse(text, **options):
    return parse_url(text, SCHEMES, **options)


@pytest.mark.parametrize(
    ("text", "scheme", "secure", "host", "port", "target"),
    [
        ("ws://example.com", "ws", False, "example.com", 80, "/"),
        ("WSS://Example.COM/Feed?A=b", "wss", True, "example.com", 443, "/Feed?A=b"),
        ("https://example.com/x", "wss", True, "example.com", 443, "/x"),
        ("feed://h", "feed", True, "h", 7000, "/"),
        ("ws://h:/x", "ws", False, "h", 80, "/x"),
        ("ws://h:65535?a", "ws", False, "h", 65535, "/?a"),
        ("ws://h?", "ws", False, "h", 80, "/?"),
        ("ws://127.0.0.1:8080/a/../b", "ws", False, "127.0.0.1", 8080, "/a/../b"),
        ("ws://[2001:DB8::1]:81/", "ws", False, "2001:db8::1", 81, "/"),
        ("ws://[fe80::1%25eth0]/", "ws", False, "fe80::1%eth0", 80, "/"),
        ("ws://[fe80::1%eth0]/", "ws", False, "fe80::1%eth0", 80, "/"),
        ("ws://b\xfccher.example/", "ws", False, "xn--bcher-kva.example", 80, "/"),
        ("ws://ex%61mple.com/", "ws", False, "example.com", 80, "/"),
        ("ws://under_score.example./", "ws", False, "under_score.example.", 80, "/"),
        ("ws://h/\u20ac?q=\xfc", "ws", False, "h", 80, "/%E2%82%AC?q=%C3%BC"),
        ("ws://h/%20%zz|x", "ws", False, "h", 80, "/%20%25zz%7Cx"),
        ("ws://h/a:b@c?d=[e]/?", "ws", False, "h", 80, "/a:b@c?d=[e]/?"),
    ],
)
def test_parts(text, scheme, secure, host, port, target):
    url = parse(text)
    assert (url.scheme, url.secure, url.host) == (scheme, secure, host)
    assert (url.port, url.target) == (port, target)
    assert url.username is url.password is url.unix_path is None


@pytest.mark.parametrize(
    ("text", "username", "password"),
    [
        ("ws://u@h/", "u", None),
        ("ws://u:@h/", "u", ""),
        ("ws://:pw@h/", "", "pw"),
        ("ws://u:p%40%3A%2F%25@h/", "u", "p@:/%"),
        ("ws://u:p@w:x@h/", "u", "p@w:x"),
        ("ws://%C3%BC:p%20w@h/", "\xfc", "p w"),
        ("ws://@h/", None, None),
    ],
)
def test_credentials(text, username, password):
    url = parse(text)
    assert (url.username, url.password, url.host) == (username, password, "h")


@pytest.mark.parametrize(
    ("text", "secure", "path", "target"),
    [
        ("ws+unix:///run/x.sock:/feed?a=b", False, "/run/x.sock", "/feed?a=b"),
        ("ws+unix:///run/x.sock", False, "/run/x.sock", "/"),
        ("ws+unix:/run/x.sock:/feed", False, "/run/x.sock", "/feed"),
        ("WSS+UNIX:///run/a%3Ab.sock:/feed:1", True, "/run/a:b.sock", "/feed:1"),
        ("feed+unix:///x", True, "/x", "/"),
        ("ws://socket=%2Frun%2fx.sock/feed", False, "/run/x.sock", "/feed"),
        ("wss://socket=%2Frun%2fx.sock", True, "/run/x.sock", "/"),
    ],
)
def test_unix_sockets(text, secure, path, target):
    url = parse(text)
    assert (url.unix_path, url.target, url.secure) == (path, target, secure)
    assert url.host == url.host_header == "localhost"
    assert "unix" not in url.scheme


def test_unix_sockets_with_credentials():
    for text in ("ws+unix://u:hush@/x.sock:/", "ws://u:hush@socket=%2Fx.sock/"):
        url = parse(text)
        assert (url.username, url.password, url.unix_path) == ("u", "hush", "/x.sock")
        assert url.safe == "ws+unix://u:***@/x.sock:/"


def test_defaults():
    assert parse("ws://h", default_port=8080, default_path="feed?x").port == 8080
    assert parse("ws://h", default_port=8080, default_path="feed?x").target == "/feed?x"
    assert parse("ws://h:1/p", default_port=8080, default_path="/feed").port == 1
    assert parse("ws://h:1/p", default_port=8080, default_path="/feed").target == "/p"
    assert parse("ws://h?q", default_path="/feed").target == "/feed?q"


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("ws://h", "h"),
        ("ws://h:80", "h"),
        ("ws://h:443", "h:443"),
        ("wss://h:443", "h"),
        ("https://h:443", "h"),
        ("ws://[::1]", "[::1]"),
        ("ws://[::1]:8080", "[::1]:8080"),
        ("ws://[fe80::1%25eth0]", "[fe80::1]"),
        ("ws://b\xfccher.example:8080", "xn--bcher-kva.example:8080"),
    ],
)
def test_host_header(text, header):
    assert parse(text).host_header == header


def test_host_header_names_a_port_that_is_only_our_default():
    assert parse("ws://h", default_port=8080).host_header == "h:8080"


# Refusals

REFUSED = [
    (None, "expected a str"),
    (b"ws://h/", "expected a str, got bytes"),
    ("", "no scheme"),
    ("example.com/path", "no scheme; expected ws://, wss://"),
    ("localhost:8080/path", "no scheme"),
    ("//h/", "no scheme"),
    ("ftp://h/", "unknown scheme; expected ws://, wss://, http://, https://, feed://"),
    ("ws+tls://h/", "unknown scheme"),
    ("ws:h", "names a host"),
    ("ws:/h", "names a host"),
    ("ws://", "host is missing"),
    ("ws:///path", "host is missing"),
    ("ws://:80/", "host is missing"),
    ("ws://u:hush@/", "host is missing"),
    ("ws://h/#part", "fragment"),
    ("ws://h/?q#", "fragment"),
    ("ws://h/a b", "' ' at position 8"),
    (" ws://h/", "' ' at position 0"),
    ("ws://h/\r\nEvil: 1", r"'\\r'"),
    ("ws://h/\0", r"'\\x00'"),
    ("ws://h/\ud800", r"'\\ud800'"),
    ("ws://h/\x85", r"'\\x85'"),
    ("ws://h:0/", "the port is not valid"),
    ("ws://h:65536/", "the port is not valid"),
    ("ws://h:-1/", "the port is not valid"),
    ("ws://h:8o80/", "the port is not valid; expected host:port with a port from 1 to 65535"),
    ("ws://h:\u0661/", "the port is not valid"),
    ("ws://u:hu/hush@h/", "the port is not valid"),
    ("ws://2001:db8::1/", "brackets"),
    ("ws://[::1/", r"a bracket of the host is out of place; .*\[2001:db8::1\]"),
    ("ws://::1]/", "a bracket of the host is out of place"),
    ("ws://[::1]x/", "a bracket of the host is out of place"),
    ("ws://[nonsense]/", "IPv6"),
    ("ws://[v1.x]/", "IPv6"),
    ("ws://[fe80::1%]/", "zone"),
    ("ws://[fe80::1%25a%2Fb]/", "zone"),
    ("ws://a..b/", "host is not valid"),
    ("ws://.a/", "host is not valid"),
    ("ws://-a/", "host is not valid"),
    ("ws://a%2Fb/", "host is not valid"),
    ("ws://a%00b/", "host is not valid"),
    ("ws://a%FFb/", "internationalised"),
    (f"ws://{'a' * 64}.example/", "host is not valid"),
    (f"ws://{'a' * 60}\xfc\xfc\xfc\xfc.example/", "internationalised"),
    ("ws://u:hush%@h/", "without two hex digits"),
    ("ws://u:hush%FF@h/", "UTF-8"),
    ("ws://u:hush%0D%0A@h/", "control character"),
    ("ws://u%3Ax:hush@h/", "colon"),
    ("ws+unix://x.sock:/feed", "not absolute; expected ws\\+unix:///path.sock:/path"),
    ("ws+unix:x.sock:/feed", "not absolute"),
    ("ws+unix:///x.sock:feed", "does not start with '/'"),
    ("ws+unix://", "socket's path is empty"),
    ("ws+unix:///x%00.sock", "NUL"),
    ("ws://socket=/x", "socket's path is empty"),
    ("ws://h:x/?token=hush", "port"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refused(text, reason):
    with pytest.raises(OptionError, match=reason) as caught:
        parse(text)
    assert str(caught.value).startswith("url")
    assert "hush" not in str(caught.value)


def test_refusals_name_the_option():
    with pytest.raises(OptionError, match=r"^proxy 'x': no scheme"):
        parse("x", option="proxy")


def test_refusals_have_no_cause_that_could_show_a_secret():
    with pytest.raises(OptionError) as caught:
        parse("ws://u:hush@[nonsense]/")
    assert "hush" not in str(caught.value.__context__)


@given(st.text(), st.sampled_from(["", "ws://", "ws://u:hush@", "ws://h/", "ws+unix:///"]))
def test_any_text_is_a_url_or_an_option_error(text, start):
    try:
        url = parse(start + text)
    except OptionError as error:
        assert "hush" not in str(error).replace(text, "")
        return
    assert url.target.isascii() and " " not in url.target
    assert url.target.startswith("/")
    assert url.host.isascii()


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_percent_encoding_survives(text):
    from urllib.parse import quote, unquote

    url = parse("ws://h/" + quote(text, safe=""))
    assert unquote(url.target[1:]) == text
    # And what is parsed once is a fixed point.
    assert parse("ws://h" + url.target).target == url.target


# Texts


def test_texts_hold_no_secrets():
    url = parse("wss://user:hush@example.com:8443/feed?token=hush&x=1")
    assert str(url) == url.safe == "wss://user:***@example.com:8443/feed?token=***&x=1"
    assert "hush" not in repr(url) and "example.com" in repr(url)


@pytest.mark.parametrize("text", ["ws://h/", "ws://[::1]:81/x", "ws+unix:///a%3Ab:/x?y"])
def test_safe_is_the_url_again(text):
    assert parse(text).safe == text
    assert parse(parse(text).safe) == parse(text)


# Origins and redirects


def test_origins():
    assert parse("ws://h/a").origin == parse("http://u:p@H:80/b").origin == ("ws", "h", 80)
    different = {
        parse(text).origin
        for text in ("ws://h", "wss://h", "ws://h:81", "ws://g", "ws+unix:///x", "ws+unix:///y")
    }
    assert len(different) == 6


@pytest.mark.parametrize(
    ("location", "safe"),
    [
        ("/x?y", "ws://u:***@h:81/x?y"),
        ("x", "ws://u:***@h:81/a/x"),
        ("../x", "ws://u:***@h:81/x"),
        ("?y", "ws://u:***@h:81/a/b?y"),
        ("", "ws://u:***@h:81/a/b?q"),
        ("#part", "ws://u:***@h:81/a/b?q"),
        ("/x#part", "ws://u:***@h:81/x"),
        ("ws://h:81/x", "ws://u:***@h:81/x"),
        ("http://h:81/x", "ws://u:***@h:81/x"),
        ("ws://v:w@h:81/x", "ws://v:***@h:81/x"),
        ("ws://h/x", "ws://h/x"),
        ("https://h:81/x", "wss://h:81/x"),
        ("//g/x", "ws://g/x"),
        ("wss://g", "wss://g/"),
        ("/\xfc", "ws://u:***@h:81/%C3%BC"),
    ],
)
def test_join(location, safe):
    url = parse("ws://u:p@h:81/a/b?q").join(location)
    assert url.safe == safe
    if url.origin == ("ws", "h", 81) and url.username == "u":
        assert url.password == "p"


def test_join_of_a_scheme_of_ones_own():
    assert parse("feed://h/a/b").join("../c").safe == "feed://h/c"


def test_join_keeps_to_its_unix_socket():
    url = parse("ws+unix:///x.sock:/a")
    assert url.join("/b") == parse("ws+unix:///x.sock:/b")
    assert url.join("ws+unix:///x.sock:/b") == parse("ws+unix:///x.sock:/b")
    with pytest.raises(OptionError, match="unix socket"):
        url.join("ws+unix:///y.sock:/b")


@pytest.mark.parametrize(
    "location",
    [
        "ws+unix:///var/run/x.sock:/",
        "ws://socket=%2Fx/",
        "ftp://h/",
        "mailto:x",
        "/a b",
        "ws://h:0/",
        "/\r\n",
        "///x",
    ],
)
def test_join_refuses(location):
    with pytest.raises(OptionError, match="redirect location"):
        parse("ws://h/").join(location)


def test_urls_compare_and_hash():
    assert parse("ws://h/") == parse_url("ws://h/", dict(SCHEMES), default_port=None)
    assert hash(parse("ws://h/")) == hash(parse("ws://h/"))
    assert isinstance(parse("ws://h/"), URL)


def test_a_canonical_scheme_must_be_known():
    with pytest.raises(ValueError, match="canonical"):
        parse_url("http://h/", {"http": Scheme(80, False, "ws")})
