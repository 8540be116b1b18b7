"""``tieline send``: words → messages, and the answers that were asked for → lines of the output."""

from __future__ import annotations

import os
from argparse import Namespace

from tieline.cli.arrivals import Arrivals
from tieline.cli.connection_options import connection_options
from tieline.cli.conversation import conversation, outcome
from tieline.cli.output import standard_output
from tieline.cli.shown import printer
from tieline.cli.status import ABNORMAL, CommandError, usage_error
from tieline.errors import ConnectionClosed


def run(arguments: Namespace) -> int:
    """Send all, print `--expect` answers, close with 1000."""
    messages = [_message(word, arguments.binary) for word in arguments.messages]
    options = connection_options(arguments)
    with standard_output() as output:
        arrivals = Arrivals(printer(output), limit=arguments.expect)
        with conversation(options, arrivals, output) as client:
            try:
                for message in messages:
                    client.send(message)
                arrivals.wait(arguments.wait)
            except ConnectionClosed:
                pass  # its end is on record, and told below
            closed_early = arrivals.closed
        status = outcome(client, arrivals, tell=False)
    missing = arguments.expect - arrivals.count
    if missing and arrivals.output_error is None:
        how = "before the server closed" if closed_early else f"in {arguments.wait:g} s"
        raise CommandError(
            f"expected {arguments.expect} answers, got {arrivals.count} {how}", ABNORMAL
        )
    return status


def _message(word: str, binary: bool) -> str | bytes:
    # What the shell gave, whatever the locale made of it.
    data = os.fsencode(word)
    if binary:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        usage_error("a message is not UTF-8; --binary sends bytes as they are")
