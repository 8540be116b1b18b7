"""Certificates and keys, from files or memory, PEM, DER or PKCS#12 → into an `ssl.SSLContext`."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tieline.errors import OptionError
from tieline.patterns import pattern
from tieline.transport.peer_certificates import PeerCertificate, certificate_in
from tieline.transport.pkcs12 import is_pkcs12, open_pkcs12

#: A path, or the content itself: PEM as str or bytes, DER and PKCS#12 as bytes. At most one is not
#: None.
Source = tuple[str | Path | None, str | bytes | None]

_PEM = b"-----BEGIN "
_FIRST_CERTIFICATE = pattern(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")


def load_trust(context: ssl.SSLContext, path: str | Path | None, data: str | bytes | None) -> None:
    """Trust these authorities: a PEM file, a directory of them, or data. Raises OptionError."""
    if data is not None:
        _load_authorities(context, "ssl_ca_data", _pem_or_der(data))
    elif path is not None and os.path.isdir(path):
        # OpenSSL looks a directory up by hashed names (c_rehash) and ignores all others.
        context.load_verify_locations(capath=path)
        for name in sorted(Path(path).iterdir()):
            if name.suffix in (".pem", ".crt", ".cer") and name.is_file():
                _load_authorities(context, "ssl_ca_path", _pem_or_der(_read("ssl_ca_path", name)))
        if not context.cert_store_stats()["x509_ca"] and not list(Path(path).glob("*.[0-9]")):
            raise OptionError(f"ssl_ca_path: no certificates (*.pem, *.crt) in directory '{path}'")
    elif path is not None:
        _load_authorities(context, "ssl_ca_path", _pem_or_der(_read("ssl_ca_path", path)))


def _load_authorities(context: ssl.SSLContext, option: str, data: str | bytes) -> None:
    try:
        context.load_verify_locations(cadata=data)
    except (ssl.SSLError, ValueError) as error:
        raise OptionError(
            f"{option}: expected CA certificates in PEM or DER format: {_reason(error)}"
        ) from error


def load_client_certificate(
    context: ssl.SSLContext, *, cert: Source, key: Source, password: str | bytes | None
) -> None:
    """Show this certificate to servers that ask for one. Raises OptionError naming the option.

    Without a key of its own, the certificate's file or data holds the key too. PKCS#12 holds the
    certificate, its issuers and the key, and `password` is for all of it.
    """
    cert_option = _option("ssl_cert", cert)
    key_option = _option("ssl_key", key)
    if cert_option is None:
        if key_option is not None:
            raise OptionError(f"{key_option} needs ssl_cert_path or ssl_cert_data to go with it")
        return
    if (content := _pkcs12_content(cert_option, cert)) is not None:
        if key_option is not None:
            raise OptionError(
                f"{key_option}: the PKCS#12 file of {cert_option} holds its key already; leave "
                f"{key_option} out"
            )
        opened = open_pkcs12(cert_option, content, password)
        cert, password = (None, opened.pem), opened.password
    passwords = _Password(password)
    with ExitStack() as files:
        cert_file = files.enter_context(_as_file(cert_option, cert, _cert_pem))
        key_file = None
        if key_option is not None:
            key_file = files.enter_context(_as_file(key_option, key, _key_pem))
        try:
            context.load_cert_chain(cert_file, key_file, passwords.ask)
        except (ssl.SSLError, OSError, ValueError) as error:
            if key_file is None and _has_no_key(cert_file):
                own = cert_option.replace("cert", "key")
                raise OptionError(
                    f"{own}: it is missing: the certificate of {cert_option} has no private key "
                    f"beside it; give the key as {own}"
                ) from None
            # Not the cause: a traceback would show nothing that this text does not say.
            raise OptionError(
                _explained(error, passwords, cert_option, key_option or cert_option)
            ) from None


def read_client_certificate(cert: Source, password: str | bytes | None) -> PeerCertificate | None:
    """What the certificate says that `load_client_certificate` would show; None: not readable.

    For people to read. Raises OptionError as that one does.
    """
    option = _option("ssl_cert", cert)
    if option is None:
        return None
    path, data = cert
    content = _read(option, path) if path is not None else data
    content = content.encode() if isinstance(content, str) else content or b""
    if is_pkcs12(content):
        content = open_pkcs12(option, content, password).pem
    elif _PEM not in content:
        content = _cert_pem(content).encode()
    first = _FIRST_CERTIFICATE.search(content)
    if first is None:
        return None
    with _secret_file(first[0]) as name:
        return certificate_in(name)


class _Password:
    """Answers OpenSSL, which would otherwise ask on the terminal."""

    def __init__(self, password: str | bytes | None) -> None:
        self.given = password is not None
        self.asked = False
        self._password = password or ""

    def ask(self) -> str | bytes:
        self.asked = True
        return self._password


def _has_no_key(pem_file: str) -> bool:
    """Is it a certificate, and there is nothing wrong with it but that?"""
    try:
        content = Path(pem_file).read_bytes()
    except OSError:
        return False
    return b" PRIVATE KEY-----" not in content and certificate_in(pem_file) is not None


def _explained(error: Exception, passwords: _Password, cert_option: str, key_option: str) -> str:
    reason = getattr(error, "reason", None) or ""
    if "KEY_VALUES_MISMATCH" in reason or "KEY_TYPE_MISMATCH" in reason:
        return f"{key_option}: the key does not belong to the certificate of {cert_option}"
    if passwords.asked and not passwords.given:
        return f"{key_option}: the key is encrypted, ssl_key_password is needed"
    if passwords.asked:
        return f"ssl_key_password: it does not open the key of {key_option}"
    options = cert_option if key_option == cert_option else f"{cert_option} and {key_option}"
    return (
        f"{options}: expected a certificate and its private key, "
        f"in PEM, DER or PKCS#12 format: {_reason(error)}"
    )


def _option(prefix: str, source: Source) -> str | None:
    path, data = source
    if path is not None and data is not None:
        raise OptionError(f"{prefix}_path and {prefix}_data exclude each other: give one of them")
    if path is not None:
        return f"{prefix}_path"
    return None if data is None else f"{prefix}_data"


def _read(option: str, path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise OptionError(f"{option}: cannot read '{path}': {_reason(error)}") from error


def _pkcs12_content(option: str, source: Source) -> bytes | None:
    path, data = source
    content = _read(option, path) if path is not None else data
    return content if isinstance(content, bytes) and is_pkcs12(content) else None


@contextmanager
def _as_file(option: str, source: Source, to_pem: Callable[[bytes], str]) -> Iterator[str]:
    """The source as a PEM file, which is all that OpenSSL's interface in Python takes."""
    path, data = source
    if path is not None:
        content = _read(option, path)
        if _PEM in content:
            yield os.fspath(path)
            return
    else:
        content = data.encode() if isinstance(data, str) else data or b""
    if not content:
        raise OptionError(f"{option}: it is empty")
    if _PEM not in content:
        if path is None and isinstance(data, str):
            raise OptionError(f"{option}: expected PEM text (-----BEGIN ...), or DER as bytes")
        content = to_pem(content).encode()
    with _secret_file(content) as name:
        yield name


