"""Names → addresses; bounded, cancellable, and with a reason when there are none."""

from __future__ import annotations

import socket
import threading

import pytest

from tieline.errors import ConnectCancelled, ConnectTimeout, ResolveError
from tieline.transport.resolve import AddressInfo, resolve


@pytest.fixture
def resolver(monkeypatch):
    """Puts a function in the place of getaddrinfo() for names; numbers are looked at as ever."""
    real = socket.getaddrinfo

    def install(answer):
        def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
            if flags & socket.AI_NUMERICHOST:
                return real(host, port, family, type, proto, flags)
            return answer(host, port, family)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return install


@pytest.fixture
def stuck(resolver):
    """A resolver that does not answer before the test is over."""
    over, asked = threading.Event(), []

    def answer(host, port, family):
        for on_asked in asked:
            on_asked()
        over.wait(10)
        return []

    resolver(answer)
    yield asked
    over.set()


def entry(host, port, family=socket.AF_INET):
    return (family, socket.SOCK_STREAM, 6, "", (host, port))


@pytest.mark.parametrize(
    ("host", "family", "text"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1:80"),
        ("::1", socket.AF_INET6, "[::1]:80"),
    ],
)
def test_numbers_need_no_thread(attempt, monkeypatch, host, family, text):
    monkeypatch.setattr(threading, "Thread", None)
    (address,) = resolve(host, 80, 0, attempt)
    assert address.family == family
    assert str(address) == text


@pytest.mark.parametrize(
    ("family", "texts"),
    [
        (0, ["[::1]:80", "127.0.0.1:80"]),
        (socket.AF_INET, ["127.0.0.1:80"]),
        (socket.AF_INET6, ["[::1]:80"]),
    ],
)
def test_localhost_needs_no_thread(attempt, monkeypatch, family, texts):
    monkeypatch.setattr(threading, "Thread", None)
    monkeypatch.setattr(socket, "has_ipv6", True)
    assert [str(address) for address in resolve("localhost", 80, family, attempt)] == texts


def test_localhost_where_there_is_no_ipv6(attempt, monkeypatch):
    monkeypatch.setattr(socket, "has_ipv6", False)
    addresses = resolve("localhost", 80, 0, attempt)
    assert addresses == [AddressInfo(socket.AF_INET, ("127.0.0.1", 80))]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "::1", "fe80::1%lo"])
def test_numbers_are_what_the_resolver_makes_of_them(attempt, host):
    try:
        (found,) = socket.getaddrinfo(host, 80, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pytest.skip("this resolver does not know the form")
    (address,) = resolve(host, 80, 0, attempt)
    assert (address.family, address.sockaddr) == (found[0], found[4])


def test_names_in_the_resolvers_order_each_once(make_attempt, resolver):
    resolver(lambda host, port, family: [entry("10.0.0.2", port), entry("10.0.0.1", port)] * 2)
    events = []
    attempt = make_attempt(5, on_event=lambda *event: events.append(event))
    addresses = resolve("example.com", 81, 0, attempt)
    assert [str(address) for address in addresses] == ["10.0.0.2:81", "10.0.0.1:81"]
    assert events == [
        ("resolve", {"host": "example.com", "addresses": ["10.0.0.2:81", "10.0.0.1:81"]})
    ]
    assert attempt.timings["dns"] > 0


def test_no_such_name(attempt, resolver):
    def answer(host, port, family):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolver(answer)
    attempt.destination = "nowhere.example:443"
    with pytest.raises(ResolveError) as caught:
        resolve("nowhere.example", 443, 0, attempt)
    text = str(caught.value)
    for part in ("nowhere.example:443", "(dns)", "Name or service not known", "check its spelling"):
        assert part in text


def test_a_label_that_is_too_long(attempt):
    with pytest.raises(ResolveError, match="label"):
        resolve("a" * 64 + ".example", 80, 0, attempt)


def test_an_address_of_the_wrong_family(attempt):
    with pytest.raises(ResolveError):
        resolve("127.0.0.1", 80, socket.AF_INET6, attempt)


def test_an_empty_answer(attempt, resolver):
    resolver(lambda *_: [])
    with pytest.raises(ResolveError, match="no address"):
        resolve("example.com", 80, 0, attempt)


def test_deadline(make_attempt, stuck):
    with pytest.raises(ConnectTimeout) as caught:
        resolve("example.com", 80, 0, make_attempt(0.03))
    assert caught.value.phase == "dns"
    assert "resolving 'example.com'" in str(caught.value)


def test_cancel_from_another_thread(make_attempt, stuck):
    attempt = make_attempt(None)
    stuck.append(attempt.cancel)
    with pytest.raises(ConnectCancelled, match="in phase 'dns'"):
        resolve("example.com", 80, 0, attempt)


def test_an_answer_that_comes_after_all_is_over(make_attempt, resolver):
    over = threading.Event()
    resolver(lambda host, port, family: over.wait(10) and [])
    attempt = make_attempt(0.02)
    with pytest.raises(ConnectTimeout):
        resolve("example.com", 80, 0, attempt)
    attempt.close()
    over.set()  # the thread now wakes a closed attempt; its failure would be a warning


def test_a_cancelled_attempt_asks_nobody(make_attempt, resolver):
    resolver(lambda *_: pytest.fail("asked"))
    attempt = make_attempt(5)
    attempt.cancel()
    with pytest.raises(ConnectCancelled):
        resolve("127.0.0.1", 80, 0, attempt)
