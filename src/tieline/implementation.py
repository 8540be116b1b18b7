"""What is loaded of the core → one word: compiled or pure."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from types import FunctionType
from typing import Literal

from tieline.protocol import (
    compressed,
    content,
    decoder,
    encoder,
    inflater,
    inspection,
    masking,
    messages,
    plain,
)


def implementation() -> Literal["compiled", "pure"]:
    """ "compiled" when the hot path runs as C, "pure" when it is the Python sources.

    It looks at what this process has really loaded. The build makes all modules or none.
    """
    modules = (decoder, encoder, content, inflater, plain, compressed, messages, inspection)
    files = [str(module.__file__) for module in modules]
    compiled = all(name.endswith(tuple(EXTENSION_SUFFIXES)) for name in files)
    # masking.py itself is Python in both cases; what counts is whose function it found.
    # A compiled function has a `__code__` too, but is no FunctionType.
    masks_in_c = not isinstance(masking.apply_mask, FunctionType)
    return "compiled" if compiled and masks_in_c else "pure"
