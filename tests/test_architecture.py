"""The rules that hold the house together: who imports whom, how long a file is, what is public."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tieline
import tieline.errors
from tieline.testing import EchoServer

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "tieline"
TESTS = ROOT / "tests"

#: The fixed public contract. Whoever changes this list changes what users were promised.
PUBLIC_NAMES = {
    "__version__",
    # clients
    "Connection",
    "MessageStream",
    "aio",
    "connect",
    "explain",
    "Reactor",
    "State",
    "WebSocketClient",
    # options
    "Basic",
    "Bearer",
    "Challenge",
    "Deflate",
    "Digest",
    "Options",
    "Reconnect",
    # results
    "Close",
    "CloseInfo",
    "Explanation",
    "Frame",
    "FrameAction",
    "HandshakeResponse",
    "PingWaiter",
    "Receipt",
    "ReconnectAttempt",
    "Stats",
    "Subscription",
    # numbers of RFC 6455
    "CloseCode",
    "Opcode",
    # errors
    "ConnectCancelled",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionClosed",
    "HandshakeError",
    "MessageTooBig",
    "OptionError",
    "ProtocolError",
    "ProxyError",
    "ResolveError",
    "SendBufferFull",
    "SendTimeout",
    "TLSError",
    "TooManyRedirects",
    "WebSocketError",
}

#: One screen per idea: a longer file holds more than one.
LINE_LIMIT = 350

#: Modules without a test file of their own, and where they are tested.
MIRRORED_ELSEWHERE = {
    "__init__.py": "its names are pinned here",
    "__main__.py": "tests/cli runs the command as a program",
    "_version.py": "tests/test_build.py",
}


def source_files(*endings: str) -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*") if path.suffix in endings)


def test_imports_point_one_way() -> None:
    # In a process of its own: the linter sets up logging, which switches our loggers off.
    command = "from importlinter.cli import lint_imports; exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_loads_nothing_of_the_outside_world(
    modules_loaded_by: Callable[[str], set[str]],
) -> None:
    loaded = modules_loaded_by("import tieline.protocol.connection")

    assert loaded & {"socket", "ssl", "threading", "selectors", "asyncio", "logging"} == set()


#: What takes long to load and what few programs use; each client loads it when it is needed.
LATE = {
    "asyncio",
    "base64",
    "concurrent.futures",
    "cryptography",
    "difflib",
    "email",
    "h11",
    "hashlib",
    "http.client",
    "http.cookiejar",
    "idna",
    "importlib.metadata",
    "ipaddress",
    "json",
    "logging",
    "random",
    "ssl",
    "tempfile",
    "tieline.auth",
    "tieline.engine.cookies",
    "tieline.engine.stream_delivery",
    "tieline.events",
    "tieline.explaining",
    "tieline.http1",
    "tieline.transport.no_proxy",
    "tieline.transport.proxy",
    "tieline.transport.tls",
    "tieline.transport.tunnel",
    "traceback",
    "urllib.parse",
    "urllib.request",
}

#: What a client cannot do without, and what that loads in turn: it is not the same in every Python.
NEEDED = "import contextlib, queue, select, selectors, socket, threading, warnings, weakref, zlib"


@pytest.fixture(scope="module")
def late(modules_loaded_by: Callable[[str], set[str]]) -> set[str]:
    return LATE - modules_loaded_by(NEEDED)


@pytest.mark.parametrize(
    "name", ["WebSocketClient", "connect", "Options", "Reactor", "WebSocketError"]
)
def test_a_client_loads_what_it_needs_when_it_needs_it(
    name: str, late: set[str], modules_loaded_by: Callable[[str], set[str]]
) -> None:
    assert modules_loaded_by(f"import tieline; tieline.{name}") & late == set()


def test_making_a_client_loads_no_more(
    late: set[str], modules_loaded_by: Callable[[str], set[str]]
) -> None:
    made = "import tieline; tieline.WebSocketClient(print, 'ws://example.com/', proxy=None)"
    assert modules_loaded_by(made) & late == set()


def test_the_asyncio_front_adds_nothing_to_asyncio_but_itself(
    late: set[str], modules_loaded_by: Callable[[str], set[str]]
) -> None:
    loaded = modules_loaded_by("from tieline.aio import connect")
    assert loaded & late - modules_loaded_by("import asyncio") == set()


def test_a_connection_loads_only_what_it_needs(
    late: set[str], modules_loaded_by: Callable[[str], set[str]]
) -> None:
    """From the import to the end: the first connection has little left to load."""
    with EchoServer() as server:
        said = "ws.send('a'); assert ws.recv() == 'a'; ws.close()"
        loaded = modules_loaded_by(
            f"from tieline import connect; ws = connect({server.url!r}, compression=None); {said}"
        )
    assert loaded & late == {"hashlib"}  # for the proof that the server has read the key


def test_the_package_itself_loads_hardly_anything(
    modules_loaded_by: Callable[[str], set[str]],
) -> None:
    ours = {name for name in modules_loaded_by("import tieline") if name.startswith("tieline")}
    assert ours <= {"tieline", "tieline._version"}


def test_public_names_are_the_promised_ones() -> None:
    assert set(tieline.__all__) == PUBLIC_NAMES
    assert len(tieline.__all__) == len(PUBLIC_NAMES)


@pytest.mark.parametrize("name", sorted(PUBLIC_NAMES))
def test_public_name_can_be_imported(name: str) -> None:
    assert getattr(tieline, name) is not None
    assert name in dir(tieline)


def test_every_error_is_public() -> None:
    raised = {
        name
        for name, value in vars(tieline.errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert raised - PUBLIC_NAMES == set()


def test_unknown_name_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = tieline.no_such_name


def test_files_are_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in source_files(".py", ".pyx", ".pxd")
    }
    assert {name: n for name, n in lengths.items() if n > LINE_LIMIT} == {}


def test_every_file_says_what_it_turns_into_what() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in source_files(".py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_every_module_has_its_test_file() -> None:
    missing = []
    for path in source_files(".py"):
        if path.name in MIRRORED_ELSEWHERE:
            continue
        mirror = TESTS / path.relative_to(SOURCE).with_name(f"test_{path.name}")
        if not mirror.exists():
            missing.append(str(mirror.relative_to(ROOT)))
    assert missing == []


def test_every_typed_core_module_is_built() -> None:
    """A .pxd changes nothing unless setup.py compiles the .py beside it."""
    cython = {path for path in source_files(".pyx")}
    python = {path.with_suffix(".py") for path in source_files(".pxd")} & set(source_files(".py"))
    typed = {path.relative_to(SOURCE).as_posix() for path in cython | python}
    setup = ast.parse((ROOT / "setup.py").read_text())
    built = [
        source
        for node in setup.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) in ("SOURCES", "LANES", "LINES")
        for source in ast.literal_eval(node.value)
    ]
    assert set(built) == typed


def test_what_stays_python_without_the_gil_is_used_by_nothing_compiled() -> None:
    """A build that leaves setup.py's LINES out has to work: nobody else may want their C types."""
    setup = (ROOT / "setup.py").read_text()
    lines = re.findall(r'"(.*?)\.py"', setup.split("LINES = [")[1].split("]")[0])
    names = "|".join(Path(line).name for line in lines)
    wants = re.compile(rf"tieline\.(engine\.)?({names}) cimport|cimport .*\b({names})\b")
    others = [
        path
        for path in source_files(".pxd") + source_files(".pyx")
        if path.relative_to(SOURCE).with_suffix("").as_posix() not in lines
    ]
    assert len(lines) == 10
    assert [path.name for path in others if wants.search(path.read_text())] == []


def sleeps(path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep")
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "time"
            and any(name.name == "sleep" for name in node.names)
        )
    ]


def test_nothing_sleeps() -> None:
    """Waits end when what they wait for happens, or at a deadline; tests step the clock."""
    # Installed Node packages bring Python files of their own.
    tests = [path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts]
    found = [place for path in source_files(".py") + sorted(tests) for place in sleeps(path)]
    assert found == []
