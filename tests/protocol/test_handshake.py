"""RFC 6455 section 4: what a client asks, what it accepts, and what a server accepts."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.compression import Deflate
from tieline.errors import HandshakeError
from tieline.headers import Headers, HTTPRequest, HTTPResponse
from tieline.protocol.deflate import Agreement
from tieline.protocol.handshake import (
    HandshakeResponse,
    RequestRefused,
    UpgradeRequest,
    accept_value,
    check_request,
    check_response,
    make_key,
)

# The example of section 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

URL = "ws://example.com/chat"

Pairs = list[tuple[str, str]]


def test_the_rfcs_key() -> None:
    assert make_key(b"the sample nonce") == KEY
    assert accept_value(KEY) == ACCEPT


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_key_has_16_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"expected 16 random bytes, got {size}"):
        make_key(bytes(size))


class TestRequest:
    def test_the_least(self) -> None:
        assert UpgradeRequest("example.com:81", "/").header_list(KEY) == [
            ("Host", "example.com:81"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
        ]

    def test_all(self) -> None:
        request = UpgradeRequest(
            "example.com",
            "/",
            subprotocols=("chat", "superchat"),
            origin="http://example.com",
            user_agent="tieline",
            headers=(("X-One", "1"), ("x-one", "2")),
            compression=Deflate(),
        )
        assert request.header_list(KEY)[5:] == [
            ("Sec-WebSocket-Protocol", "chat, superchat"),
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
            ("Origin", "http://example.com"),
            ("User-Agent", "tieline"),
            ("X-One", "1"),
            ("x-one", "2"),
        ]

    @pytest.mark.parametrize("name", ["host", "ORIGIN", "User-Agent"])
    def test_a_users_header_replaces_ours(self, name: str) -> None:
        request = UpgradeRequest(
            "example.com", "/", origin="ours", user_agent="ours", headers=((name, "mine"),)
        )
        values = [v for n, v in request.header_list(KEY) if n.lower() == name.lower()]
        assert values == ["mine"]

    def test_its_repr_holds_no_secret(self) -> None:
        request = UpgradeRequest(
            "example.com", "/?token=hush", headers=(("Authorization", "Bearer hush"),)
        )
        assert "hush" not in repr(request)


def good(accept: str = ACCEPT) -> Pairs:
    return [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept),
    ]


def without(name: str, pairs: Pairs) -> Pairs:
    return [(n, v) for n, v in pairs if n != name]


def verdict(
    pairs: Pairs, *, status: int = 101, **asked: Any
) -> tuple[HandshakeResponse, Agreement | None]:
    request = UpgradeRequest("example.com", "/chat", **asked)
    response = HTTPResponse("1.1", status, "Reason", Headers(pairs), b"the body")
    return check_response(response, request, KEY, URL)


def judge(pairs: Pairs, **how: Any) -> HandshakeResponse:
    return verdict(pairs, **how)[0]


def refusal(pairs: Pairs, **how: Any) -> str:
    with pytest.raises(HandshakeError) as caught:
        judge(pairs, **how)
    assert isinstance(caught.value.response, HandshakeResponse)
    text = str(caught.value)
    assert text.startswith(f"{URL} did not accept the WebSocket upgrade: ")
    return text.removeprefix(f"{URL} did not accept the WebSocket upgrade: ")


class TestResponse:
    """Section 4.1, the client's checks."""

    def test_accepted(self) -> None:
        response = judge(good())
        assert (response.status, response.subprotocol, response.url) == (101, None, URL)

    @pytest.mark.parametrize("status", [100, 200, 204, 301, 400, 401, 403, 404, 426, 500, 503])
    def test_only_101_upgrades(self, status: int) -> None:
        # What it adds to that: test_refusal.py.
        assert refusal(good(), status=status).startswith(
            f"expected status 101, got {status} Reason"
        )

    def test_a_refusal_keeps_its_answer(self) -> None:
        with pytest.raises(HandshakeError) as caught:
            judge([("Retry-After", "5")], status=503)
        response = caught.value.response
        assert response is not None
        assert (response.status, response.body) == (503, b"the body")
        assert response.headers["retry-after"] == "5"

    @pytest.mark.parametrize("value", ["websocket", "WebSocket", "WEBSOCKET"])
    def test_upgrade_in_any_case(self, value: str) -> None:
        judge([("uPGRADE", value), *good()[1:]])

    @pytest.mark.parametrize(
        "pairs",
        [
            [],
            [("Upgrade", "")],
            [("Upgrade", "h2c")],
            [("Upgrade", "websocket2")],
            [("Upgrade", "websocket, h2c")],
            [("Upgrade", "websocket"), ("Upgrade", "websocket")],
            [("Upgrade", "websocket\xa0")],  # not a space to HTTP
        ],
    )
    def test_other_upgrades(self, pairs: Pairs) -> None:
        text = refusal([*pairs, *good()[1:]])
        assert text.startswith("expected 'Upgrade: websocket', got ")
        assert text.endswith(" and ".join(repr(value) for _, value in pairs) or "none")

    @pytest.mark.parametrize(
        "values",
        [
            ["upgrade"],
            ["UPGRADE"],
            ["keep-alive, Upgrade"],
            ["Upgrade\t,\tkeep-alive"],
            ["keep-alive", "Upgrade"],
            ["", "upgrade"],
        ],
    )
    def test_connection_is_a_list_of_tokens(self, values: list[str]) -> None:
        judge(without("Connection", good()) + [("connection", value) for value in values])

    @pytest.mark.parametrize("values", [[], ["close"], ["Upgraded"], ["keep-alive upgrade"], [""]])
    def test_connection_without_the_token(self, values: list[str]) -> None:
        pairs = without("Connection", good()) + [("Connection", value) for value in values]
        assert refusal(pairs).startswith("expected 'Connection: Upgrade', got ")

    @pytest.mark.parametrize(
        "values",
        [
            [],
            [""],
            [ACCEPT.lower()],
            [ACCEPT.upper()],
            [ACCEPT.rstrip("=")],
            [ACCEPT + "="],
            [ACCEPT[:5] + " " + ACCEPT[5:]],
            [KEY],
            [ACCEPT, ACCEPT],  # twice is once too often
            [f"{ACCEPT}, {ACCEPT}"],
            ["other", ACCEPT],
        ],
    )
    def test_accept_is_compared_exactly(self, values: list[str]) -> None:
        name = "Sec-WebSocket-Accept"
        pairs = without(name, good()) + [(name, value) for value in values]
        assert refusal(pairs).startswith(f"expected 'Sec-WebSocket-Accept: {ACCEPT}', got ")

    @pytest.mark.parametrize("values", [["permessage-deflate"], ["", "x-unknown; a=b"]])
    def test_extensions_that_nobody_asked_for(self, values: list[str]) -> None:
        pairs = good() + [("Sec-WebSocket-Extensions", value) for value in values]
        assert refusal(pairs).startswith("expected no extension, since none was offered, got ")

    @pytest.mark.parametrize("compression", [None, Deflate()])
    def test_an_empty_list_of_extensions(self, compression: Deflate | None) -> None:
        pairs = [*good(), ("Sec-WebSocket-Extensions", " ")]
        response, agreement = verdict(pairs, compression=compression)
        assert (response.extensions, agreement) == ((), None)


