"""The words of a shell → the command, its URL and options, or one line that says what is wrong."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import NoReturn

from tieline.cli.status import usage_error
from tieline.redact import safe_url

_STATUSES = """\
exit status:
  0    as it should; also when the reader of the output has gone
  1    no connection came about, or the input or output cannot be used
  2    the words of the command cannot be used
  3    the connection ended otherwise than orderly, or an awaited answer did not come
  130  Ctrl-C (129: SIGHUP, 143: SIGTERM)
"""


class _Parser(argparse.ArgumentParser):
    """Errors are one line, and hold no password: "tieline ws://user:password@host" is one."""

    def error(self, message: str) -> NoReturn:
        usage_error(f"{safe_url(message)}; see {self.prog} --help")


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command in ``command``, and the command's arguments. Raises `CommandError`."""
    parser = _command_line()
    arguments, unknown = parser.parse_known_args(words)
    arguments.debug = getattr(arguments, "debug", False)
    if unknown:
        # The value of a misspelt "--token" is a secret: names of options only.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        what = f"unknown option {names[0]}" if names else "too many arguments"
        usage_error(f"{what}; see tieline {arguments.command or ''} --help".replace("  ", " "))
    if arguments.command is None and not arguments.version:
        parser.error("expected a command: connect, listen, send, explain, serve or demo")
    return arguments


def _command_line() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        # Both "tieline --debug send" and "tieline send --debug": only a given one is stored.
        default=argparse.SUPPRESS,
        help="log every step to standard error, and show tracebacks",
    )
    parser = _Parser(
        prog="tieline",
        description="Talk to a WebSocket server from a terminal or a script.",
        epilog=_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="store_true",
        help="versions of tieline (compiled or pure) and of what it stands on",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            parents=[common],
            allow_abbrev=False,
        )

    _connect(command("connect", "send each line of the input, print each message that comes"))
    _listen(command("listen", "print each message that comes, one a line"))
    _send(command("send", "send messages, and wait for answers if asked to"))
    _explain(command("explain", "tell how a connection would be made, and why so, and make none"))
    _serve(command("serve", "run a server that sends every message back"))
    command("demo", "show the client against a server of its own, in two seconds")
    return parser


def _connect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="such as wss://example.com/feed")
    parser.add_argument(
        "--binary", action="store_true", help="send lines as binary messages, bytes unchanged"
    )
    parser.add_argument(
        "--wait",
        type=_wait,
        default=1.0,
        metavar="S",
        help="when the input is a pipe or file and has ended: close once no message has come for "
        "S seconds (default: 1; inf: when the server closes)",
    )
    _connection(parser)


def _listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="such as wss://example.com/feed")
    parser.add_argument(
        "--json",
        action="store_true",
        help='print {"time": seconds since 1970, "type": "text" or "binary", "data": ...}; '
        "binary data as base64",
    )
    parser.add_argument("--count", type=_count, metavar="N", help="close after N messages")
    parser.add_argument("--duration", type=_seconds, metavar="S", help="close after S seconds")
    _connection(parser)


def _send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="such as wss://example.com/feed")
    parser.add_argument(
        "messages", metavar="MESSAGE", nargs="+", help="what to send; after -- it may begin with -"
    )
    parser.add_argument("--binary", action="store_true", help="send binary messages, not text")
    parser.add_argument(
        "--expect", type=_count, default=0, metavar="N", help="print N answers before closing"
    )
    parser.add_argument(
        "--wait",
        type=_wait,
        default=10.0,
        metavar="S",
        help="seconds for the expected answers to come (default: 10)",
    )
    _connection(parser)


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="such as wss://example.com/feed")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument(
        "--resolve", action="store_true", help="look up names; otherwise nothing goes out"
    )
    _connection(parser)


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=_port, default=0, help="port to listen on (default: a free one)"
    )
    parser.add_argument("--cert", metavar="FILE", help="certificate with its chain, PEM: serve wss")
    parser.add_argument("--key", metavar="FILE", help="its private key, unless it is in --cert")


def _connection(parser: argparse.ArgumentParser) -> None:
    request = parser.add_argument_group("request")
    request.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'N: V'",
        help="an extra header; may be repeated",
    )
    request.add_argument(
        "--subprotocol",
        action="append",
        default=[],
        metavar="P",
        help="a subprotocol to offer, the preferred one first; may be repeated",
    )
    request.add_argument("--origin", metavar="O", help="the Origin header")
    request.add_argument(
        "--cookie",
        action="append",
        default=[],
        metavar="'N=V'",
        help="a cookie for the URL's origin; may be repeated (see --cookie-file)",
    )
    request.add_argument(
        "--cookie-file",
        metavar="FILE",
        help="cookies in Netscape's format, as curl and browsers write it; those that are for the "
        "URL are sent, and the file stays as it is",
    )
    request.add_argument(
        "--user",
        metavar="USER[:PASS]",
        help="basic or, where the server asks for it, digest authentication; without PASS it is "
        "asked for. Other users of the machine can see the words of a command",
    )
    request.add_argument(
        "--netrc", action="store_true", help="user and password from the file ~/.netrc, or $NETRC"
    )
    request.add_argument("--token", metavar="T", help="Authorization: Bearer T (see --token-file)")
    request.add_argument("--token-file", metavar="FILE", help="the file that holds the token")
    request.add_argument(
        "--no-compression", action="store_true", help="do not offer to compress messages"
    )
    route = parser.add_argument_group("route")
    route.add_argument(
        "--proxy",
        metavar="URL",
        help="http://, https:// or, with the extra 'socks', socks5h:// and the like (default: what "
        "the environment says)",
    )
    route.add_argument(
        "--proxy-user",
        metavar="USER[:PASS]",
        help="who we are for the HTTP proxy; without PASS it is asked for",
    )
    route.add_argument(
        "--no-proxy", action="store_true", help="no proxy, whatever the environment says"
    )
    route.add_argument("--unix-socket", metavar="PATH", help="connect to this socket")
    tls = parser.add_argument_group("TLS")
    tls.add_argument("--ca", metavar="FILE", help="certificates to trust, not the system's")
    tls.add_argument("--cert", metavar="FILE", help="client certificate with its chain, PEM")
    tls.add_argument("--key", metavar="FILE", help="its private key, unless it is in --cert")
    tls.add_argument(
        "--server-hostname", metavar="NAME", help="that the certificate must be for, not the URL's"
    )
    tls.add_argument(
        "--fingerprint", metavar="SHA256", help="that the server's certificate must have"
    )
    tls.add_argument(
        "--insecure", action="store_true", help="do not verify the server: anyone may be it"
    )
    times = parser.add_argument_group("time, seconds")
    times.add_argument(
        "--timeout", type=_seconds, metavar="S", help="to get connected in all (default: 30)"
    )
    times.add_argument(
        "--ping-interval",
        type=_wait,
        metavar="S",
        help="of silence before a ping (default: 20; 0: no pings)",
    )


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    return number


def _seconds(word: str) -> float:
    number = _number(word)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {word!r}")
    return number


def _wait(word: str) -> float:
    number = _number(word)
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, 0 or more, got {word!r}")
    return number


def _count(word: str) -> int:
    if not (word.isdecimal() and int(word) > 0):
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, got {word!r}")
    return int(word)


def _port(word: str) -> int:
    if not (word.isdecimal() and int(word) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a port, 0 to 65535, got {word!r}")
    return int(word)
