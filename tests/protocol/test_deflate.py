"""permessage-deflate: offer, answer and check, each alone and one against the other."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.compression import Deflate
from tieline.protocol.deflate import Agreement, answer, check_answer, offer

NAME = "permessage-deflate"
#: Demands nothing and limits nothing.
OPEN = Deflate(client_max_window_bits=15)

bits = st.integers(8, 15)
deflates = st.builds(
    Deflate,
    client_context_takeover=st.booleans(),
    server_context_takeover=st.booleans(),
    client_max_window_bits=bits,
    server_max_window_bits=bits,
)
#: Every combination of takeovers, with windows at both ends and between.
ALL = [
    Deflate(
        client_context_takeover=client,
        server_context_takeover=server,
        client_max_window_bits=client_bits,
        server_max_window_bits=server_bits,
    )
    for client, server, client_bits, server_bits in product(
        (True, False), (True, False), (8, 11, 15), (8, 11, 15)
    )
]


class TestOffer:
    @pytest.mark.parametrize(
        ("deflate", "text"),
        [
            # A value would be a hint, and some servers refuse one that is less than they want.
            (Deflate(), f"{NAME}; client_max_window_bits"),
            (OPEN, f"{NAME}; client_max_window_bits"),
            (
                Deflate(client_context_takeover=False),
                f"{NAME}; client_no_context_takeover; client_max_window_bits",
            ),
            (
                Deflate(server_context_takeover=False, client_max_window_bits=15),
                f"{NAME}; server_no_context_takeover; client_max_window_bits",
            ),
            (
                Deflate(server_max_window_bits=14),
                f"{NAME}; server_max_window_bits=14; client_max_window_bits",
            ),
            (
                Deflate(
                    client_context_takeover=False,
                    server_context_takeover=False,
                    client_max_window_bits=8,
                    server_max_window_bits=8,
                ),
                f"{NAME}; server_no_context_takeover; client_no_context_takeover; "
                "server_max_window_bits=8; client_max_window_bits",
            ),
        ],
    )
    def test_text(self, deflate: Deflate, text: str) -> None:
        assert offer(deflate) == text

    def test_what_is_ours_alone_is_not_told(self) -> None:
        assert offer(Deflate(level=9, mem_level=9, threshold=0)) == offer(Deflate())


class TestCheckAnswer:
    """What a client makes of a server's words."""

    @pytest.mark.parametrize("deflate", [None, *ALL])
    @pytest.mark.parametrize("values", [[], [""], [" ", ","]])
    def test_no_compression(self, deflate: Deflate | None, values: list[str]) -> None:
        assert check_answer(deflate, values) is None

    @pytest.mark.parametrize(
        ("answered", "agreement"),
        [
            ("", Agreement()),
            # 7.1: a server may add these without being asked
            ("server_no_context_takeover", Agreement(server_context_takeover=False)),
            ("client_no_context_takeover", Agreement(client_context_takeover=False)),
            ("server_max_window_bits=15", Agreement()),
            ("server_max_window_bits=10", Agreement(server_max_window_bits=10)),
            ("client_max_window_bits=15", Agreement()),
            ("client_max_window_bits=8", Agreement(client_max_window_bits=8)),
            ('client_max_window_bits="9"', Agreement(client_max_window_bits=9)),
            (
                "client_max_window_bits=9;server_max_window_bits=8;client_no_context_takeover;"
                "server_no_context_takeover",
                Agreement(False, False, 9, 8),
            ),
        ],
    )
    def test_an_open_offer(self, answered: str, agreement: Agreement) -> None:
        values = [f"{NAME}; {answered}" if answered else NAME]
        assert check_answer(OPEN, values) == agreement

    def test_the_clients_own_restraint_needs_no_consent(self) -> None:
        restrained = Deflate(client_context_takeover=False, client_max_window_bits=10)
        assert check_answer(restrained, [NAME]) == Agreement(client_context_takeover=False)
        for bits in (9, 12):
            # Of the answer's window and his own the sender takes the smaller one.
            assert check_answer(restrained, [f"{NAME}; client_max_window_bits={bits}"]) == (
                Agreement(client_context_takeover=False, client_max_window_bits=bits)
            )

    @pytest.mark.parametrize(
        ("deflate", "answered", "expected"),
        [
            (Deflate(server_context_takeover=False), "", "expected server_no_context_takeover"),
            (
                Deflate(server_context_takeover=False),
                "; client_no_context_takeover",
                "expected server_no_context_takeover, which was asked for, got permessage-deflate; "
                "client_no_context_takeover",
            ),
            (Deflate(server_max_window_bits=10), "", "server_max_window_bits of 10 at most"),
            (
                Deflate(server_max_window_bits=10),
                "; server_max_window_bits=11",
                "expected server_max_window_bits of 10 at most, which was asked for, got "
                "permessage-deflate; server_max_window_bits=11",
            ),
        ],
    )
    def test_what_was_asked_for_must_be_granted(
        self, deflate: Deflate, answered: str, expected: str
    ) -> None:
        with pytest.raises(ValueError) as caught:
            check_answer(deflate, [NAME + answered])
        assert expected in str(caught.value)

    def test_more_may_be_granted_than_was_asked_for(self) -> None:
        agreement = check_answer(
            Deflate(server_max_window_bits=10), [f"{NAME}; server_max_window_bits=8"]
        )
        assert agreement is not None and agreement.server_max_window_bits == 8

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (["x-other"], "expected permessage-deflate once, since nothing else was offered"),
            ([NAME, "x-other"], "got permessage-deflate, x-other"),
            ([f"x-other, {NAME}"], "got x-other, permessage-deflate"),
            ([NAME, NAME], "expected permessage-deflate once"),
            ([f"{NAME}, {NAME}; client_no_context_takeover"], "permessage-deflate once"),
            (["Permessage-Deflate"], "expected permessage-deflate once"),
            (["x-webkit-deflate-frame"], "expected permessage-deflate once"),
            ([f"{NAME}; client_max_window_bits"], "a value of client_max_window_bits, got none"),
        ],
    )
    def test_refused(self, values: list[str], expected: str) -> None:
        with pytest.raises(ValueError) as caught:
            check_answer(OPEN, values)
        assert expected in str(caught.value)

    @pytest.mark.parametrize("values", [[NAME], ["x-other; a=b"], ["", NAME]])
    def test_nothing_was_offered(self, values: list[str]) -> None:
        with pytest.raises(ValueError, match="expected no extension, since none was offered, got"):
            check_answer(None, values)

    @pytest.mark.parametrize("deflate", [None, OPEN])
    def test_malformed(self, deflate: Deflate | None) -> None:
        with pytest.raises(ValueError, match="RFC 6455 section 9.1"):
            check_answer(deflate, [f"{NAME};"])

    def test_a_long_answer_is_cut_in_the_error(self) -> None:
        with pytest.raises(ValueError) as caught:
            check_answer(OPEN, [f"{NAME}; " + "x" * 60_000])
        assert len(str(caught.value)) < 500


