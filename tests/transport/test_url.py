"""URLs taken apart, refused with a reason, and followed."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from ipaddress import IPv6Address
from urllib.parse import quote

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
        ("ws://fa\xdf.example/", "ws", False, "xn--fa-hia.example", 80, "/"),
        ("ws://FA%C3%9F.example/", "ws", False, "xn--fa-hia.example", 80, "/"),
        (
            "wss://\u4f8b\u3048\u3002\u30c6\u30b9\u30c8",
            "wss",
            True,
            "xn--r8jz45g.xn--zckzah",
            443,
            "/",
        ),
        ("ws://\uff11\uff12\uff17.0.0.1/", "ws", False, "127.0.0.1", 80, "/"),
        ("ws://xn--bcher-kva.example/", "ws", False, "xn--bcher-kva.example", 80, "/"),
        ("ws://h:00080/", "ws", False, "h", 80, "/"),
        ("ws://[fe80::1%2525]/", "ws", False, "fe80::1%25", 80, "/"),
        ("ws://[FE80::1%25Eth0.1]/", "ws", False, "fe80::1%Eth0.1", 80, "/"),
        ("ws://[::ffff:7f00:1]/", "ws", False, str(IPv6Address("::ffff:7f00:1")), 80, "/"),
        ("ws://h/%2F%2f%252F%5C", "ws", False, "h", 80, "/%2F%2f%252F%5C"),
        ("ws://h/?a=\\b", "ws", False, "h", 80, "/?a=%5Cb"),
        ("ws://1.example/", "ws", False, "1.example", 80, "/"),
        ("ws://0xg/", "ws", False, "0xg", 80, "/"),
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
        ("ws://u@v@h/", "u@v", None),
        ("ws://u%40v:p@h/", "u@v", "p"),
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

#: The text, what is wrong with it, and the offending part with its position in what is shown.
REFUSED = [
    ("", "no scheme", None),
    ("example.com/path", "no scheme; expected ws://, wss://", None),
    ("localhost:8080/path", "no scheme", None),
    ("//h/", "no scheme", None),
    ("ftp://h/", "unknown scheme: 'ftp' at position 0; expected ws://, wss://, http://", "ftp"),
    ("FTP://u:hush@h/", "unknown scheme", "FTP"),
    ("ws+tls://h/", "unknown scheme", "ws+tls"),
    ("\ufeffws://h/", "unknown scheme", r"\ufeffws"),
    ("ws:", "names a host", ""),
    ("ws:h", "names a host", "h"),
    ("ws:/h", "names a host", "/h"),
    ("ws://", "host is missing", ""),
    ("ws:///path", "host is missing", ""),
    ("ws://:80/", "host is missing", ""),
    ("ws://u:hush@/", "host is missing", ""),
    ("ws://@/", "host is missing", ""),
    ("ws://h/#part", "fragment", "#part"),
    ("ws://h/?q#", "fragment", "#"),
    ("ws://h/a b", "it holds a character that no URL has: ' ' at position 8;", " "),
    (" ws://h/", "no URL has: ' ' at position 0", " "),
    ("ws://h/ ", "no URL has", " "),
    ("ws://u:hush@h/\t", "no URL has", r"\t"),
    ("ws://u:hu\nsh@h/", "no URL has", "***"),
    ("ws://h/\r\nEvil: 1", "no URL has", r"\r"),
    ("ws://h/\0", "no URL has", r"\x00"),
    ("ws://h/\ud800", "no URL has", r"\ud800"),
    ("ws://h/\x85", "no URL has", r"\x85"),
    ("ws:\\\\h\\x", "backslash", "\\\\"),
    ("ws://good.example\\@evil.example/", "backslash", "\\\\"),
    ("ws://h\\x", "backslash", "\\\\"),
    ("ws://h/a\\b", r"backslash: .* at position 8; .* is written as %5C", "\\\\"),
    ("ws+unix:///a\\b:/", "backslash", "\\\\"),
    ("ws://h:0/", "the port is not valid: '0' at position 7; expected host:port", "0"),
    ("ws://h:65536/", "port from 1 to 65535", "65536"),
    ("ws://u:hush@h:65536/", "the port is not valid: '65536' at position 13;", "65536"),
    ("ws://h:100000/", "the port is not valid", "100000"),
    ("ws://h:-1/", "the port is not valid", "-1"),
    ("ws://h:8o80/", "the port is not valid", "8o80"),
    ("ws://h:\u0661/", "the port is not valid", "\u0661"),
    ("ws://u:hu/hush@h/", "the port is not valid", "***"),
    ("ws://h:x/?token=hush", "the port is not valid", "x"),
    ("ws://2001:db8::1/", "brackets", "2001:db8:"),
    ("ws://[::1/", r"a bracket of the host is out of place: .*\[2001:db8::1\]", "[::1"),
    ("ws://::1]/", "a bracket of the host is out of place", "::1]"),
    ("ws://[::1]x/", "a bracket of the host is out of place", "[::1]x"),
    ("ws://[nonsense]/", "IPv6", "[nonsense]"),
    ("ws://[v1.x]/", "IPv6", "[v1.x]"),
    ("ws://[::1::2]:80/", "IPv6", "[::1::2]"),
    ("ws://[1.2.3.4]/", "IPv6", "[1.2.3.4]"),
    ("ws://[]/", "IPv6", "[]"),
    ("ws://[fe80::1%]/", "zone", "[fe80::1%]"),
    ("ws://[fe80::1%25a%2Fb]/", "zone", "[fe80::1%25a%2Fb]"),
    ("ws://[fe80::1%25a%0Ab]/", "zone", "[fe80::1%25a%0Ab]"),
    ("ws://a..b/", "host is not valid", "a..b"),
    ("ws://.a/", "host is not valid", ".a"),
    ("ws://-a/", "host is not valid", "-a"),
    ("ws://a%2Fb/", "host is not valid", "a%2Fb"),
    ("ws://a%00b/", "host is not valid", "a%00b"),
    ("ws://a%25b/", "host is not valid", "a%25b"),
    ("ws://a%/", "host is not valid", "a%"),
    ("ws://a%FFb/", "the host is not UTF-8", "a%FFb"),
    ("ws://a,b/", "host is not valid", "a,b"),
    (f"ws://{'a' * 64}.example/", "host is not valid", "a" * 64 + "..."),
    (f"ws://{'a.' * 127}a/", "host is not valid", None),
    (f"ws://{'a.' * 5000}a/", "the host is too long", None),
    (
        "ws://b\xfc\u2764.example/",
        r"no valid internationalised name \(.*xn-- form",
        "b\xfc\u2764.example",
    ),
    ("ws://b\xfc..example/", "host is not valid", "b\xfc..example"),
    ("ws://-b\xfc.example/", "internationalised", "-b\xfc.example"),
    ("ws://%E2%80%AE\xfc.example/", "internationalised", "%E2%80%AE\xfc.example"),
    (f"ws://{'a' * 60}\xfc\xfc\xfc\xfc.example/", "internationalised", None),
    ("ws://127.1/", r"ends in a number and is no IPv4 .*such as 127\.0\.0\.1", "127.1"),
    ("ws://0x7f.1/", r"such as 127\.0\.0\.1", "0x7f.1"),
    ("ws://0X7F000001/", r"such as 127\.0\.0\.1", "0X7F000001"),
    ("ws://2130706433/", r"such as 127\.0\.0\.1", "2130706433"),
    ("ws://017700000001/", r"such as 127\.0\.0\.1", "017700000001"),
    ("ws://127.0.0.010/", r"such as 127\.0\.0\.8", "127.0.0.010"),
    ("ws://127.0.0.1./", r"such as 127\.0\.0\.1", "127.0.0.1."),
    ("ws://127.0.0.256/", r"such as 192\.0\.2\.1", "127.0.0.256"),
    ("ws://1.2.3.4.5/", "ends in a number", "1.2.3.4.5"),
    ("ws://example.123/", "ends in a number", "example.123"),
    ("ws://b\xfccher.0x/", "ends in a number", "b\xfccher.0x"),
    ("ws://\uff11\uff12\uff17.1/", r"such as 127\.0\.0\.1", "\uff11\uff12\uff17.1"),
    ("ws://u:hush%@h/", "the password has a '%' without two hex digits", "***"),
    ("ws://u%:hush@h/", "the user name has a '%' without two hex digits", "u%"),
    ("ws://u:hush%FF@h/", "the password is not UTF-8", "***"),
    ("ws://%FF@h/", "the user name is not UTF-8", "%FF"),
    ("ws://u:hush%0D%0A@h/", "the password holds a control character", "***"),
    ("ws://u%3Ax:hush@h/", "the user name holds a colon", "u%3Ax"),
    # A sign that should have been escaped ends the authority, not the password.
    ("ws://u:12#hush@h/", "has a fragment: .*password.*%23, %2F, %3F", "***@h/"),
    ("ws://u:12?x#hush@h/", "has a fragment: .*password.*%23, %2F, %3F", "***@h/"),
    ("ws://u:123456/hush@h/", "the port is not valid: .*password.*%23, %2F, %3F", "***"),
    ("ws://u:hush?hush@h/", "the port is not valid: .*password.*%23, %2F, %3F", "***"),
    ("ws+unix://x.sock:/feed", r"not absolute: .* expected ws\+unix:///path.sock:/path", "x.sock:"),
    ("ws+unix:x.sock:/feed", "not absolute", "x.sock"),
    ("ws+unix:///x.sock:feed", "does not start with '/'", "feed"),
    ("ws+unix://u:hush@/x.sock:feed", "does not start with '/'", "feed"),
    ("ws+unix://", "socket's path is empty", ""),
    ("ws+unix:///x%00.sock", "NUL", "/x%00.sock"),
    ("ws://socket=/x", "socket's path is empty", ""),
    ("ws://socket=%00/x", "NUL", "%00"),
]


@pytest.mark.parametrize(("text", "reason", "part"), REFUSED)
def test_refused(text, reason, part):
    with pytest.raises(OptionError, match=reason) as caught:
        parse(text)
    error = str(caught.value)
    assert error.startswith("url '") and "hush" not in error
    assert "\n" not in error and len(error) < 900
    pointer = re.search(r"(?:: '(.*)')? at position ([0-9]+); ", error)
    if part is not None and pointer is not None:
        found, position = pointer[1] or "", int(pointer[2])
        assert found == part
        # Right in the text that is shown, which is masked.
        assert error[len("url '") :][position:].startswith(part.removesuffix("..."))
    else:
        assert part is None


@pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), (b"ws://h/", "bytes")])
def test_what_is_no_text(value, kind):
    with pytest.raises(OptionError, match=f"^url: expected a str, got {kind}$"):
        parse(value)


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


_LABELS = st.from_regex(r"[a-z]([a-z0-9]|-(?=[a-z0-9])){0,20}", fullmatch=True)
_HOSTS = (
    st.lists(_LABELS, min_size=1, max_size=4).map(".".join)
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(lambda address: f"[{address}]")
    | st.sampled_from(["[fe80::1%25eth0]", "[fe80::1%2525]", "b\xfccher.example", "a_b.c."])
)
_TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]))


@given(
    scheme=st.sampled_from(["ws", "WSS", "feed"]),
    user=st.none() | _TEXTS.filter(lambda text: text and ":" not in text and text.isprintable()),
    host=_HOSTS,
    port=st.none() | st.integers(1, 65535),
    path=_TEXTS,
    query=st.none() | st.text(alphabet="ab&;%?/"),
)
def test_what_is_shown_means_the_same_url(scheme, user, host, port, path, query):
    text = f"{scheme}://" + ("" if user is None else quote(user, safe="") + "@") + host
    text += ("" if port is None else f":{port}") + "/" + quote(path)
    url = parse(text + ("" if query is None else f"?{query}"))
    assert (url.username, url.scheme) == (user, scheme.lower())
    assert url.port == port or (port is None and url.port == SCHEMES[scheme.lower()].port)
    shown = parse(url.safe)
    assert shown.username in (user, "***")
    assert replace(shown, username=user) == url
    assert shown.safe == url.safe


@given(st.binary(min_size=1).filter(lambda path: b"\0" not in path))
def test_paths_of_sockets_are_any_bytes(path):
    url = parse(f"ws+unix:///{quote(path)}:/x")
    assert os.fsencode(url.unix_path) == b"/" + path
    assert parse(url.safe) == url


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
        ("/\xc3\xa9", "ws://u:***@h:81/%C3%83%C2%A9"),  # text, which nobody decodes once more
        ("//\xfc.example/", "ws://xn--tda.example/"),
    ],
)
def test_join(location, safe):
    url = parse("ws://u:p@h:81/a/b?q").join(location)
    assert url.safe == safe
    if url.origin == ("ws", "h", 81) and url.username == "u":
        assert url.password == "p"


def test_join_of_a_scheme_of_ones_own():
    assert parse("feed://h/a/b").join("../c").safe == "feed://h/c"


@pytest.mark.parametrize(
    ("location", "port"),
    [("/x", 8080), ("?x", 8080), ("ws://g/x", 80), ("https://h/x", 443), ("//h/x", 80)],
)
def test_join_leaves_default_port_to_the_users_own_url(location, port):
    """A server that sends us elsewhere means the scheme's port."""
    url = parse("ws://h/", default_port=8080).join(location)
    assert (url.port, url.join("/y").port) == (port, port)


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
        "/\\evil.example",
        "\\\\evil.example",
        "//evil.example\\@h/",
        "//127.1/",
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
