"""``python -m tieline`` → the `tieline` command."""

from __future__ import annotations

import sys

from tieline.cli import main

if __name__ == "__main__":
    sys.exit(main())
