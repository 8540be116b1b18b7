"""``tieline explain``: how a connection would be made, and why so, without making it."""

from __future__ import annotations

import json
from argparse import Namespace

from tieline.cli.connection_options import connection_options
from tieline.cli.output import standard_output
from tieline.cli.status import FAILED, OK
from tieline.explaining import explain


def run(arguments: Namespace) -> int:
    """OK when nothing is known to be wrong."""
    found = explain(connection_options(arguments), resolve=arguments.resolve)
    text = json.dumps(found.as_dict(), indent=2) if arguments.json else str(found)
    with standard_output() as output:
        for line in text.splitlines():
            output.line(line)
    return FAILED if found.problems else OK
