"""Turns the hot modules of tieline into C extensions, or leaves them the Python they are.

TIELINE_PURE=1 builds none. TIELINE_REQUIRE_COMPILED=1 makes a failure to build fatal.
By default a failure (no compiler, no Python.h, no Cython) is reported and the package is pure.
"""

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PURE = os.environ.get("TIELINE_PURE", "0") not in ("", "0")
REQUIRED = os.environ.get("TIELINE_REQUIRE_COMPILED", "0") not in ("", "0")
SOURCES = [
    "protocol/decoder.py",
    "protocol/content.py",
    "protocol/inflater.py",
    "protocol/plain.py",
    "protocol/compressed.py",
    "protocol/messages.py",
    "protocol/inspection.py",
    "protocol/encoder.py",
    "protocol/close.py",
    "protocol/closing.py",
    "protocol/keepalive.py",
    "protocol/upkeep.py",
    "protocol/_masking.pyx",
    "protocol/_storage.pyx",
    "protocol/_deflate_library.pyx",
    "protocol/_compress.pyx",
    "protocol/_zlib.pyx",
    "protocol/outgoing.py",
    "protocol/connection.py",
    "protocol/handshake.py",
    "protocol/opening.py",
    "protocol/endpoints.py",
    "upgrade_exchange.py",
    "call_memory.py",
    "engine/_lock.pyx",
    "engine/holding.py",
    "engine/short_way.py",
    "engine/callbacks.py",
    "engine/delivery.py",
    "engine/stock.py",
    "engine/inbox.py",
    "engine/timers.py",
    "engine/clock_watch.py",
    "engine/descriptors.py",
    "engine/receive_buffer.py",
    "engine/served.py",
    "engine/reactor.py",
    "engine/driving.py",
    "engine/outbox.py",
    "engine/writer.py",
    "engine/admission.py",
    "engine/sender.py",
    "transport/timings.py",
    "engine/log.py",
    "engine/telling.py",
    "engine/turn.py",
    "engine/dispatch.py",
    "engine/speaker.py",
    "engine/pump.py",
    "engine/deadline.py",
    "engine/liveness.py",
    "engine/lane.py",
    "engine/session_calls.py",
    "engine/random_bytes.py",
    "engine/session.py",
    "engine/quiet_close.py",
    "engine/forkables.py",
    "transport/attempt.py",
    "transport/stream.py",
    "transport/tls_stream.py",
    "transport/connecting_socket.py",
    "transport/dial.py",
    "transport/exchange.py",
    "engine/route.py",
    "engine/handlers.py",
    "engine/record.py",
    "engine/upgrade.py",
    "engine/connecting.py",
    "engine/dial.py",
    "aio/arrivals.py",
    "aio/at_once.py",
    "aio/watching.py",
    "aio/short_calls.py",
]
# They want the headers of zlib, and `protocol.deflate_backend` can do without them.
WITH_ZLIB = ("protocol/_deflate_library.pyx", "protocol/_compress.pyx", "protocol/_zlib.pyx")
# System calls of Linux: elsewhere there is no short way, and `engine.lane` says so.
LANES = [
    "engine/_runs.pyx",
    "engine/_run_buffer.pyx",
    "engine/_run_lane.pyx",
    "engine/_send_lane.pyx",
    "engine/_read_lane.pyx",
    "engine/_inbox_lane.pyx",
    "engine/_handler_lane.pyx",
]
if sys.platform == "linux":
    SOURCES += LANES
# What the line knows of its connections is replaced on one thread and read on others, without a
# lock. Where the interpreter has none either, only Python's own attributes bear that: there these
# modules stay Python.
LINES = [
    "engine/recorder.py",
    "engine/outage.py",
    "engine/recovery.py",
    "engine/succession.py",
    "engine/complaints.py",
    "engine/aftermath.py",
    "engine/line.py",
    "engine/supervisor.py",
    "engine/receiving.py",
    "short_calls.py",
]
if not sysconfig.get_config_var("Py_GIL_DISABLED"):
    SOURCES += LINES
FLAGS = [] if sys.platform == "win32" else ["-O2", "-g0", "-Wsign-compare"]
if sys.platform == "linux":
    # What runs once in a connection's life waits for its own instructions to be loaded. There are
    # fewer without a linker's stubs, and with what only errors need somewhere else.
    FLAGS += ["-fno-plt", "-include", "src/tieline/_cold.h"]

DIRECTIVES = {
    "language_level": 3,
    "freethreading_compatible": True,
    # Functions and methods like those of C: quicker to make and to call. Where users look at
    # signatures, the module's head says otherwise, or embeds them.
    "binding": False,
    # Nothing that is compiled is ever pickled.
    "auto_pickle": False,
}

if PURE and REQUIRED:
    sys.exit("tieline build: TIELINE_PURE and TIELINE_REQUIRE_COMPILED exclude each other")


class BuildAllOrNone(build_ext):
    """Extensions import each other's C types, so a mixture of compiled and pure cannot run."""

    def run(self):
        try:
            # An extension left beside its source would hide every later edit of that source.
            if self.editable_mode and not REQUIRED:
                raise RuntimeError("an editable install stays pure")
            from Cython.Build import cythonize

            translated = cythonize(
                self.extensions,
                build_dir="build/cython",
                include_path=["src"],
                compiler_directives=DIRECTIVES,
            )
            for extension, with_c_source in zip(self.extensions, translated, strict=True):
                extension.sources = with_c_source.sources
            self.parallel = os.cpu_count()
            super().run()
        except Exception as error:  # whatever it is: the Python sources work without it
            if REQUIRED:
                print(f"tieline build: not compiled, because: {error}", file=sys.stderr)
                raise
            for built in self.get_outputs():
                Path(built).unlink(missing_ok=True)
            self.extensions = []
            print(f"tieline build: pure, because: {error}", file=sys.stderr)


setup(
    cmdclass={"build_ext": BuildAllOrNone},
    ext_modules=[
        Extension(
            "tieline." + source.partition(".")[0].replace("/", "."),
            [f"src/tieline/{source}"],
            extra_compile_args=FLAGS,
            libraries=["z"] if source in WITH_ZLIB else [],
            optional=source in WITH_ZLIB,
        )
        for source in ([] if PURE else SOURCES)
    ],
)
