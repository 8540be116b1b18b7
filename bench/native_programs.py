"""The C sources in `bench/native` → programs, compiled when they are first needed.

They go into `bench/built`, in a folder named by the hash of everything they are made from: nothing
stale can run, and two processes that build at once do no harm. Linux only (epoll, /proc).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent / "native"
_BUILT = Path(__file__).parent / "built"
_FLAGS = ["-O3", "-g", "-std=gnu11", "-Wall", "-Wextra"]
_LIBRARIES = ["-lssl", "-lcrypto", "-lz", "-lpthread"]
_SERVER = ["server.c", "upgrade.c", "talk.c", "counting.c", "idle.c", "prepared.c"]
#: The name of a program → its sources, and how it is built beyond what all are.
_PROGRAMS: dict[str, tuple[list[str], list[str]]] = {
    "server": (_SERVER, ["-march=native"]),
    "limit": (["limit.c"], ["-march=native"]),
    "probe": (["probe.c"], []),
    "cpython_floor.so": (["floor.c"], ["-march=native", "-shared", "-fPIC"]),
    # valgrind does not know every instruction of new processors.
    "marks.so": (["marks.c"], ["-shared", "-fPIC"]),
}
#: Seconds for one compilation.
_PATIENCE = 120
_ADVICE = (
    "The server and the limits are C programs, and need a compiler and the headers of Python, "
    "OpenSSL and zlib (Debian and Ubuntu: apt-get install gcc libc6-dev python3-dev libssl-dev "
    "zlib1g-dev)."
)


class CannotBuild(RuntimeError):
    """Says what is missing, and how to get it."""


@cache
def built(program: str) -> Path:
    """The program, compiled by now. Raises `CannotBuild`."""
    if sys.platform != "linux":
        raise CannotBuild(f"bench needs Linux (epoll, /proc), this is {sys.platform}")
    compiler = _compiler()
    sources, flags = _PROGRAMS[program]
    folder = _BUILT / _fingerprint(compiler)
    done = folder / program
    if done.exists():
        return done
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{program}.{os.getpid()}"
    command = [*compiler, *_FLAGS, *flags, f"-I{sysconfig.get_path('include')}"]
    command += [str(SOURCES / source) for source in sources]
    command += ["-o", str(unfinished), *_LIBRARIES]
    result = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    if result.returncode:
        unfinished.unlink(missing_ok=True)
        first = next((line for line in result.stderr.splitlines() if "error" in line), "no message")
        raise CannotBuild(f"{program} cannot be built: {first}\n{_ADVICE}")
    unfinished.replace(done)
    return done


def loaded(extension: str) -> Any:
    """The extension module for Python with this name, built and imported. Raises `CannotBuild`."""
    path = built(f"{extension}.so")
    specification = importlib.util.spec_from_file_location(extension, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _compiler() -> list[str]:
    words = os.environ.get("CC", "cc").split()
    if not words or shutil.which(words[0]) is None:
        raise CannotBuild(f"no C compiler {' '.join(words)!r} found. {_ADVICE}")
    return words


def _fingerprint(compiler: list[str]) -> str:
    version = subprocess.run([*compiler, "--version"], capture_output=True, timeout=_PATIENCE)
    content = hashlib.sha256(version.stdout)
    # -march=native: a folder that was copied to another machine is not to be used there.
    how = f"{compiler} {_FLAGS} {_PROGRAMS} {_LIBRARIES}"
    content.update(f"{how} {sys.version} {_processor()}".encode())
    for source in sorted(SOURCES.iterdir()):
        content.update(source.name.encode() + b"\0" + source.read_bytes())
    return content.hexdigest()[:16]


def _processor() -> str:
    """What tells processors of different abilities apart."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
