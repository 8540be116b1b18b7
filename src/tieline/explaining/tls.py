"""TLS settings → what a session would be like, told from the very context that a dial would use."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from tieline.errors import OptionError
from tieline.explaining.explanation import TLS
from tieline.hostnames import is_address
from tieline.redact import MASK
from tieline.transport.certificates import read_client_certificate
from tieline.transport.tls import HTTP_1, build_context, sent_name
from tieline.transport.tls_settings import TLSSettings
from tieline.transport.trust import trust_problems, trust_source

_NAMES = {
    ssl.TLSVersion.TLSv1: "1.0",
    ssl.TLSVersion.TLSv1_1: "1.1",
    ssl.TLSVersion.TLSv1_2: "1.2",
    ssl.TLSVersion.TLSv1_3: "1.3",
}


def explain_tls(settings: TLSSettings, host: str, problems: list[str]) -> TLS:
    """What would fail is added to `problems`."""
    context: ssl.SSLContext | None = None
    try:
        context = build_context(settings)
    except OptionError as error:
        _note(str(error), problems)
    pins = settings.fingerprint or ()
    own = settings.context is not None
    verified = settings.verify_cert
    if context is not None:
        verified = context.verify_mode == ssl.CERT_REQUIRED
    if verified and context is not None and not context.check_hostname:
        problems.append("ssl_context: check_hostname is off, so any trusted server may answer")
    given = (settings.context, settings.ca_path, settings.ca_data)
    if settings.verify_cert and all(each is None for each in given):
        for problem in trust_problems():
            _note(problem, problems)
    name = sent_name(settings.server_hostname or host)
    return TLS(
        name=name,
        name_source="server_hostname" if settings.server_hostname else "the host",
        sends_name=not is_address(name),
        verified=verified,
        trust=_trust(settings),
        pins=(pins,) if isinstance(pins, str) else pins,
        client_certificate=_client_certificate(settings, problems),
        versions="" if context is None else _versions(context),
        alpn=None if own else (HTTP_1,),
        context="ssl_context, used as it is" if own else "",
    )


def _note(problem: str, problems: list[str]) -> None:
    """Once, also when it concerns the proxy and the server."""
    if problem not in problems:
        problems.append(problem)


def _trust(settings: TLSSettings) -> str:
    if settings.context is not None:
        return "what ssl_context trusts"
    if settings.ca_path is not None:
        return f"ssl_ca_path={str(settings.ca_path)!r}, in place of the system's store"
    if settings.ca_data is not None:
        return "ssl_ca_data, in place of the system's store"
    return trust_source()


def _versions(context: ssl.SSLContext) -> str:
    least, most = context.minimum_version, context.maximum_version
    text = f"TLS {_NAMES.get(least, 'any version')}"
    return f"{text} to {_NAMES[most]}" if most in _NAMES else f"{text} or newer"


def _client_certificate(settings: TLSSettings, problems: list[str]) -> str | None:
    if settings.context is not None:
        return None
    if settings.cert_path is not None:
        source = f"ssl_cert_path={str(settings.cert_path)!r}"
    elif settings.cert_data is not None:
        source = "ssl_cert_data"
    else:
        return None
    if settings.key_password is not None:
        source += f", its key opened by ssl_key_password={MASK}"
    try:
        found = read_client_certificate(
            (settings.cert_path, settings.cert_data), settings.key_password
        )
    except OptionError:
        return source  # build_context has said what is wrong with it
    if found is None:
        return source
    now = datetime.now(UTC)
    if found.not_after is not None and found.not_after < now:
        problems.append(f"the client certificate has expired on {found.not_after:%Y-%m-%d}")
    if found.not_before is not None and found.not_before > now:
        problems.append(f"the client certificate is not valid before {found.not_before:%Y-%m-%d}")
    return f"{found.subject or 'a certificate without a name'} ({source})"
