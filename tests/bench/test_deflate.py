"""The benchmark of compressed messages: its server, its checks and tieline's part in it."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import tieline
from bench.deflate import measure
from bench.deflate.__main__ import COLUMNS
from bench.deflate.contestants import installed, parse
from bench.deflate.feed import feed
from bench.deflate.negotiation import TAIL, Agreement, agree
from bench.deflate.server import frames
from bench.deflate.workloads import WORKLOADS, FeedWorkload
from bench.marker import MARKER
from bench.runner import Measurement, running_server
from bench.table import render

ROOT = Path(__file__).parent.parent.parent

#: Those that can be measured in the tests' own process; a choice of backend is for a whole process.
FRONTS = [name for name in installed()[0] if name.startswith("tieline_") and "backend=" not in name]


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # where `python -m bench.deflate.server` is found
        with running_server("bench.deflate.server") as number:
            yield str(number)


@pytest.fixture(scope="module", autouse=True)
def descriptors_that_uvloop_keeps() -> None:
    """The first loop of a process opens a pipe for all: that is no leak of the first test."""
    if find_spec("uvloop") is not None:
        import uvloop

        uvloop.new_event_loop().close()


@pytest.mark.parametrize("contestant", FRONTS)
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.title)
def test_every_front_of_tieline_does_the_work_with_compressed_messages(
    contestant: str, workload: FeedWorkload, port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 40
    assert measure.main(contestant, workload.kind, port, workload.size, count) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["agreed"].startswith("permessage-deflate")
    assert 0 < result["wire_bytes"] < count * workload.size * 0.7
    assert result["seconds"] > 0


@pytest.mark.slow
def test_a_backend_is_chosen_by_hiding_the_others() -> None:
    program = (
        "from bench.deflate.contestants import hide_backends; hide_backends('zlib')\n"
        "from tieline.protocol.deflate_backend import installed_backends\n"
        "print(*(backend.name for backend in installed_backends()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("zlib\n", "")


@pytest.mark.parametrize(
    ("compression", "messages", "answer"),
    [
        (None, [*feed(300)[:3]], "done"),
        ("deflate", [*feed(300)[:3]], "done"),
        ("deflate", [*feed(300)[:2], "something else"], "message 2 is not the one of the feed"),
        ("deflate", [*feed(300)[:2]], "expected 3 messages, got 2"),
        ("deflate", [*feed(300)[:2], b"\x00"], "message 2: expected a whole text message"),
    ],
)
def test_what_is_sent_is_checked_before_it_is_measured(
    compression: str | None, messages: list[str | bytes], answer: str, port: str
) -> None:
    url = f"ws://127.0.0.1:{port}/check?size=300&count=3"
    with tieline.connect(url, compression=compression) as connection:
        for message in messages:
            connection.send(message)
        connection.ping(MARKER)
        assert str(connection.recv(timeout=5)).startswith(answer)


def test_the_prepared_frames_follow_on_themselves() -> None:
    for agreement in (Agreement(), Agreement(server_window_bits=10)):
        block, ends = frames(300, agreement)
        inflater = zlib.decompressobj(-agreement.server_window_bits)
        for _ in range(2):
            begin = 0
            for expected, end in zip(feed(300), ends, strict=True):
                header = 2 if block[begin + 1] < 126 else 4
                payload = block[begin + header : end]
                assert inflater.decompress(payload + TAIL).decode() == expected
                begin = end


@pytest.mark.parametrize("size", [300, 4096])
def test_messages_of_the_feed_are_as_long_as_asked_for_and_all_different(size: int) -> None:
    messages = feed(size)
    assert len(set(messages)) == len(messages)
    assert all(abs(len(message) - size) < 25 for message in messages)
    assert json.loads(messages[0])["asks"]


@pytest.mark.parametrize(
    ("offers", "agreement"),
    [
        (None, None),
        ("x-other", None),
        ("permessage-deflate; client_max_window_bits", Agreement()),
        (
            "permessage-deflate; client_max_window_bits=12; server_max_window_bits=10",
            Agreement(server_window_bits=10, client_window_bits=12),
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover, x-other",
            Agreement(server_takeover=False, client_takeover=False),
        ),
    ],
)
def test_the_server_grants_the_first_offer(offers: str | None, agreement: Agreement | None) -> None:
    assert agree(offers) == agreement
    if agreement is not None:
        assert agree(agreement.answer) == agreement


def test_a_contestants_name_says_how_it_is_set_up() -> None:
    client, settings = parse("tieline_callback?backend=zlib&level=6")
    assert (client, settings.backend, settings.level) == ("tieline_callback", "zlib", 6)
    assert settings.words == "zlib level 6"
    assert parse("aiohttp")[1].words == ""
    with pytest.raises(ValueError, match="loop: expected"):
        parse("aiohttp?loop=none")


def test_the_table_shows_size_and_agreement() -> None:
    run = Measurement(
        "ours", "ours 1.0", WORKLOADS[0], 0, 1000, 0.5, 0.25, 66_500, "permessage-deflate; a=1"
    )
    head, line = render([run], COLUMNS).splitlines()
    assert head.split()[-2:] == ["bytes/message", "agreed"]
    assert line.split() == ["ours", "1.0", "2,000", "1", "250", "66.5", "a=1"]