class TestCompression:
    def answered(self, *values: str) -> Pairs:
        return good() + [("sec-websocket-extensions", value) for value in values]

    def test_accepted(self) -> None:
        pairs = self.answered('permessage-deflate;client_max_window_bits="10"')
        response, agreement = verdict(pairs, compression=Deflate())
        assert response.extensions == ("permessage-deflate; client_max_window_bits=10",)
        assert agreement == Agreement(client_max_window_bits=10)

    def test_not_accepted(self) -> None:
        response, agreement = verdict(good(), compression=Deflate())
        assert (response.extensions, agreement) == ((), None)

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            (["x-other"], "expected permessage-deflate once, since nothing else was offered, got "),
            (["permessage-deflate", "permessage-deflate"], "expected permessage-deflate once"),
            (["permessage-deflate; x=1"], "expected the parameters "),
            (["permessage-deflate; server_max_window_bits=7"], "expected a value of server_max"),
            (["permessage-deflate;"], "Sec-WebSocket-Extensions: expected a parameter's name"),
            (["a b"], "Sec-WebSocket-Extensions: expected ',' or ';', got 'b'"),
        ],
    )
    def test_refused(self, values: list[str], says: str) -> None:
        assert refusal(self.answered(*values), compression=Deflate()).startswith(says)


class TestSubprotocol:
    OFFERED = ("chat", "superchat")

    def test_chosen(self) -> None:
        pairs = [*good(), ("sec-websocket-protocol", "superchat")]
        assert judge(pairs, subprotocols=self.OFFERED).subprotocol == "superchat"

    def test_none_chosen(self) -> None:
        assert judge(good(), subprotocols=self.OFFERED).subprotocol is None

    @pytest.mark.parametrize(
        "values",
        [["other"], ["Chat"], [""], ["chat, superchat"], ["chat", "superchat"], ["chat", "chat"]],
    )
    def test_not_one_of_those_offered(self, values: list[str]) -> None:
        pairs = good() + [("Sec-WebSocket-Protocol", value) for value in values]
        assert refusal(pairs, subprotocols=self.OFFERED) == (
            "expected one of the offered subprotocols (chat, superchat), got "
            + " and ".join(map(repr, values))
        )

    def test_chosen_but_none_offered(self) -> None:
        text = refusal([*good(), ("Sec-WebSocket-Protocol", "chat")])
        assert text == "expected one of the offered subprotocols (none), got 'chat'"


def test_the_response_is_a_mapping() -> None:
    response = judge([*good(), ("X-One", "1"), ("X-One", "2")])
    assert dict(response) == {
        "http_version": "1.1",
        "status_code": 101,
        "status_message": "Reason",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": ACCEPT,
        "x-one": "1, 2",
    }
    assert len(response) == len(list(response))
    with pytest.raises(KeyError):
        response["x-two"]
    assert 5 not in response and None not in response and response.get(5) is None
    with pytest.raises(KeyError):
        response[5]


