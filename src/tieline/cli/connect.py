"""``tieline connect``: lines of the input → messages, and messages → lines of the output."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import closing

from tieline.cli.arrivals import Arrivals
from tieline.cli.connection_options import connection_options
from tieline.cli.conversation import conversation, outcome
from tieline.cli.output import Output, PromptOutput, standard_output
from tieline.cli.shown import printer
from tieline.cli.status import CommandError, note
from tieline.cli.typed import Lines, PromptedLines, lines_of
from tieline.client import WebSocketClient
from tieline.errors import ConnectionClosed, SendTimeout
from tieline.redact import safe_subprotocol


def run(arguments: Namespace) -> int:
    """Talk until the input ends, the server closes or Ctrl-C is pressed."""
    options = connection_options(arguments)
    typed = sys.stdin is not None and sys.stdin.isatty()
    interactive = typed and sys.stdout is not None and sys.stdout.isatty()
    lines = lines_of(sys.stdin, interactive=interactive)
    with standard_output(PromptOutput if isinstance(lines, PromptedLines) else Output) as output:
        shown = printer(output, mark="< " if interactive else "")
        arrivals = Arrivals(shown, on_over=lines.stop)
        with conversation(options, arrivals, output) as client:
            if typed:
                _greet(client)
            try:
                # Ended here, not by the collector, which would show what a signal raises in it.
                with closing(iter(lines)) as each:
                    for line in each:
                        _send(client, line if arguments.binary else _text(line, lines))
                if not typed:
                    arrivals.wait_for_quiet(arguments.wait)
            except ConnectionClosed:
                pass  # its end is on record, and told below
        return outcome(client, arrivals)


def _greet(client: WebSocketClient) -> None:
    name = client.subprotocol
    chosen = f", subprotocol {safe_subprotocol(name)}" if name else ""
    assert client.response is not None
    note(f"connected to {client.response.url}{chosen}; Ctrl-D closes")


def _text(line: bytes, lines: Lines) -> str:
    try:
        return line.decode(lines.encoding)
    except UnicodeDecodeError as error:
        raise CommandError(
            f"a line of the input is not {lines.encoding}: byte {error.start + 1} is "
            f"0x{line[error.start]:02x}; --binary sends bytes as they are"
        ) from None


def _send(client: WebSocketClient, message: str | bytes) -> None:
    """Wait as long as the connection lives: the server may wait for the reader of our output."""
    while True:
        try:
            client.send(message)
            return
        except SendTimeout as error:
            if error.accepted:
                return
