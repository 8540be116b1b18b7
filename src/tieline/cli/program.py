"""A command's words → the command run to its end: signals, errors and the exit status."""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from tieline.cli.arguments import parse
from tieline.cli.signals import Signalled, signals_taken
from tieline.cli.status import FAILED, OK, SIGNALLED, USAGE, CommandError, note
from tieline.cli.wording import in_the_commands_words
from tieline.errors import OptionError, WebSocketError

if TYPE_CHECKING:
    import logging


def run(words: Sequence[str] | None) -> int:
    """Run the command and return its exit status. For the main thread."""
    try:
        with signals_taken():
            return _run_reporting(words)
    except KeyboardInterrupt as interruption:
        # Everything that was open has had its chance to close: the next Ctrl-C simply kills.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # Without a number it was a key that the prompt has read.
        number = interruption.number if isinstance(interruption, Signalled) else signal.SIGINT
        return SIGNALLED + number
    finally:
        _flush()


def _run_reporting(words: Sequence[str] | None) -> int:
    """Every error becomes one line and a status; with --debug the traceback comes first."""
    arguments = Namespace(debug=False)
    try:
        arguments = parse(words)
        if arguments.version:
            return _show_version()
        _set_up_logging(arguments.debug)
        from importlib import import_module

        command = import_module(f"tieline.cli.{arguments.command}")
        status: int = command.run(arguments)
        return status
    except SystemExit:
        return OK  # argparse has shown the --help that was asked for
    except CommandError as error:
        return _report(str(error), error.status, arguments.debug)
    except OptionError as error:
        return _report(in_the_commands_words(str(error)), USAGE, arguments.debug)
    except WebSocketError as error:
        return _report(in_the_commands_words(str(error)), FAILED, arguments.debug)
    except BrokenPipeError:
        return OK  # the reader of the output has all it wanted
    except OSError as error:
        return _report(str(error), FAILED, arguments.debug)
    except Exception as error:
        # A fault of tieline itself.
        text = f"internal error: {type(error).__name__}: {error}"
        more = "" if arguments.debug else "; --debug shows where"
        return _report(text + more, FAILED, arguments.debug)


def _report(text: str, status: int, debug: bool) -> int:
    if debug:
        import traceback

        for line in traceback.format_exc().splitlines():
            note(line)
    note(f"tieline: {text}")
    return status


def _set_up_logging(debug: bool) -> None:
    import logging

    if not debug:
        # What goes wrong is told by the command itself, once.
        logging.getLogger("tieline").addHandler(_silence())
        return
    logging.basicConfig(
        level=logging.DEBUG, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )


@cache
def _silence() -> logging.Handler:
    """One, however often a program runs commands."""
    import logging

    return logging.NullHandler()


def _show_version() -> int:
    from tieline.cli.output import standard_output
    from tieline.cli.version import version_line

    with standard_output() as output:
        output.line(version_line())
    return OK


def _flush() -> None:
    """Write what argparse has printed; quietly, when the reader has gone."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        # The interpreter would try again at its end, and complain.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