#: Parameters that break a rule of RFC 7692 section 7.1, in an offer as in an answer.
BROKEN = [
    ("unknown", "expected the parameters"),
    ("unknown=1", "expected the parameters"),
    ("Server_no_context_takeover", "expected the parameters"),
    ("server_no_context_takeover=1", "server_no_context_takeover without a value"),
    ("client_no_context_takeover=true", "client_no_context_takeover without a value"),
    ('client_no_context_takeover="x"', "client_no_context_takeover without a value"),
    ("server_no_context_takeover; server_no_context_takeover", "server_no_context_takeover once"),
    ("client_no_context_takeover; client_no_context_takeover", "client_no_context_takeover once"),
    ("server_max_window_bits=10; server_max_window_bits=10", "server_max_window_bits once"),
    ("client_max_window_bits=10; client_max_window_bits=11", "client_max_window_bits once"),
    ("client_max_window_bits; client_max_window_bits", "client_max_window_bits once"),
    ("server_max_window_bits", "server_max_window_bits from 8 to 15, got none"),
    *(
        (f"{name}={value}", f"a value of {name} from 8 to 15, got ")
        for name in ("server_max_window_bits", "client_max_window_bits")
        for value in ("0", "7", "16", "80", "08", "010", "+9", "-9", "9.0", "1e1", "0x9", "abc")
    ),
]


