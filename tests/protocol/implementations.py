"""The installed package → its Python sources and its compiled modules, loaded side by side."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import tieline
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
    storage,
)
from tieline.protocol.deflate_backend import Backend


@dataclass(frozen=True)
class Implementation:
    """The modules that exist in two ways. Each works with the others of the same way."""

    name: str
    masking: ModuleType
    decoder: ModuleType
    storage: ModuleType
    content: ModuleType
    inflater: ModuleType
    plain: ModuleType
    compressed: ModuleType
    messages: ModuleType
    inspection: ModuleType
    encoder: ModuleType

    def __str__(self) -> str:
        return self.name

    def new_inflater(self, backend: Backend, bits: int = 15, takeover: bool = True) -> Any:
        """The sources have no other kind than that for any backend."""
        if self is INSTALLED:
            return self.inflater.new_inflater(backend, bits, takeover)
        return self.inflater.Inflater(backend, bits, takeover)


_IS_PURE = str(decoder.__file__).endswith(".py")
INSTALLED = Implementation(
    "pure" if _IS_PURE else "compiled",
    masking,
    decoder,
    storage,
    content,
    inflater,
    plain,
    compressed,
    messages,
    inspection,
    encoder,
)


#: What a module imports of the others stands before it.
_IN_ORDER = (
    "masking",
    "decoder",
    "storage",
    "content",
    "inflater",
    "plain",
    "compressed",
    "messages",
    "inspection",
    "encoder",
)


def _load_sources() -> Implementation:
    """The `.py` files that lie beside the compiled modules, under names of their own."""
    folder = Path(tieline.__file__).parent / "protocol"
    loaded: dict[str, ModuleType] = {}
    # What each of them imports from the others is its like; what is for C only is not there.
    in_c = {"tieline.protocol._masking": None, "tieline.protocol._storage": None}
    with patch.dict(sys.modules, in_c):
        for name in _IN_ORDER:
            spec = importlib.util.spec_from_file_location(
                f"tieline_source_{name}", folder / f"{name}.py"
            )
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[f"tieline.protocol.{name}"] = module
            spec.loader.exec_module(module)
            loaded[name] = module
    return Implementation("source", **loaded)


#: In the pure build the installed modules are the sources.
SOURCE = INSTALLED if _IS_PURE else _load_sources()
IMPLEMENTATIONS = [SOURCE] if SOURCE is INSTALLED else [SOURCE, INSTALLED]
