"""Why a connection would be made in this way, and then the connection, compared with what was told.

    python examples/explain.py ws://127.0.0.1:8080/

It needs a server: `tieline serve --port 8080` is one. Nothing is sent before the report is printed;
what is wrong (a missing file, a proxy's URL that cannot be used) is at its end.
"""

from __future__ import annotations

import sys

import tieline


def main(url: str) -> None:
    found = tieline.explain(url)
    print(found)
    if found.problems:
        raise SystemExit("not worth a try: " + "; ".join(found.problems))
    with tieline.connect(url) as connection:
        peer = connection.connection_info()["peer"]
    print("connected to:", peer)
    # What it told is data too, for programs.
    expected = found.address.addresses if found.proxy is None else found.proxy.address.addresses
    print("as expected:", not expected or f"{peer[0]}:{peer[1]}" in expected)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
