"""Names → addresses; bounded, cancellable, and with a reason when there are none."""

from __future__ import annotations

import signal
import socket
import sys
import threading

import pytest

from tieline.errors import ConnectCancelled, ConnectTimeout, ResolveError
from tieline.transport import resolve as resolve_module
from tieline.transport.lookup import AddressInfo
from tieline.transport.resolve import Resolution, resolve


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
@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.b.localhost", "a.localhost."])
def test_localhost_needs_no_thread(attempt, monkeypatch, name, family, texts):
    monkeypatch.setattr(threading, "Thread", None)
    monkeypatch.setattr(socket, "has_ipv6", True)
    assert [str(address) for address in resolve(name, 80, family, attempt)] == texts


@pytest.mark.parametrize("name", ["localhost.example", "notlocalhost"])
def test_what_is_not_localhost(attempt, resolver, name):
    resolver(lambda host, port, family: [entry("10.0.0.1", port)])
    assert [str(address) for address in resolve(name, 80, 0, attempt)] == ["10.0.0.1:80"]


@pytest.mark.parametrize(
    ("host", "family", "reason"),
    [
        ("fe80::1%nosuch0", 0, "this machine has no interface of that name"),
        ("::1", socket.AF_INET, "it is an IPv6 address, and family asks for IPv4"),
        ("127.0.0.1", socket.AF_INET6, "it is an IPv4 address, and family asks for IPv6"),
    ],
)
def test_a_literal_is_never_looked_up(attempt, monkeypatch, host, family, reason):
    monkeypatch.setattr(threading, "Thread", None)
    with pytest.raises(ResolveError, match=reason) as caught:
        resolve(host, 80, family, attempt)
    assert caught.value.refused
    assert "cannot use the address" in str(caught.value) and "spelling" not in str(caught.value)


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
    with pytest.raises(ResolveError, match="label") as caught:
        resolve("a" * 64 + ".example", 80, 0, attempt)
    assert not caught.value.refused


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


# A resolver that is slow for one family


class Families:
    """A getaddrinfo() with one answer for each family (0: both), given when its gate is open."""

    def __init__(self):
        self.answers = {}
        self.gates = {family: threading.Event() for family in (0, V4, V6)}
        self.asked = []

    def answer(self, host, port, family):
        self.asked.append(family)
        assert self.gates[family].wait(10)
        found = self.answers.get(family, [])
        if isinstance(found, Exception):
            raise found
        return found

    def open(self, *families):
        for family in families:
            self.gates[family].set()


V4, V6 = int(socket.AF_INET), int(socket.AF_INET6)
ONE_V4 = [entry("10.0.0.1", 0)]
ONE_V6 = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0))]
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
TRY_AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def families(resolver, monkeypatch):
    """Answers for each family; the families are asked for at once."""
    monkeypatch.setattr(resolve_module, "SPLIT_DELAY", 0.0)
    monkeypatch.setattr(resolve_module, "RESOLUTION_DELAY", 0.0)
    families = Families()
    families.answers.update({0: [*ONE_V6, *ONE_V4], V4: ONE_V4, V6: ONE_V6})
    resolver(families.answer)
    yield families
    families.open(0, V4, V6)


def texts(addresses):
    return [str(address) for address in addresses]


def test_a_quick_answer_is_not_asked_for_again(attempt, families, monkeypatch):
    monkeypatch.setattr(resolve_module, "SPLIT_DELAY", 60)
    families.open(0)
    with Resolution("a.example", 80, 0, attempt) as found:
        assert texts(found.first()) == ["[2001:db8::1]:80", "10.0.0.1:80"]
        assert not found.is_split and not found.is_pending and found.late() == []
    assert families.asked == [0]


def test_ipv4_does_not_wait_for_ipv6(make_attempt, families):
    events = []
    attempt = make_attempt(10, on_event=lambda kind, data: events.append(data["addresses"]))
    families.open(V4)
    with Resolution("a.example", 80, 0, attempt) as found:
        assert texts(found.first()) == ["10.0.0.1:80"]
        assert found.is_split and found.is_pending and found.late() == []
        families.open(V6)
        while not (late := found.late()):
            attempt.wait(None)
        assert texts(late) == ["[2001:db8::1]:80"]
        # Nothing can be missing now, whatever becomes of the look-up for both.
        assert not found.is_pending and found.late() == []
    assert sorted(families.asked) == [0, V4, V6]
    assert events == [["10.0.0.1:80"], ["[2001:db8::1]:80"]]