@pytest.mark.parametrize(("parameters", "says"), BROKEN)
def test_a_broken_answer_is_refused(parameters: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_answer(OPEN, [f"{NAME}; {parameters}"])
    assert says in str(caught.value)


@pytest.mark.parametrize("parameters", [parameters for parameters, _ in BROKEN])
def test_a_broken_offer_is_declined(parameters: str) -> None:
    broken = f"{NAME}; {parameters}"
    assert answer(OPEN, [broken]) is None
    assert answer(OPEN, [broken, NAME]) == (NAME, Agreement())
    assert answer(OPEN, [f"{broken}, {NAME}; client_no_context_takeover"]) == (
        f"{NAME}; client_no_context_takeover",
        Agreement(client_context_takeover=False),
    )


class TestAnswer:
    """What a server makes of a client's words."""

    @pytest.mark.parametrize(
        ("offered", "text", "agreement"),
        [
            ("", "", Agreement()),
            ("; client_max_window_bits", "", Agreement()),
            (
                "; client_max_window_bits=12",
                "; client_max_window_bits=12",
                Agreement(client_max_window_bits=12),
            ),
            ("; client_max_window_bits=15", "; client_max_window_bits=15", Agreement()),
            (
                '; server_max_window_bits="9"',
                "; server_max_window_bits=9",
                Agreement(server_max_window_bits=9),
            ),
            ("; server_max_window_bits=15", "; server_max_window_bits=15", Agreement()),
            (
                "; server_no_context_takeover",
                "; server_no_context_takeover",
                Agreement(server_context_takeover=False),
            ),
            (
                "; client_no_context_takeover",
                "; client_no_context_takeover",
                Agreement(client_context_takeover=False),
            ),
        ],
    )
    def test_an_open_server(self, offered: str, text: str, agreement: Agreement) -> None:
        assert answer(OPEN, [NAME + offered]) == (NAME + text, agreement)

    def test_the_servers_own_limits(self) -> None:
        limited = Deflate(
            client_context_takeover=False,
            server_context_takeover=False,
            client_max_window_bits=10,
            server_max_window_bits=11,
        )
        wished = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
        assert answer(limited, [f"{NAME}; client_max_window_bits"]) == (
            f"{wished}; server_max_window_bits=11; client_max_window_bits=10",
            Agreement(False, False, 10, 11),
        )
        assert answer(
            limited, [f"{NAME}; client_max_window_bits=9; server_max_window_bits=15"]
        ) == (
            f"{wished}; server_max_window_bits=11; client_max_window_bits=9",
            Agreement(False, False, 9, 11),
        )

    def test_a_client_that_cannot_limit_its_window_is_not_told_to(self) -> None:
        """7.1.2.2: not without client_max_window_bits in the offer."""
        assert answer(Deflate(client_max_window_bits=8), [NAME]) == (NAME, Agreement())

    def test_the_first_offer_counts(self) -> None:
        first, second = f"{NAME}; server_max_window_bits=9", NAME
        assert answer(OPEN, [first, second]) == (first, Agreement(server_max_window_bits=9))
        assert answer(OPEN, [f"{second}, {first}"]) == (second, Agreement())

    def test_other_extensions_are_passed_over(self) -> None:
        assert answer(OPEN, ["x-other; a=b", f"x-third, {NAME}"]) == (NAME, Agreement())

    @pytest.mark.parametrize("values", [[], [""], ["x-other"], ["Permessage-Deflate"]])
    def test_nothing_to_take(self, values: list[str]) -> None:
        assert answer(OPEN, values) is None

    def test_malformed(self) -> None:
        with pytest.raises(ValueError, match="RFC 6455 section 9.1"):
            answer(OPEN, [NAME, "a b"])


def assert_both_agree(client: Deflate, server: Deflate) -> None:
    """Both sides know the same, and neither gets more than it would take."""
    answered = answer(server, [offer(client)])
    assert answered is not None
    text, agreement = answered
    assert check_answer(client, [text]) == agreement
    assert agreement == Agreement(
        client.client_context_takeover and server.client_context_takeover,
        client.server_context_takeover and server.server_context_takeover,
        # The client keeps to its own as well: tests/protocol/test_contexts.py.
        server.client_max_window_bits,
        min(client.server_max_window_bits, server.server_max_window_bits),
    )


@pytest.mark.parametrize("client", ALL, ids=offer)
def test_each_role_understands_the_other(client: Deflate) -> None:
    for server in ALL:
        assert_both_agree(client, server)


@given(deflates, deflates)
def test_each_role_understands_the_other_with_any_window(client: Deflate, server: Deflate) -> None:
    assert_both_agree(client, server)


flags = st.sampled_from(["server_no_context_takeover", "client_no_context_takeover"])
windows = st.builds(
    "{}_max_window_bits{}".format,
    st.sampled_from(["server", "client"]),
    st.sampled_from(["", "=7", "=8", "=9", "=12", '="14"', "=15", "=16", "=08"]),
)
elements = st.builds(
    lambda name, parameters: "; ".join([name, *parameters]),
    st.sampled_from([NAME, NAME, NAME, "x-other"]),
    st.lists(flags | windows | st.just("x"), max_size=4),
)


@given(deflates, st.lists(elements, max_size=2))
def test_any_answer_keeps_the_promises_or_is_refused(deflate: Deflate, values: list[str]) -> None:
    try:
        agreement = check_answer(deflate, values)
    except ValueError:
        return
    assert (agreement is None) is (values == [])
    if agreement is None:
        return
    assert deflate.client_context_takeover or not agreement.client_context_takeover
    assert deflate.server_context_takeover or not agreement.server_context_takeover
    assert 8 <= agreement.client_max_window_bits <= 15
    assert 8 <= agreement.server_max_window_bits <= deflate.server_max_window_bits


@given(deflates, st.lists(elements, max_size=3))
def test_any_offer_is_answered_by_the_rules(deflate: Deflate, values: list[str]) -> None:
    answered = answer(deflate, values)
    if answered is None:
        return
    text, agreement = answered
    # A client that offered everything takes it, so the answer itself breaks no rule.
    assert check_answer(OPEN, [text]) == agreement
    assert agreement.server_max_window_bits <= deflate.server_max_window_bits
    named = [value for value in values if value.startswith(NAME)]
    if "client_max_window_bits" in text:
        assert any("client_max_window_bits" in value for value in named)
