"""The bytes of a PKCS#12 file (.p12, .pfx; RFC 7292) → certificate, chain and key for OpenSSL.

Python's ssl module does not read them, so this takes `cryptography`, which `tieline[pkcs12]`
brings. It is loaded when there is such a file to read.
"""

from __future__ import annotations

import secrets
from importlib import import_module
from typing import Any, NamedTuple

from tieline.errors import OptionError


class Opened(NamedTuple):
    """PEM: the certificate, its issuers and the key, which `password` decrypts."""

    pem: bytes
    password: str

    def __repr__(self) -> str:
        return "Opened(...)"


def is_pkcs12(content: bytes) -> bool:
    """Told by the first fields: SEQUENCE { INTEGER 3, SEQUENCE ... }; a certificate has no number.

    Both definite lengths and the indefinite one of BER (0x80) are in use.
    """
    length_bytes = content[1] & 0x7F if len(content) > 1 and content[1] & 0x80 else 0
    fields = content[2 + length_bytes :]
    return content[:1] == b"\x30" and fields[:4] == b"\x02\x01\x03\x30"


def open_pkcs12(option: str, content: bytes, password: str | bytes | None) -> Opened:
    """Raises OptionError that names the option, or ssl_key_password."""
    try:
        pkcs12 = import_module("cryptography.hazmat.primitives.serialization.pkcs12")
        serialization = import_module("cryptography.hazmat.primitives.serialization")
    except ImportError as error:
        raise OptionError(
            f"{option}: this is PKCS#12 (.p12, .pfx), which needs the package cryptography: "
            "pip install 'tieline[pkcs12]'; or make it PEM: "
            "openssl pkcs12 -in FILE -out client.pem"
        ) from error
    found = _load(pkcs12, option, content, password)
    if found.key is None or found.cert is None:
        raise OptionError(
            f"{option}: expected a certificate and its private key in the PKCS#12 file, got "
            f"{'no certificate' if found.cert is None else 'no private key'}"
        )
    # Whatever way the key takes to OpenSSL, it is not readable on it.
    one_time = secrets.token_hex(32)
    pem = serialization.Encoding.PEM
    key = found.key.private_bytes(
        pem,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(one_time.encode()),
    )
    certificates = [found.cert, *found.additional_certs]
    parts = [each.certificate.public_bytes(pem) for each in certificates]
    return Opened(b"".join([*parts, key]), one_time)


def _load(pkcs12: Any, option: str, content: bytes, password: str | bytes | None) -> Any:
    given = password.encode() if isinstance(password, str) else password
    try:
        try:
            return pkcs12.load_pkcs12(content, given)
        except ValueError:
            # Some programs write "no password" as an empty one, which is another key.
            if given is not None:
                raise
            return pkcs12.load_pkcs12(content, b"")
    except Exception as error:
        # Without the cause, whose traceback would show nothing that this text does not say. What
        # cryptography raises is ValueError for both, a wrong password and broken data, and
        # exceptions of its own for old ciphers.
        if isinstance(error, ValueError):
            if password is None:
                text = f"{option}: the PKCS#12 file is encrypted, ssl_key_password is needed"
            else:
                text = (
                    f"ssl_key_password: it does not open the PKCS#12 file of {option}, or the file "
                    "is damaged"
                )
        else:
            text = (
                f"{option}: the PKCS#12 file uses what this version of cryptography does not have "
                f"({type(error).__name__}); export it anew, with AES"
            )
        raise OptionError(text) from None
