"""What is called from C here → each of it with the face of the `zlib` module."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest


def _found() -> dict[str, Any]:
    try:
        in_c = import_module("tieline.protocol._zlib")
    except ImportError:
        return {}
    faces: dict[str, Any] = {"zlib": in_c}
    try:
        face = in_c.face_of_zlib_ng(import_module("zlib_ng.zlib_ng"))
    except ImportError:
        return faces
    return faces if face is None else faces | {"zlib-ng": face}


_FACES = _found()
FACES = list(_FACES.values())
each_face = pytest.mark.parametrize("face", FACES, ids=list(_FACES))