@contextmanager
def _secret_file(content: bytes) -> Iterator[str]:
    """A file that only this user can read and that is gone afterwards, in memory if possible."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("tieline", os.MFD_CLOEXEC)
        with open(descriptor, "wb", buffering=0) as file:
            file.write(content)
            yield f"/proc/self/fd/{descriptor}"
        return
    import tempfile  # only where there are no files in memory

    descriptor, name = tempfile.mkstemp(prefix="tieline-")  # mode 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        yield name
    finally:
        os.unlink(name)


def _pem_or_der(data: str | bytes) -> str | bytes:
    """As `load_verify_locations` tells the two formats apart: str for PEM, bytes for DER."""
    if isinstance(data, bytes) and _PEM in data:
        # Comments between certificates may be in any encoding; the certificates are ASCII.
        return data.decode("ascii", "replace").replace("\ufffd", "?")
    return data


def _cert_pem(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)


def _key_pem(der: bytes) -> str:
    body = base64.encodebytes(der).decode("ascii")
    label = _key_label(der)
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"


def _key_label(der: bytes) -> str:
    """Which of the four kinds of key structure this is, told by the tags of its first fields."""
    # SEQUENCE, its length (one byte, or 0x80 + how many follow), then the first field.
    length_bytes = der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0
    fields = der[2 + length_bytes :]
    if fields[:1] == b"\x30":
        return "ENCRYPTED PRIVATE KEY"  # PKCS #8 (RFC 5958): an AlgorithmIdentifier
    # INTEGER version, in three bytes, then:
    kind = fields[3:4]
    if kind == b"\x02":
        return "RSA PRIVATE KEY"  # PKCS #1 (RFC 8017): the modulus
    if kind == b"\x04":
        return "EC PRIVATE KEY"  # SEC 1 (RFC 5915): an OCTET STRING
    return "PRIVATE KEY"  # PKCS #8: an AlgorithmIdentifier


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.args[-1])
    return getattr(error, "strerror", None) or str(error)
