"""Hosts in any writing → one ASCII form, or what is wrong. More, as parts of URLs: test_url.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.hostnames import BadHost, ascii_host, ipv6_host, is_address


@pytest.mark.parametrize(
    ("host", "ascii_form"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com."),
        ("a_b.example", "a_b.example"),
        ("a_b.\xfc.example", "a_b.xn--tda.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("255.255.255.255", "255.255.255.255"),
        ("XN--FA-HIA.de", "xn--fa-hia.de"),
        # UTS 46, non-transitional, as browsers do it; IDNA 2003 has "fass.de", "σσ.gr".
        ("fa\xdf.de", "xn--fa-hia.de"),
        ("\u03c3\u03c2.gr", "xn--3xab.gr"),
        ("B\xdcCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com"),
        ("\u2115.example\uff0ecom", "n.example.com"),
    ],
)
def test_names(host, ascii_form):
    assert ascii_host(host) == ascii_form
    assert ascii_host(ascii_form) == ascii_form


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "a..b",
        "-a",
        "a-",
        "a b",
        "a/b",
        "a:1",
        "a" * 64,
        "a." * 127 + "aa",
        "a@b",
        "*",
        "[a]",
    ],
)
def test_no_names(host):
    with pytest.raises(BadHost, match="the host is not valid; expected a domain name or an IP"):
        ascii_host(host)


@pytest.mark.parametrize(
    "host",
    ["\xfc\u2764", "xn--\xfc", "\xfc" * 64, "-\xfc", "\u202e\xfc", "\u0661.com", "\xfc b", "\xfc%"],
)
def test_no_internationalised_names(host):
    with pytest.raises(BadHost, match="no valid internationalised name") as caught:
        ascii_host(host)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("1.2.3.4.", "1.2.3.4"),
        ("256.1.1.1", "192.0.2.1"),
        ("1.2.3.4.5", "192.0.2.1"),
        ("a.0x", "192.0.2.1"),
    ],
)
def test_numbers_that_only_some_read_as_addresses(host, meant):
    with pytest.raises(BadHost, match=f"from 0 to 255, such as {meant}$"):
        ascii_host(host)


def test_a_very_long_host_is_not_looked_at():
    for letter in ("a", "\xfc"):
        with pytest.raises(BadHost, match="the host is too long"):
            ascii_host(letter * 100_000)


@given(st.text())
def test_any_text_is_a_host_or_not(text):
    try:
        host = ascii_host(text)
    except BadHost:
        return
    assert host.isascii() and host == host.lower() and len(host) <= 254
    assert ascii_host(host) == host


@pytest.mark.parametrize(
    ("address", "shortest"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%Eth0", "fe80::1%Eth0"),
        ("::1", "::1"),
    ],
)
def test_ipv6(address, shortest):
    assert ipv6_host(address) == shortest


@pytest.mark.parametrize("address", ["", "::1::", "1.2.3.4", "::1/64", "g::", "[::1]"])
def test_no_ipv6(address):
    with pytest.raises(BadHost, match="not valid; expected for example"):
        ipv6_host(address)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("127.0.0.1", True), ("::1", True), ("fe80::1%eth0", True), ("localhost", False), ("", False)],
)
def test_addresses(host, is_one):
    assert is_address(host) is is_one


@pytest.mark.parametrize("zone", ["", "a b", "a/b", "\xfc", "a%b"])
def test_no_zones(zone):
    with pytest.raises(BadHost, match="zone of the IPv6 address is not valid"):
        ipv6_host(f"fe80::1%{zone}")
