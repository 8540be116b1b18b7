"""A server that talks as the fuzzing server does → what the driver makes of it, on each front."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from compliance.__main__ import main


class TinySuite:
    """Two cases: a text and a binary message; and one that never ends, for who asks for it."""

    def __init__(self, cases: int = 2) -> None:
        self.cases = cases
        self.echoes: dict[int, object] = {}
        self.reports_for: list[str] = []
        self._over = threading.Event()

    def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        target = urlsplit(connection.request.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        if target.path == "/getCaseCount":
            connection.send(str(self.cases))
        elif target.path == "/updateReports":
            self.reports_for.append(query["agent"])
        elif query["case"] == "3":
            self._over.wait(20)
        else:
            case = int(query["case"])
            connection.send("a text" if case == 1 else b"\x00\xff")
            self.echoes[case] = connection.recv(timeout=20)

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def suite() -> Iterator[tuple[TinySuite, str]]:
    suite = TinySuite()
    server: Server
    with serve(suite.handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield suite, f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        suite.end()
        server.shutdown()
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture(params=["callback", "sync", "aio", "aio --loop uvloop"])
def front(request: pytest.FixtureRequest) -> list[str]:
    """The words that choose a front."""
    words = ["--front", *request.param.split()]
    if "uvloop" in words and find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    return words


def test_every_message_comes_back_as_its_own_type_and_the_report_is_asked_for(
    suite: tuple[TinySuite, str], front: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server, url = suite
    assert main(["--url", url, "--agent", "an agent", *front]) == 0
    assert server.echoes == {1: "a text", 2: b"\x00\xff"}
    assert server.reports_for == ["an agent"]
    assert capsys.readouterr().err == ""


def test_only_the_cases_that_were_asked_for_run(suite: tuple[TinySuite, str]) -> None:
    server, url = suite
    assert main(["--url", url, "--cases", "2"]) == 0
    assert list(server.echoes) == [2]


def test_url_and_agent_come_from_the_environment(
    suite: tuple[TinySuite, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = suite
    monkeypatch.setenv("AUTOBAHN_URL", url)
    monkeypatch.setenv("AGENT", "from-the-environment")
    assert main([]) == 0
    assert server.reports_for == ["from-the-environment"]


def test_the_agent_says_which_front_it_is(
    suite: tuple[TinySuite, str], front: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = suite
    monkeypatch.delenv("AGENT", raising=False)
    assert main(["--url", url, "--cases", "1", *front]) == 0
    names = {"callback": "tieline", "sync": "tieline-sync", "aio": "tieline-aio"}
    assert server.reports_for == [names[front[1]] + ("-uvloop" if "uvloop" in front else "")]


@pytest.mark.slow
def test_a_case_that_does_not_end_is_given_up_and_the_others_are_driven(
    suite: tuple[TinySuite, str], front: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server, url = suite
    server.cases = 3
    # So long that a busy machine is connected, and has case 1 behind it, in that time.
    assert main(["--url", url, "--timeout", "1", "--cases", "3,1", *front]) == 1
    assert list(server.echoes) == [1]
    assert "case 3: the server has not closed" in capsys.readouterr().err


def test_a_case_that_the_server_lacks_is_refused(
    suite: tuple[TinySuite, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", suite[1], "--cases", "1-9"]) == 2
    assert "expected numbers from 1 to 2" in capsys.readouterr().err


def test_without_a_server_nothing_is_driven(
    front: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", "ws://127.0.0.1:1", *front]) == 2
    assert "compliance: " in capsys.readouterr().err