ASKED: Pairs = [
    ("Host", "example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
]


def ask(pairs: Pairs, method: str = "GET", version: str = "1.1") -> tuple[str, tuple[str, ...]]:
    return check_request(HTTPRequest(method, "/chat", version, Headers(pairs)))


def changed(name: str, *values: str) -> Pairs:
    return without(name, ASKED) + [(name, value) for value in values]


class TestServer:
    """Section 4.2.1, the server's checks."""

    def test_accepted(self) -> None:
        assert ask(ASKED) == (KEY, ())

    def test_what_our_client_asks(self) -> None:
        request = UpgradeRequest("example.com", "/", subprotocols=("a", "b"))
        assert ask(request.header_list(KEY)) == (KEY, ("a", "b"))

    @pytest.mark.parametrize(
        "pairs",
        [
            changed("Upgrade", "WebSocket"),
            changed("Upgrade", "h2c, websocket"),
            changed("Upgrade", "h2c", "websocket"),
            changed("Connection", "keep-alive", "UPGRADE"),
            changed("Connection", "keep-alive , upgrade"),
        ],
    )
    def test_token_lists(self, pairs: Pairs) -> None:
        assert ask(pairs)[0] == KEY

    @pytest.mark.parametrize(
        ("values", "offered"),
        [
            (["chat"], ("chat",)),
            (["chat, superchat"], ("chat", "superchat")),
            (["chat", "superchat,,third"], ("chat", "superchat", "third")),
            ([""], ()),
        ],
    )
    def test_subprotocols_over_several_lines(
        self, values: list[str], offered: tuple[str, ...]
    ) -> None:
        pairs = ASKED + [("Sec-WebSocket-Protocol", value) for value in values]
        assert ask(pairs)[1] == offered

    @pytest.mark.parametrize(
        ("pairs", "status", "says"),
        [
            (changed("Host"), 400, "one Host"),
            (changed("Host", "a", "b"), 400, "one Host"),
            (changed("Upgrade"), 426, "'Upgrade: websocket', got none"),
            (changed("Upgrade", "h2c"), 426, "got 'h2c'"),
            (changed("Connection"), 400, "'Connection: Upgrade', got none"),
            (changed("Connection", "close"), 400, "got 'close'"),
            (changed("Sec-WebSocket-Version"), 426, "version 13, got none"),
            (changed("Sec-WebSocket-Version", "8"), 426, "version 13, got '8'"),
            (changed("Sec-WebSocket-Version", "13", "13"), 426, "version 13"),
            (changed("Sec-WebSocket-Key"), 400, "one Sec-WebSocket-Key"),
            (changed("Sec-WebSocket-Key", KEY, KEY), 400, "one Sec-WebSocket-Key"),
            (changed("Sec-WebSocket-Key", ""), 400, "one Sec-WebSocket-Key"),
            (changed("Sec-WebSocket-Key", "AAAA"), 400, "16 bytes"),
            (changed("Sec-WebSocket-Key", KEY[:-2]), 400, "base64"),
            (changed("Sec-WebSocket-Key", "é" * 24), 400, "base64"),
            (changed("Sec-WebSocket-Key", KEY[:-3] + "*=="), 400, "base64"),
        ],
    )
    def test_refused(self, pairs: Pairs, status: int, says: str) -> None:
        with pytest.raises(RequestRefused) as caught:
            ask(pairs)
        assert caught.value.status == status
        assert says in str(caught.value)

    @pytest.mark.parametrize("values", [["x-other"], ["permessage-deflate; unknown", ""]])
    def test_extensions_that_nobody_knows_are_no_error(self, values: list[str]) -> None:
        ask(ASKED + [("Sec-WebSocket-Extensions", value) for value in values])

    @pytest.mark.parametrize("value", ["a b", "permessage-deflate;", 'a; b="', "a; b=1=2"])
    def test_malformed_extensions(self, value: str) -> None:
        """9.1: whoever receives such a header fails the connection."""
        with pytest.raises(RequestRefused, match="Sec-WebSocket-Extensions: expected ") as caught:
            ask([*ASKED, ("Sec-WebSocket-Extensions", value)])
        assert caught.value.status == 400

    @pytest.mark.parametrize("method", ["POST", "HEAD", "get"])
    def test_other_methods(self, method: str) -> None:
        with pytest.raises(RequestRefused, match=f"expected GET, got {method}") as caught:
            ask(ASKED, method=method)
        assert (caught.value.status, caught.value.headers) == (405, (("Allow", "GET"),))

    def test_http_1_0(self) -> None:
        with pytest.raises(RequestRefused, match="expected HTTP/1.1") as caught:
            ask(ASKED, version="1.0")
        assert caught.value.status == 505

    def test_the_version_that_is_known_is_told(self) -> None:
        with pytest.raises(RequestRefused) as caught:
            ask(changed("Sec-WebSocket-Version", "14"))
        assert caught.value.headers == (("Sec-WebSocket-Version", "13"),)
