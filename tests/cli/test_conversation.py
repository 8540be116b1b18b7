"""How a command's connection is closed, by whatever way its block is left."""

from __future__ import annotations

import pytest

from tieline.cli.arrivals import Arrivals
from tieline.cli.conversation import conversation, outcome
from tieline.cli.output import Output
from tieline.cli.shown import RawPrinter
from tieline.cli.status import CommandError
from tieline.testing import EchoServer


@pytest.mark.parametrize("interruption", [None, KeyboardInterrupt, CommandError("no more")])
def test_the_code_tells_how_the_block_was_left(interruption: BaseException | None) -> None:
    ends: list[int] = []
    output = Output(None)
    arrivals = Arrivals(RawPrinter(output))
    with EchoServer(on_close=lambda _, info: ends.append(info.code)) as server:
        options = {"url": server.url, "proxy": None}
        try:
            with conversation(options, arrivals, output):
                if interruption is not None:
                    raise interruption
        except (KeyboardInterrupt, CommandError):
            pass
    output.close()

    assert ends == [1000 if interruption is None else 1001]


def test_a_fault_while_printing_is_raised_and_not_hidden() -> None:
    def show(message: object) -> None:
        raise ZeroDivisionError

    output = Output(None)
    arrivals = Arrivals(show)
    with EchoServer() as server:
        options = {"url": server.url, "proxy": None}
        with conversation(options, arrivals, output) as client:
            client.send("hello")
            assert arrivals.wait(10)
    output.close()

    with pytest.raises(ZeroDivisionError):
        outcome(client, arrivals)
