"""The test vectors of RFC 2069, 2617 and 7616, and what servers do besides."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tieline.auth.challenges import Challenge, parse_challenges
from tieline.auth.digest_response import (
    Proof,
    choose,
    hasher,
    is_proven,
    prove,
    session_key,
    terms_of,
)


def answer(
    line: str,
    username: str,
    password: str,
    *,
    uri: str,
    cnonce: str,
    method: str = "GET",
    count: int = 1,
) -> Proof:
    (challenge,) = parse_challenges([line])
    terms = terms_of(challenge)
    assert terms is not None
    key = session_key(terms, username, password, cnonce)
    return prove(terms, username, key, method=method, uri=uri, cnonce=cnonce, count=count)


def fields(proof: Proof) -> dict[str, str]:
    (sent,) = parse_challenges([proof.header])
    assert sent.scheme == "digest"
    return dict(sent.parameters)


RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    "algorithm, response",
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    sent = fields(
        answer(
            RFC_7616.format(algorithm),
            "Mufasa",
            "Circle of Life",
            uri="/dir/index.html",
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
    )
    assert sent == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "algorithm": algorithm,
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "qop": "auth",
        "response": response,
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }


def has_sha_512_256() -> bool:
    try:
        hashlib.new("sha512_256")
    except ValueError:
        return False
    return True


@pytest.mark.skipif(not has_sha_512_256(), reason="this OpenSSL has no SHA-512/256")
def test_rfc_7616_section_3_9_2() -> None:
    """With the values of erratum 4897: the RFC's own are of a truncated SHA-512."""
    sent = fields(
        answer(
            'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
            'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
            'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true',
            "Jäsøn Doe",
            "Secret, or not?",
            uri="/doe.json",
            cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        )
    )
    assert sent["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert sent["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert sent["userhash"] == "true" and "username*" not in sent


RFC_2617 = (
    'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def test_rfc_2617_section_3_5() -> None:
    sent = fields(
        answer(
            RFC_2617 + ', qop="auth,auth-int"',
            "Mufasa",
            "Circle Of Life",
            uri="/dir/index.html",
            cnonce="0a4f113b",
        )
    )
    assert sent["response"] == "6629fae49393a05397450978507c4ef1"
    assert "algorithm" not in sent, "it was not named"


def test_rfc_2069_without_qop() -> None:
    """Section 2.4, with the response that its erratum 749 corrects."""
    sent = fields(
        answer(RFC_2617, "Mufasa", "CircleOfLife", uri="/dir/index.html", cnonce="unused")
    )
    assert sent["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert {"qop", "nc", "cnonce"}.isdisjoint(sent)


def md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()


def test_a_session_key_is_made_of_both_nonces() -> None:
    sent = fields(
        answer(RFC_2617 + ', algorithm=MD5-sess, qop="auth"', "u", "p", uri="/", cnonce="c")
    )
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    key = md5(md5("u", "testrealm@host.com", "p"), nonce, "c")
    assert sent["response"] == md5(key, nonce, "00000001", "c", "auth", md5("GET", "/"))
    assert sent["algorithm"] == "MD5-sess"


def test_a_session_without_qop_tells_its_cnonce() -> None:
    sent = fields(answer(RFC_2617 + ", algorithm=MD5-sess", "u", "p", uri="/", cnonce="c"))
    assert sent["cnonce"] == "c" and "qop" not in sent and "nc" not in sent


def test_auth_int_protects_the_empty_body() -> None:
    sent = fields(
        answer(RFC_2617 + ', qop="auth-int"', "u", "p", uri="/x", cnonce="c", count=0xABC)
    )
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    second = md5("GET", "/x", md5(""))
    assert sent["response"] == md5(
        md5("u", "testrealm@host.com", "p"), nonce, "00000abc", "c", "auth-int", second
    )
    assert (sent["qop"], sent["nc"]) == ("auth-int", "00000abc")


def test_the_method_and_the_uri_are_part_of_the_proof() -> None:
    proofs = {
        answer(RFC_2617, "u", "p", uri=uri, cnonce="c", method=method).header
        for uri in ("/", "example.com:443")
        for method in ("GET", "CONNECT")
    }
    assert len(proofs) == 4


def test_the_servers_own_proof() -> None:
    """Section 3.5: as the client's, with nothing for the method."""
    proof = answer(RFC_2617 + ', qop="auth"', "u", "p", uri="/", cnonce="c")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    key = md5("u", "testrealm@host.com", "p")
    expected = md5(key, nonce, "00000001", "c", "auth", md5("", "/"))
    assert is_proven(proof.expected, expected) and is_proven(proof.expected, expected.upper())
    assert not is_proven(proof.expected, "0" * 32)
    assert not is_proven(proof.expected, "é")


@pytest.mark.parametrize(
    "parameters, expected",
    [
        ("", {"username": "Jäs".encode().decode("latin-1")}),
        (", charset=UTF-8", {"username*": "UTF-8''J%C3%A4s"}),
        (", charset=utf-8, userhash=TRUE", {"username": md5("Jäs", "r"), "userhash": "true"}),
        (", userhash=false", {"username": "Jäs".encode().decode("latin-1")}),
    ],
)
def test_names_beyond_ascii(parameters: str, expected: dict[str, str]) -> None:
    proof = answer(f'Digest realm="r", nonce="n"{parameters}', "Jäs", "p", uri="/", cnonce="c")
    header = proof.header
    assert header.encode("latin-1")
    sent = fields(proof)
    assert {name: sent[name] for name in ("username", "username*", "userhash") if name in sent} == (
        expected
    )


def test_a_realm_goes_back_byte_by_byte() -> None:
    for raw in ("Zürich".encode(), "Zürich".encode("latin-1")):
        line = 'Digest realm="' + raw.decode("latin-1") + '", nonce="n"'
        sent = fields(answer(line, "u", "p", uri="/", cnonce="c"))
        assert sent["realm"].encode("latin-1") == raw
        key = hashlib.md5(b"u:" + raw + b":p", usedforsecurity=False).hexdigest()
        assert sent["response"] == md5(key, "n", md5("GET", "/"))


def test_quotes_in_the_servers_words_are_escaped_again() -> None:
    hostile = 'a\\", injected=\\"\\\\'
    proof = answer(
        f'Digest realm="{hostile}", nonce="{hostile}", opaque="{hostile}"',
        'u"\\',
        "p",
        uri="/",
        cnonce="c",
    )
    sent = fields(proof)
    assert sent["realm"] == sent["nonce"] == sent["opaque"] == 'a", injected="\\'
    assert sent["username"] == 'u"\\'
    assert "injected" not in sent


@pytest.mark.parametrize(
    "parameters",
    [
        {"realm": "r"},
        {"nonce": "n", "algorithm": "SHA-1"},
        {"nonce": "n", "algorithm": ""} | {"algorithm": "MD4-sess"},
        {"nonce": "n", "qop": "auth-conf"},
        {"nonce": "n", "qop": ""},
        {"nonce": "n\r\nX-Evil: 1"},
        {"nonce": "n", "realm": "a\0b"},
        {"nonce": "n", "opaque": "a\nb"},
    ],
)
def test_what_cannot_be_answered(parameters: dict[str, str]) -> None:
    assert terms_of(Challenge("digest", None, parameters)) is None
    assert choose([Challenge("digest", None, parameters)]) is None


def test_the_strongest_algorithm_is_chosen() -> None:
    lines = [
        'Digest realm="a", nonce="1", algorithm=MD5, Basic realm="a"',
        'Digest realm="a", nonce="2", algorithm=SHA-512-256-unheard-of',
        'Digest realm="a", nonce="3", algorithm=SHA-256',
        'Digest realm="a", nonce="4", algorithm="sha-256-SESS"',
    ]
    chosen = choose(parse_challenges(lines))
    assert chosen is not None and chosen.parameters["nonce"] == "3"
    assert choose(parse_challenges(["Basic realm=a, Bearer"])) is None
    only = choose(parse_challenges(lines[:1]))
    assert only is not None and only.parameters["nonce"] == "1"


def test_without_md5_stronger_ones_are_still_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    new = hashlib.new

    def in_fips_mode(name: str, data: bytes = b"", **options: Any) -> Any:
        if name == "md5":
            raise ValueError("disabled for FIPS")
        return new(name, data, **options)

    monkeypatch.setattr(hashlib, "new", in_fips_mode)
    challenges = parse_challenges(["Digest nonce=1", "Digest nonce=2, algorithm=SHA-256"])
    chosen = choose(challenges)
    assert chosen is not None and chosen.parameters["nonce"] == "2"
    assert choose(challenges[:1]) is None
    with pytest.raises(ValueError, match="FIPS"):
        hasher("md5")


def test_md5_says_that_it_protects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    new = hashlib.new

    def watched(name: str, data: bytes = b"", **options: Any) -> Any:
        given.append(options.get("usedforsecurity"))
        return new(name, data, **options)

    monkeypatch.setattr(hashlib, "new", watched)
    answer(RFC_2617, "u", "p", uri="/", cnonce="c")
    assert given and set(given) == {False}


def test_nothing_of_it_is_shown() -> None:
    proof = answer(RFC_2617, "u", "hunter2", uri="/", cnonce="c")
    assert "hunter2" not in repr(proof)
    assert fields(proof)["response"] not in repr(proof)
