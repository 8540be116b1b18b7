"""The process that asks → its resident memory, now and at its peak. On Linux."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc/self")


def resident_bytes() -> int:
    return _status("VmRSS")


def forget_peak() -> None:
    """Let the peak begin anew."""
    (_PROC / "clear_refs").write_text("5")


def peak_bytes() -> int:
    """Since `forget_peak`, or since the process began."""
    return _status("VmHWM")


def _status(field: str) -> int:
    for line in (_PROC / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.removesuffix("kB")) * 1024
    raise LookupError(f"/proc/self/status has no line {field}: not a Linux of today")
