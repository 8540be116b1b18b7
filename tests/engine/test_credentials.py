"""Which of the credentials count for a server, or a proxy, and which stay behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tieline.auth import Basic, Bearer, Digest
from tieline.engine.credentials import proxy_login, server_login
from tieline.engine.login import Login
from tieline.engine.route import parse_options_url
from tieline.options import Options
from tieline.transport.proxy import Proxy

URL = "wss://u:p@example.com/"


@pytest.fixture
def netrc(tmp_path: Path) -> str:
    path = tmp_path / "netrc"
    path.write_text(
        "machine example.com login n password q\nmachine proxy login np password q\n"
        "default login d password q\n"
    )
    return str(path)


def server(url: str = URL, headers: Any = (), trusted: bool = True, **options: Any) -> Login:
    made = Options.build(url, options)
    return server_login(made, parse_options_url(made, url), headers, trusted)


AUTHORIZATION = (("AUTHORIZATION", "mine"),)
DIGEST = Digest("a", "b")


def test_the_order_for_a_server(netrc: str) -> None:
    url = Basic("u", "p")
    assert server(headers=AUTHORIZATION, auth=DIGEST, netrc=netrc).credentials is None
    assert server(auth=DIGEST, netrc=netrc).credentials is DIGEST
    assert server(token="t", netrc=netrc).credentials == Bearer("t")
    assert server(username="a", netrc=netrc).credentials == Basic("a", "")
    assert server(auth=lambda url: None, netrc=netrc).credentials == url
    assert server(auth=lambda url, challenges: None, netrc=netrc).credentials == url
    assert server(netrc=netrc).credentials == url
    assert server("wss://example.com/", netrc=netrc).credentials == Basic("n", "q")
    assert server("wss://EXAMPLE.com:444/", netrc=netrc).credentials == Basic("n", "q")
    assert server("wss://other.example/", netrc=netrc).credentials == Basic("d", "q")
    assert server("wss://example.com/").credentials is None


def test_elsewhere_only_what_is_meant_for_there(netrc: str) -> None:
    plain = "wss://example.com/"
    for options in ({"auth": DIGEST}, {"token": "t"}, {"username": "a", "password": "b"}):
        one = server(plain, trusted=False, **options)
        assert one.credentials is None
        assert "first origin" in one.explain(["Basic"])
    # It does not see who asks, so it could only give what is for the first one.
    one = server(plain, trusted=False, auth=lambda url: DIGEST)
    assert one.credentials is None and one.challenged(["Digest nonce=n"]) is None
    assert "first origin" in one.explain(["Basic"])
    assert server(plain, trusted=False, netrc=netrc).credentials == Basic("n", "q")
    assert server("wss://evil.example/", trusted=False, netrc=netrc).credentials is None
    assert server(trusted=False, auth=DIGEST).credentials == Basic("u", "p")
    assert "first origin" not in server(plain, trusted=False).explain(["Basic"])


def test_elsewhere_a_callable_is_asked_once_it_can_see_who_asks() -> None:
    seen: list[Any] = []

    def answer(url: str, challenges: Any) -> Digest:
        seen.append((url, len(challenges)))
        return DIGEST

    one = server("wss://evil.example/", trusted=False, auth=answer)
    assert one.credentials is None and not seen
    assert one.challenged([]) is None and not seen, "nothing is to be seen there"
    assert one.challenged(["Digest nonce=n"]) is not None
    assert seen == [("wss://evil.example/", 1)] and one.credentials is DIGEST


def test_a_host_called_default_is_not_the_entry_of_that_name(netrc: str) -> None:
    there = "wss://default/"
    assert server(there, trusted=False, netrc=netrc).credentials is None
    assert server(there, netrc=netrc).credentials == Basic("d", "q")
    made = Options.build("ws://h/", {"netrc": netrc})
    assert proxy_login(made, Proxy.parse("http://default:3128")).credentials is None


def proxy(credentials: str = "u:p@", headers: Any = (), **options: Any) -> Login:
    made = Options.build("ws://h/", {"proxy_headers": headers} | options)
    return proxy_login(made, Proxy.parse(f"http://{credentials}proxy:3128", made.proxy_headers))


def test_the_order_for_a_proxy(netrc: str) -> None:
    given = {"Proxy-Authorization": "mine"}
    assert proxy(headers=given, netrc=netrc).credentials is None
    assert proxy(proxy_auth=DIGEST, netrc=netrc).credentials is DIGEST
    assert proxy(proxy_auth=lambda url: None, netrc=netrc).credentials == Basic("u", "p")
    assert proxy(netrc=netrc).credentials == Basic("u", "p")
    assert proxy("", netrc=netrc).credentials == Basic("np", "q")
    assert proxy("").credentials is None
    assert proxy("", auth=DIGEST, token=None).credentials is None, "the server's are not its own"
    assert server("ws://h/", proxy_auth=DIGEST).credentials is None


def test_a_callable_learns_where_the_secrets_are_to_go() -> None:
    asked: list[str] = []
    server("wss://u:p@h/?token=x", auth=asked.append)
    proxy(proxy_auth=asked.append)
    assert asked == ["wss://u:***@h/?token=***", "http://u:***@proxy:3128"]