def test_ipv6_has_a_moment_more(attempt, families, monkeypatch):
    monkeypatch.setattr(resolve_module, "RESOLUTION_DELAY", 60)

    class After(list):
        """The answer for IPv4, after which the one for IPv6 comes."""

        def __iter__(self):
            families.open(V6)
            return super().__iter__()

    families.answers[V4] = After(ONE_V4)
    families.open(V4)
    assert texts(resolve("a.example", 80, 0, attempt)) == ["[2001:db8::1]:80", "10.0.0.1:80"]


def test_ipv6_does_not_wait_for_ipv4(attempt, families, monkeypatch):
    monkeypatch.setattr(resolve_module, "RESOLUTION_DELAY", 60)
    families.open(V6)
    assert texts(resolve("a.example", 80, 0, attempt)) == ["[2001:db8::1]:80"]


def test_no_ipv6_is_an_answer_too(attempt, families, monkeypatch):
    monkeypatch.setattr(resolve_module, "RESOLUTION_DELAY", 60)
    families.answers[V6] = NO_NAME
    families.open(V4, V6)
    with Resolution("a.example", 80, 0, attempt) as found:
        assert texts(found.first()) == ["10.0.0.1:80"]
        assert not found.is_pending


def test_both_at_once_after_all(attempt, families):
    families.open(V4)
    with Resolution("a.example", 80, 0, attempt) as found:
        assert texts(found.first()) == ["10.0.0.1:80"]
        families.open(0)
        while not (late := found.late()):
            attempt.wait(None)
        assert texts(late) == ["[2001:db8::1]:80"], "the other one is known already"
        assert not found.is_pending


def test_a_temporary_failure_of_both_may_be_one_familys(attempt, families):
    families.answers[0] = TRY_AGAIN
    families.open(0, V4)
    assert texts(resolve("a.example", 80, 0, attempt)) == ["10.0.0.1:80"]


def test_a_temporary_failure_of_all(attempt, families):
    families.answers.update({0: TRY_AGAIN, V4: TRY_AGAIN, V6: TRY_AGAIN})
    families.open(0, V4, V6)
    with pytest.raises(ResolveError, match="Temporary failure in name resolution") as caught:
        resolve("a.example", 80, 0, attempt)
    assert caught.value.__cause__ is TRY_AGAIN


def test_a_name_that_does_not_exist_is_not_asked_for_again(attempt, families, monkeypatch):
    monkeypatch.setattr(resolve_module, "SPLIT_DELAY", 60)
    families.answers[0] = NO_NAME
    families.open(0)
    with pytest.raises(ResolveError, match="Name or service not known"):
        resolve("a.example", 80, 0, attempt)
    assert families.asked == [0]


def test_neither_family_has_an_address(attempt, families):
    families.answers.update({V4: NO_NAME, V6: socket.gaierror(-5, "No address for hostname")})
    families.open(V4, V6)
    with pytest.raises(ResolveError, match="Name or service not known"):
        resolve("a.example", 80, 0, attempt)


@pytest.mark.parametrize("family", [V4, V6])
def test_one_family_is_asked_for_once(attempt, families, family):
    families.open(family)
    assert [address.family for address in resolve("a.example", 80, family, attempt)] == [family]
    assert families.asked == [family]


def test_deadline_of_all_look_ups(make_attempt, families):
    with pytest.raises(ConnectTimeout) as caught:
        resolve("a.example", 80, 0, make_attempt(0.05))
    assert caught.value.phase == "dns"


def test_nothing_holds_on_to_an_attempt_that_is_over(make_attempt, families):
    attempt = make_attempt(0.2)  # long enough for three look-ups to begin on a busy machine
    found = Resolution("a.example", 80, 0, attempt)
    with pytest.raises(ConnectTimeout), found:
        found.first()
    assert len(found._lookups()) == 3
    assert [lookup.waiting for lookup in found._lookups()] == [{}, {}, {}]


def test_a_client_that_tries_again_and_again_starts_few_threads(make_attempt, families):
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(ConnectTimeout):
            resolve("a.example", 80, 0, make_attempt(0.005))
    assert threading.active_count() - before <= 9


@pytest.mark.skipif(sys.platform == "win32", reason="a signal for one thread")
def test_ctrl_c_at_once(make_attempt, stuck):
    main = threading.main_thread().ident
    stuck.append(lambda: signal.pthread_kill(main, signal.SIGINT))
    attempt = make_attempt(None)
    started = attempt.clock()
    with pytest.raises(KeyboardInterrupt):
        resolve("example.com", 80, 0, attempt)
    assert attempt.clock() - started < 5
