"""One Digest for many servers and threads: nonces are kept, counted, replaced and forgotten."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import threading

import pytest

from tests.refusals import SECRET
from tieline.auth import Digest
from tieline.auth import digest as digest_module
from tieline.auth.challenges import Challenge, parse_challenges
from tieline.auth.digest_response import Proof
from tieline.errors import OptionError


def challenge(nonce: str = "n", **more: str) -> Challenge:
    return Challenge("digest", "r", {"realm": "r", "nonce": nonce, "qop": "auth", **more})


def fields(proof: Proof | None) -> dict[str, str]:
    assert proof is not None
    (sent,) = parse_challenges([proof.header])
    return dict(sent.parameters)


def test_there_is_nothing_to_prove_before_a_challenge() -> None:
    assert Digest("u", "p").prove("server", "GET", "/") is None


def test_the_nonce_is_kept_and_counted() -> None:
    digest = Digest("u", "p")
    digest.take("server", challenge())
    sent = [fields(digest.prove("server", "GET", "/")) for _ in range(3)]
    assert [each["nc"] for each in sent] == ["00000001", "00000002", "00000003"]
    assert {each["nonce"] for each in sent} == {"n"}
    assert len({each["cnonce"] for each in sent}) == 3
    digest.take("server", challenge("n2"))
    assert fields(digest.prove("server", "GET", "/"))["nc"] == "00000001"


def test_servers_have_nonces_of_their_own() -> None:
    digest = Digest("u", "p")
    digest.take("a", challenge("1"))
    digest.take("b", challenge("2"))
    assert fields(digest.prove("a", "GET", "/"))["nonce"] == "1"
    assert fields(digest.prove("b", "GET", "/"))["nonce"] == "2"
    assert digest.prove("c", "GET", "/") is None


def test_a_session_keeps_the_cnonce_that_its_key_is_made_of() -> None:
    digest = Digest("u", "p")
    digest.take("a", challenge(algorithm="MD5-sess"))
    sent = [fields(digest.prove("a", "GET", "/")) for _ in range(2)]
    assert sent[0]["cnonce"] == sent[1]["cnonce"]
    assert sent[0]["response"] != sent[1]["response"]


def test_the_servers_proof_is_checked_and_its_next_nonce_taken() -> None:
    digest = Digest("u", "p")
    digest.take("a", challenge())
    proof = digest.prove("a", "GET", "/")
    assert proof is not None
    assert digest.learn("a", proof, {})
    assert digest.learn("a", proof, {"rspauth": proof.expected, "nextnonce": "n2"})
    sent = fields(digest.prove("a", "GET", "/"))
    assert (sent["nonce"], sent["nc"]) == ("n2", "00000001")
    assert digest.learn("a", proof, {"nextnonce": "n2"})
    assert fields(digest.prove("a", "GET", "/"))["nc"] == "00000002", "it is the same one"
    assert not digest.learn("a", proof, {"rspauth": "0" * 32, "nextnonce": "n3"})
    assert fields(digest.prove("a", "GET", "/"))["nonce"] == "n2", "a liar is not believed"


@pytest.mark.parametrize("control", ["\x00", "\x01", "\n", "\x1b", "\x7f"])
def test_a_next_nonce_that_no_header_can_carry_is_ignored(control: str) -> None:
    digest = Digest("u", "p")
    digest.take("a", challenge())
    proof = digest.prove("a", "GET", "/")
    assert proof is not None
    assert digest.learn("a", proof, {"rspauth": proof.expected, "nextnonce": f"n2{control}"})
    sent = fields(digest.prove("a", "GET", "/"))
    assert (sent["nonce"], sent["nc"]) == ("n", "00000002")


def test_realms_of_one_server_do_not_get_into_each_others_way() -> None:
    digest = Digest("u", "p")
    own = digest.take("a", challenge("1", realm="r1"))
    proof = digest.prove("a", "GET", "/", own)
    assert proof is not None
    digest.take("a", challenge("2", realm="r2"))
    sent = fields(digest.prove("a", "GET", "/", own))
    assert (sent["realm"], sent["nonce"], sent["nc"]) == ("r1", "1", "00000002")
    assert digest.learn("a", proof, {"nextnonce": "of the first"})
    sent = fields(digest.prove("a", "GET", "/"))
    assert (sent["realm"], sent["nonce"]) == ("r2", "2")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_process_does_not_wait_for_a_thread_of_its_parent() -> None:
    digest = Digest("u", "p")
    digest.take("a", challenge())
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with digest_module._lock():
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)  # ends the child that hangs
        os._exit(0 if digest.prove("a", "GET", "/") is not None else 1)
    _, status = os.waitpid(pid, 0)
    done.set()
    thread.join(20)
    assert status == 0


def test_what_cannot_be_answered_is_refused() -> None:
    with pytest.raises(ValueError, match="not known here"):
        Digest("u", "p").take("a", Challenge("digest", "r", {"nonce": "n", "qop": "other"}))


def test_no_number_of_servers_fills_the_memory() -> None:
    digest = Digest("u", "p")
    digest.take("first", challenge())
    for number in range(255):
        digest.take(number, challenge())
    assert digest.prove("first", "GET", "/") is not None  # used last, so it stays
    digest.take("one more", challenge())
    assert digest.prove("first", "GET", "/") is not None
    assert digest.prove(0, "GET", "/") is None
    assert len(digest._sessions) == 256


def test_threads_that_share_it_never_use_a_number_twice() -> None:
    digest = Digest("u", "p")
    digest.take("a", challenge())
    seen: list[list[str]] = [[] for _ in range(8)]
    start = threading.Barrier(len(seen))

    def work(own: list[str]) -> None:
        start.wait()
        for _ in range(100):
            own.append(fields(digest.prove("a", "GET", "/"))["nc"])

    threads = [threading.Thread(target=work, args=(own,)) for own in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    numbers = [number for own in seen for number in own]
    assert sorted(numbers) == [f"{number:08x}" for number in range(1, 801)]


def test_it_is_the_pair_and_shows_no_password() -> None:
    digest = Digest("joe", SECRET)
    digest.take("a", challenge())
    assert SECRET not in repr(digest) + str(digest)
    assert digest == Digest("joe", SECRET) and hash(digest) == hash(Digest("joe", SECRET))
    assert digest != Digest("joe", "other")
    for again in (pickle.loads(pickle.dumps(digest)), copy.copy(digest), copy.deepcopy(digest)):
        assert again == digest
        assert again.prove("a", "GET", "/") is None, "what was agreed on stays with the first"


@pytest.mark.parametrize("pair", [("a:b", ""), ("a\n", ""), ("a", "b\r"), ("a", "\ud800")])
def test_what_cannot_be_carried(pair: tuple[str, str]) -> None:
    with pytest.raises(OptionError, match="Digest: the"):
        Digest(*pair)
    with pytest.raises(OptionError, match="got bytes"):
        Digest(b"a", "b")  # type: ignore[arg-type]
