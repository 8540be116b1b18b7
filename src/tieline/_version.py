"""The version, once: read by the build without importing the package, and by ``--version``."""

from __future__ import annotations

__version__ = "0.1.0"
