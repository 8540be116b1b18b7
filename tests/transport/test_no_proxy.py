"""Which hosts `no_proxy` lists: a table, and what must never happen."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.transport.no_proxy import NoProxy

# no_proxy, hosts (on port 443) that it lists, hosts that it does not list
TABLE = [
    ("", "", "example.com 127.0.0.1 ::1"),
    (" , ,", "", "example.com"),
    ("*", "example.com 127.0.0.1 ::1 localhost", ""),
    # Names
    (
        "example.com",
        "example.com www.example.com a.b.example.com EXAMPLE.com example.com.",
        "notexample.com example.com.org example.co com",
    ),
    (".example.com", "example.com www.example.com", "notexample.com"),
    ("..example.com", "example.com www.example.com", "notexample.com"),
    ("*.example.com", "www.example.com a.b.example.com", "example.com notexample.com"),
    ("Example.COM.", "example.com www.example.com", "example.org"),
    ("localhost", "localhost x.localhost", "localhost.example"),
    ("com", "example.com com", "example.org"),
    (".", "", "example.com"),
    ("b\xfccher.example", "xn--bcher-kva.example www.xn--bcher-kva.example", "bucher.example"),
    ("fa\xdf.example", "xn--fa-hia.example www.xn--fa-hia.example", "fass.example"),
    (".FA\xdf.example", "xn--fa-hia.example www.xn--fa-hia.example", "fass.example"),
    ("*.b\xfccher.example:443", "www.xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("b\xfccher.example.", "xn--bcher-kva.example", "bcher.example"),
    ("a_b.example", "a_b.example", "axb.example"),
    ("\xfc" * 99, "", "example.com"),
    # Patterns
    ("api-?.example.com", "api-1.example.com", "api-.example.com api-12.example.com"),
    ("*.internal.*", "a.internal.example", "internal.example a.internal"),
    ("192.168.*", "192.168.0.1", "192.169.0.1 10.192.168.1"),
    ("*a*", "a ba ab bab", "b"),
    ("a*a", "aa aba", "a ab"),
    ("**.b", "a.b", "b"),
    ("a*?*b?c", "axbyc aabbc", "abyc axbc axbycd"),
    ("*?", "a ab", ""),
    ("?", "a", "ab"),
    ("a+b.example (x", "", "aab.example"),
    # Several
    ("a.example,b.example", "a.example b.example", "c.example"),
    (" a.example , b.example\tc.example\n", "a.example b.example c.example", "d.example"),
    # Addresses
    ("127.0.0.1", "127.0.0.1", "127.0.0.2 localhost 1.127.0.0.1 0.0.1"),
    ("0.0.1", "", "127.0.0.1"),
    (".0.0.1", "", "127.0.0.1"),
    ("::1", "::1 0:0:0:0:0:0:0:1", "::2 127.0.0.1"),
    ("[::1]", "::1", "::2"),
    ("2001:DB8::1", "2001:db8::1 2001:db8:0:0::1", "2001:db8::2"),
    ("fe80::1", "fe80::1%eth0 fe80::1", "fe80::2%eth0"),
    ("fe80::1%eth1", "fe80::1%eth0 fe80::1", "fe80::2"),
    ("10.0.0.1", "::ffff:10.0.0.1", "::ffff:10.0.0.2 ::10.0.0.1"),
    ("::ffff:10.0.0.1", "10.0.0.1 ::ffff:10.0.0.1 ::ffff:a00:1", "10.0.0.2 ::10.0.0.1"),
    ("[::ffff:10.0.0.1]:443", "10.0.0.1 ::ffff:10.0.0.1", "10.0.0.2"),
    # Networks
    ("::ffff:10.0.0.0/104", "::ffff:10.0.0.1 10.9.9.9", "11.0.0.0 ::10.0.0.1"),
    ("[::ffff:10.0.0.0]/104", "::ffff:10.0.0.1 10.9.9.9", "11.0.0.0"),
    ("[::ffff:10.0.0.0/104]:443", "::ffff:10.0.0.1 10.9.9.9", "11.0.0.0"),
    ("::ffff:0:0/96", "1.2.3.4 ::ffff:1.2.3.4", "::1"),
    ("10.0.0.0/8", "10.1.2.3 10.0.0.0 ::ffff:10.1.2.3", "11.0.0.0 ten.example 10.example"),
    ("10.1.2.3/8", "10.9.9.9", "11.0.0.0"),
    ("10.0.0.0/255.0.0.0", "10.9.9.9", "11.0.0.0"),
    ("0.0.0.0/0", "1.2.3.4", "::1 example.com"),
    ("::/0", "::1 2001:db8::1", "1.2.3.4"),
    ("10.0.0.0/33,10.0.0/8,10/8,10.0.0.0/x", "", "10.0.0.0 10.0.0.1"),
    ("fd00::/8", "fd12::1 fd12::1%eth0", "fc00::1"),
    ("fe80::%eth0/10", "fe80::1", "fd00::1"),
    ("[fd00::]/8", "fd12::1", "fc00::1"),
    # Ports
    ("example.com:443", "example.com www.example.com", ""),
    ("example.com:80", "", "example.com www.example.com"),
    (".example.com:443", "example.com www.example.com", ""),
    ("*:443", "example.com ::1", ""),
    ("*:80", "", "example.com ::1"),
    ("127.0.0.1:443", "127.0.0.1", "127.0.0.2"),
    ("127.0.0.1:80", "", "127.0.0.1"),
    ("[::1]:443", "::1", "::2"),
    ("[::1]:80", "", "::1"),
    ("10.0.0.0/8:443", "10.1.1.1", "11.1.1.1"),
    ("[fd00::]/8:443", "fd12::1", "fc00::1"),
    ("[fd00::]/8:80", "", "fd12::1"),
    ("example.com:https", "", "example.com"),
    ("::1:443", "::1:443", "::1"),
    # Nonsense lists nothing
    ("example.com:000443", "", "example.com"),
    ("example.com:" + "9" * 5000, "", "example.com"),
    ("[::1]:" + "9" * 5000, "", "::1"),
    ("10.0.0.0/" + "9" * 5000, "", "10.0.0.0"),
    ("http://example.com", "", "example.com"),
    ("[::1", "", "::1"),
    ("[]", "", "::1 example.com"),
    (":443", "", "example.com ::1"),
]


@pytest.mark.parametrize(("no_proxy", "listed", "others"), TABLE)
def test_table(no_proxy, listed, others):
    exceptions = NoProxy.parse(no_proxy)
    found = {host: exceptions.listing(host, 443) for host in (listed + " " + others).split()}
    assert [host for host, entry in found.items() if entry is not None] == listed.split()


@pytest.mark.parametrize("entry", ["*a" * 60 + "*b", "*" * 5000 + "b", "*?" * 200, "*a?" * 60])
def test_patterns_do_not_track_back(entry):
    begun = time.process_time()
    NoProxy.parse(entry).listing(("a" * 60 + ".") * 4 + "c", 443)
    assert time.process_time() - begun < 1.0


def test_the_entry_is_told_as_it_was_written():
    exceptions = NoProxy.parse("a.example, .Example.COM:443 ,*")
    assert exceptions.listing("www.example.com", 443) == ".Example.COM:443"
    assert exceptions.listing("www.example.com", 80) == "*"


def test_names_without_a_dot():
    exceptions = NoProxy(["<LOCAL>"])
    assert exceptions.listing("intranet", 80) == "<LOCAL>"
    for host in ("www.example.com", "10.0.0.1", "::1"):
        assert exceptions.listing(host, 80) is None


def test_where_names_do_not_stand_for_what_is_below():
    exceptions = NoProxy(["example.com", "*.local"], subdomains=False)
    assert exceptions.listing("example.com", 80)
    assert not exceptions.listing("www.example.com", 80)
    assert exceptions.listing("printer.local", 80)


def test_plain_names_load_no_address_parser(modules_loaded_by):
    said = "from tieline.transport.no_proxy import NoProxy"
    asked = "NoProxy.parse('a.example,.b.example:80').listing('example.com', 1)"
    assert "ipaddress" not in modules_loaded_by(f"{said}; {asked}")


@given(st.text(), st.sampled_from(["example.com", "10.0.0.1", "::1"]), st.integers(1, 65535))
def test_any_text_is_answered(text, host, port):
    entry = NoProxy.parse(text).listing(host, port)
    assert entry is None or entry in text
