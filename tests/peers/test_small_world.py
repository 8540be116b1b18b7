"""Networks with a flaw: IPv6 in a black hole, name servers that do not answer every question."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.processes import ROOT, find_program
from tests.peers.small_world import BLACK_HOLE, IPV4, IPV6

pytestmark = [pytest.mark.peers, pytest.mark.slow]


@pytest.fixture
def small_world():
    """small_world(story): what became of it, in a network of its own."""
    unshare = find_program("unshare")
    find_program("ip")
    command = [unshare, "--net", "--mount"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    possible = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=30)
    if possible.returncode:
        pytest.skip(f"no network namespace to be had: {possible.stderr.strip()}")
    for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"):
        if not Path(path).exists():
            pytest.skip(f"there is no {path} to put another one over")

    def run(story):
        program = [*command, sys.executable, "-m", "tests.peers.small_world", story]
        path = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
        done = subprocess.run(
            program,
            cwd=ROOT,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_ipv6_in_a_black_hole_costs_less_than_half_a_second(small_world):
    found = small_world("black hole")
    assert found["only4"]["peer"] == found["both"]["peer"] == IPV4
    assert [address.split("]")[0] for address in found["both"]["tried"]][0] == f"[{BLACK_HOLE}"
    assert 0.2 < found["both"]["took"] - found["only4"]["took"] < 0.5


def test_a_question_that_is_never_answered_costs_less_than_half_a_second(small_world):
    found = small_world("slow names")
    quick = found["quick"]
    assert quick["peer"] == IPV4
    for name, peer in (("no-answer-for-ipv6", IPV4), ("no-answer-for-ipv4", IPV6)):
        assert found[name]["peer"] == peer
        assert found[name]["took"] - quick["took"] < 0.5
    # IPv4 is refused at once; IPv6 is found later, and is not too late.
    late = found["late-ipv6"]
    assert late["peer"] == IPV6
    assert [address[0] for address in late["tried"]] == ["1", "["]
    assert 0.5 < late["took"] < 1.5


def test_a_silent_name_server_is_bounded_in_time_and_threads(small_world):
    found = small_world("silence")
    assert found["took"] < 1
    (error,) = found["errors"]
    assert error.startswith("ConnectTimeout: ") and "resolving 'nobody-answers.test'" in error
    assert found["threads"] <= 9
