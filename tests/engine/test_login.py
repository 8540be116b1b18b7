"""One party's challenges, answered by what the user gave: which, how often, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.auth import Basic, Bearer, Digest
from tieline.engine.login import MOST_ANSWERS, Login, Party
from tieline.headers import Headers

PARTY = Party("ws://h/", False, ("ws", "h", 80), "do this")
DIGEST = 'Digest realm="r", nonce="{}", qop="auth"'
BASIC = Basic("u", "p")


def login(credentials: Any = None, ask: Any = None, party: Party = PARTY) -> Login:
    return Login(party, credentials, "auth=" if credentials or ask else "", ask)


def test_what_goes_without_being_asked_for() -> None:
    assert login().authorization("GET", "/") is None
    assert login(BASIC).authorization("GET", "/") == BASIC.header_value()
    assert login(Bearer("t")).authorization("GET", "/") == "Bearer t"
    assert login(Digest("u", "p")).authorization("GET", "/") is None


def test_the_answered_challenge_is_told() -> None:
    one = login(BASIC)
    one.authorization("GET", "/")
    found = one.challenged(["Basic realm=a", DIGEST.format("n")])
    assert found is not None and (found.scheme, found.realm) == ("digest", "r")
    assert isinstance(one.credentials, Digest)
    value = one.authorization("GET", "/")
    assert value is not None and value.startswith("Digest ")
    assert one.challenged([DIGEST.format("n2")]) is None
    value = one.authorization("GET", "/")
    assert value is not None and value.startswith("Digest "), "never as Basic after that"


def test_what_is_no_challenge_is_not_answered() -> None:
    for lines in ([], [""], ["@"], ["Negotiate"], ["Digest realm=r"]):
        one = login(Digest("u", "p"))
        assert one.challenged(lines) is None


def test_an_acceptance_makes_all_of_it_new() -> None:
    one = login(Digest("u", "p"))
    for _ in range(3 * MOST_ANSWERS):
        assert one.challenged([DIGEST.format("n")]) is not None
        assert one.authorization("GET", "/") is not None
        assert one.accepted(Headers())


def test_a_callable_is_asked_within_bounds() -> None:
    asked: list[Any] = []

    def ask(challenges: Any) -> Bearer:
        asked.append(challenges)
        return Bearer(str(len(asked)))

    one = login(ask=ask)
    for _ in range(10):
        one.challenged(["Bearer"])
    assert len(asked) == MOST_ANSWERS


def test_a_refusal_without_a_challenge_wants_other_credentials() -> None:
    tokens = iter("abbc")
    asked: list[Any] = []

    def ask(challenges: Any) -> Bearer:
        asked.append(challenges)
        return Bearer(next(tokens))

    one = Login(PARTY, Bearer("0"), "the netrc file's entry", ask)
    for token in "ab":
        found = one.challenged([])
        assert found is not None and (found.scheme, found.realm) == ("bearer", None)
        assert one.authorization("GET", "/") == f"Bearer {token}"
    assert one.challenged([]) is None, "the same again"
    assert asked == [()] * 3
    assert one.explain([]) == (
        "it does not say how to log in; Bearer with auth= was refused: check the token"
    )
    assert login(BASIC).challenged([]) is None
    assert login(ask=lambda challenges: Digest("u", "p")).challenged([]) is None
    assert Login(PARTY, None, "auth=", ask, renews=False).challenged([]) is None


def test_a_scheme_that_may_be_the_token_is_not_shown() -> None:
    one = login(Bearer("Bearer", "hunter2-is-secret"))
    one.authorization("GET", "/")
    told = one.explain(["Basic"])
    assert "unter2" not in told and "another scheme" in told
    fresh = login(ask=lambda challenges: Bearer("Bearer", "hunter2-is-secret"))
    found = fresh.challenged([])
    assert found is not None and found.scheme == "another scheme"


def test_proxies_have_their_own_header_of_information() -> None:
    for is_proxy, name, judged in [
        (False, "Authentication-Info", False),
        (False, "Proxy-Authentication-Info", True),
        (True, "Proxy-Authentication-Info", False),
        (True, "Authentication-Info", True),
    ]:
        one = login(Digest("u", "p"), party=PARTY._replace(is_proxy=is_proxy))
        one.challenged([DIGEST.format("n")])
        one.authorization("GET", "/")
        assert one.accepted(Headers([(name, 'rspauth="wrong"')])) is judged


def test_two_dials_share_a_digest_and_each_answers_its_own_realm() -> None:
    digest = Digest("u", "p")
    one, other = login(digest), login(digest)
    realm = 'Digest realm="{}", nonce="{}", qop="auth"'
    assert one.challenged([realm.format("A", "n1")]) is not None
    assert other.challenged([realm.format("B", "n2")]) is not None
    for each, name in ((one, "A"), (other, "B")):
        value = each.authorization("GET", "/")
        assert value is not None and f'realm="{name}"' in value


def test_server_and_proxy_of_one_address_are_two() -> None:
    digest = Digest("u", "p")
    login(digest).challenged([DIGEST.format("n")])
    as_proxy = login(digest, party=PARTY._replace(is_proxy=True))
    assert as_proxy.authorization("CONNECT", "h:80") is None
    assert login(digest).authorization("GET", "/") is not None


@pytest.mark.parametrize(
    "one, lines, text",
    [
        (login(), [], "it does not say how to log in; do this"),
        (login(), ["Basic, Basic"], "it asks for Basic; do this"),
        (login(), ["NTLM"], "it asks for NTLM; only Basic, Digest and Bearer are spoken here"),
        (login(), ["x" * 5000], None),
        (login(), [", ".join(f"scheme{n}" for n in range(5000))], None),
        (login(), ['Basic realm="' + "x" * 5000 + '"'], None),
    ],
)
def test_words(one: Login, lines: list[str], text: str | None) -> None:
    told = one.explain(lines)
    assert len(told) < 300
    assert text is None or told == text
