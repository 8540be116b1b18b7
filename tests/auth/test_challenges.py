"""WWW-Authenticate lines in all their shapes become challenges, and none takes long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.auth.challenges import Challenge, parse_challenges, parse_parameters


def parsed(*lines: str) -> list[tuple[str, str | None, dict[str, str], str | None]]:
    return [
        (each.scheme, each.realm, dict(each.parameters), each.token68)
        for each in parse_challenges(lines)
    ]


def test_the_example_of_rfc_9110() -> None:
    line = 'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""'
    assert parsed(line) == [
        ("basic", "simple", {"realm": "simple"}, None),
        ("newauth", "apps", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}, None),
    ]


@pytest.mark.parametrize(
    "lines, expected",
    [
        (["Negotiate"], [("negotiate", None, {}, None)]),
        (["Negotiate, NTLM"], [("negotiate", None, {}, None), ("ntlm", None, {}, None)]),
        (["Negotiate YII+/=="], [("negotiate", None, {}, "YII+/==")]),
        (
            ["NTLM abc=, Basic realm=x"],
            [("ntlm", None, {}, "abc="), ("basic", "x", {"realm": "x"}, None)],
        ),
        (['Basic realm = \t"a"'], [("basic", "a", {"realm": "a"}, None)]),
        (["BASIC REALM=a"], [("basic", "a", {"realm": "a"}, None)]),
        ([", ,Basic ,realm=a,,"], [("basic", "a", {"realm": "a"}, None)]),
        (['Basic realm=""'], [("basic", "", {"realm": ""}, None)]),
        (['Basic realm="a,b=\\\\"'], [("basic", "a,b=\\", {"realm": "a,b=\\"}, None)]),
        (["Basic realm=a, realm=b"], [("basic", "a", {"realm": "a"}, None)]),
        (['Digest realm="a" nonce="b"'], [("digest", "a", {"realm": "a", "nonce": "b"}, None)]),
        (["Basic realm=a@b/c"], [("basic", "a@b/c", {"realm": "a@b/c"}, None)]),
        (
            ["Basic realm=a", 'Digest realm="b"'],
            [("basic", "a", {"realm": "a"}, None), ("digest", "b", {"realm": "b"}, None)],
        ),
        # A parameter belongs to the challenge of its own line.
        (["Basic", "realm=a"], [("basic", None, {}, None)]),
        ([""], []),
        ([], []),
        (["realm=a"], []),
        (["@@@, Basic realm=a"], [("basic", "a", {"realm": "a"}, None)]),
        (['"Basic realm=a", Bearer'], [("bearer", None, {}, None)]),
        (['Basic realm="never ends, Digest nonce=a'], [("basic", None, {}, None)]),
        (['Basic realm="a\\'], [("basic", None, {}, None)]),
    ],
)
def test_shapes(lines: list[str], expected: list[object]) -> None:
    assert parsed(*lines) == expected


def test_a_realm_is_read_as_utf_8_or_else_as_latin_1() -> None:
    assert parse_challenges(['Basic realm="' + "Zürich".encode().decode("latin-1") + '"'])[
        0
    ].realm == ("Zürich")
    assert parse_challenges(['Basic realm="Zürich"'])[0].realm == "Zürich"


def test_a_challenge_cannot_be_changed() -> None:
    (challenge,) = parse_challenges(["Basic realm=a"])
    with pytest.raises(TypeError):
        challenge.parameters["realm"] = "b"  # type: ignore[index]
    assert challenge == Challenge("basic", "a", {"realm": "a"})
    assert hash(challenge) == hash(Challenge("basic", "a", {"realm": "a"}))


def test_parameters_without_a_scheme() -> None:
    assert parse_parameters(['nextnonce="a b", qop=auth', "nc=00000001"]) == {
        "nextnonce": "a b",
        "qop": "auth",
        "nc": "00000001",
    }
    assert parse_parameters([""]) == {}


@pytest.mark.parametrize(
    "unit",
    ['"', '"\\', '\\"', "a=", 'a="', 'a="b', "a ", " ", ",", "a,", "==", 'a="b" c', 'a\t="b"x'],
)
@pytest.mark.parametrize("start", ["", "Basic ", 'Basic realm="'])
def test_a_hostile_line_takes_no_longer_than_it_is_long(start: str, unit: str) -> None:
    line = start + unit * (60_000 // len(unit))
    begun = time.process_time()
    parse_challenges([line])
    # Looking at it once for each of its characters would take many seconds.
    assert time.process_time() - begun < 1.0


@given(st.text('aB=" ,\\\t;é~/', max_size=60))
def test_anything_is_taken_apart(text: str) -> None:
    for challenge in parse_challenges([text]):
        assert challenge.scheme == challenge.scheme.lower()
        assert challenge.parameters.get("realm") in (None, challenge.realm)
    parse_parameters([text])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["realm", "nonce", "opaque", "title"]),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
        ),
        unique_by=lambda pair: pair[0],
    )
)
def test_quoted_values_come_back(pairs: list[tuple[str, str]]) -> None:
    quoted = [
        name + '="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for name, value in pairs
    ]
    (first, second) = parse_challenges(["Digest " + ", ".join(quoted) + ", Bearer"])
    assert dict(first.parameters) == dict(pairs)
    assert second.scheme == "bearer"


def test_a_realm_can_be_printed() -> None:
    (found,) = parse_challenges(['Basic realm="a\x1b[2J\x9b\xe2\x80\xaeb \xc3\xa9"'])
    assert found.realm is not None and found.realm.isprintable()
    assert found.realm.startswith("a\ufffd[2J") and found.realm.endswith("b \xc3\xa9")
    assert found.parameters["realm"].startswith("a\x1b"), "as it came: a proof is made of it"
    (found,) = parse_challenges(['Basic realm="\xc3\xa9\xe2\x80\xae"'])
    assert found.realm == "\xe9\ufffd"
