"""A certificate of an authority of our own → files for the server and for the clients."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """Paths of PEM files."""

    #: Of 127.0.0.1 and localhost.
    certificate: str
    key: str
    #: What clients trust.
    authority: str


@contextmanager
def new_certificate() -> Iterator[Certificate | None]:
    """Files that exist as long as the context; None where trustme is not installed."""
    try:
        import trustme
    except ImportError:
        yield None
        return
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    with tempfile.TemporaryDirectory(prefix="tieline-bench-") as folder:
        paths = {name: str(Path(folder, f"{name}.pem")) for name in ("server", "key", "authority")}
        for blob in issued.cert_chain_pems:
            blob.write_to_path(paths["server"], append=True)
        issued.private_key_pem.write_to_path(paths["key"])
        authority.cert_pem.write_to_path(paths["authority"])
        yield Certificate(paths["server"], paths["key"], paths["authority"])
