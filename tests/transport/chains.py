"""Certificates with one fault each → a chain that a test's server shows."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass
class Issued:
    """A certificate, its key, and those that have issued it."""

    certificate: x509.Certificate
    key: Any
    above: list[Issued] = field(default_factory=list)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def server_context(self) -> ssl.SSLContext:
        """Shows it, and those above it but for the last, which clients have."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # servers do show what nobody should take
        with TemporaryDirectory() as folder:
            file = Path(folder) / "chain.pem"
            chain = [self, *self.above[:-1]]
            file.write_bytes(self.key_pem + b"".join(each.pem for each in chain))
            context.load_cert_chain(file)
        return context


def issue(
    name: str | None = "localhost",
    by: Issued | None = None,
    *,
    is_authority: bool = False,
    path_length: int | None = None,
    hosts: tuple[str, ...] = ("localhost",),
    lasts: tuple[timedelta, timedelta] = (-DAY, DAY),
    key: Any = None,
    digest: Any = None,
    usage: Any = None,
    extensions: tuple[x509.ExtensionType, ...] = (),
) -> Issued:
    """`by` None: signed by itself. `lasts` is counted from now; `usage` the extended one."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    issuer = subject if by is None else by.certificate.subject
    signer = key if by is None else by.key
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + lasts[0])
        .not_valid_after(now + lasts[1])
        .add_extension(x509.BasicConstraints(is_authority, path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if is_authority:
        allowed = {name: False for name in _USAGES} | {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**allowed), critical=True)
    elif hosts:
        names = [_general_name(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not name)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    certificate = builder.sign(signer, digest or hashes.SHA256())
    return Issued(certificate, key, [] if by is None else [by, *by.above])


def revoking(authority: Issued, *revoked: Issued, lasts: tuple[timedelta, timedelta]) -> bytes:
    """The authority's list of what it has revoked, in PEM."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now + lasts[0])
        .next_update(now + lasts[1])
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, now + lasts[0])
        builder = builder.add_revoked_certificate(entry.build())
    signed = builder.sign(authority.key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


FOR_CLIENTS = ExtendedKeyUsageOID.CLIENT_AUTH

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
