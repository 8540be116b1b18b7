"""``tieline listen``: messages → lines of the output."""

from __future__ import annotations

from argparse import Namespace

from tieline.cli.arrivals import Arrivals
from tieline.cli.connection_options import connection_options
from tieline.cli.conversation import conversation, outcome
from tieline.cli.output import standard_output
from tieline.cli.shown import printer


def run(arguments: Namespace) -> int:
    """Print until the server closes, enough came, time is up, or Ctrl-C is pressed."""
    options = connection_options(arguments)
    with standard_output() as output:
        shown = printer(output, as_json=arguments.json)
        arrivals = Arrivals(shown, limit=arguments.count)
        with conversation(options, arrivals, output) as client:
            arrivals.wait(arguments.duration)
            asked_for = not arrivals.closed
        return outcome(client, arrivals, tell=not asked_for)
