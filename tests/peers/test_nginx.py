"""wss through nginx, on every front: what is trusted, who the client is, what nginx answers."""

from __future__ import annotations

import base64
import hashlib
import ssl
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

import tieline
from tests.peers.fronts import Line
from tests.peers.nginx import Nginx, tls_directives
from tests.peers.processes import Peer

pytestmark = pytest.mark.peers

KEY_PASSWORD = "correct horse"


class Site:
    """nginx with several names for one upstream, and the files that its clients need."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.folder = folder
        self.upstream = Peer("websockets-sync")
        authority.cert_pem.write_to_path(folder / "ca.pem")
        trustme.CA().cert_pem.write_to_path(folder / "other-ca.pem")
        server = authority.issue_cert("localhost", "127.0.0.1")
        server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        der = ssl.PEM_cert_to_DER_cert(server.cert_chain_pems[0].bytes().decode())
        self.fingerprint = hashlib.sha256(der).hexdigest()
        self.client_certificate = authority.issue_cert("client@example.com")
        self._write_client_files()
        digest = base64.b64encode(hashlib.sha1(b"open sesame").digest()).decode()
        (folder / "passwords").write_text(f"Aladdin:{{SHA}}{digest}\n")
        tls = tls_directives(folder, self.upstream.port)
        try:
            self.nginx = Nginx(
                {
                    "tls": tls,
                    "tls12": tls + "ssl_protocols TLSv1.2;",
                    "mutual": tls
                    + f"ssl_client_certificate {folder}/ca.pem; ssl_verify_client on;",
                    "private": f"{tls} auth_basic peers; auth_basic_user_file {folder}/passwords;",
                    "plain": f"location / {{ proxy_pass http://127.0.0.1:{self.upstream.port}; }}",
                    "moving": f"""
                        location /moved {{ return 301 /echo?$args; }}
                        location /elsewhere {{ return 308 https://$arg_to/echo?$arg_key; }}
                        location /downgrade {{ return 302 http://$arg_to/echo; }}
                        location /round {{ return 302 /about; }}
                        location /about {{ return 302 /round; }}
                        location /cookies {{
                            add_header Set-Cookie "seen=yes; Path=/; Secure; HttpOnly" always;
                            add_header Set-Cookie "other=1; Path=/elsewhere" always;
                            if ($http_cookie = "seen=yes") {{ return 302 /echo?$args; }}
                            return 302 /cookies?$args;
                        }}
                        location /busy {{
                            add_header Retry-After 7 always;
                            return 503 "come back later";
                        }}
                        location /missing {{ return 404; }}
                        location /not-upgraded {{ return 200 "a page"; }}
                        {tls}
                    """,
                    "no-upstream": tls_directives(folder, 1),
                }
            )
        except BaseException:
            self.upstream.stop()
            raise

    def _write_client_files(self) -> None:
        certificate = self.client_certificate
        certificate.cert_chain_pems[0].write_to_path(self.folder / "client.crt")
        certificate.private_key_pem.write_to_path(self.folder / "client.key")
        certificate.private_key_and_cert_chain_pem.write_to_path(self.folder / "client.pem")
        key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
        self.encrypted_key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(KEY_PASSWORD.encode()),
        )
        (self.folder / "client-encrypted.key").write_bytes(self.encrypted_key)

    def url(self, name: str, path: str, host: str = "localhost") -> str:
        scheme = "ws" if name == "plain" else "wss"
        return f"{scheme}://{host}:{self.nginx.ports[name]}{path}"

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def stop(self) -> None:
        self.nginx.stop()
        self.upstream.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory, authority):
    site = Site(tmp_path_factory.mktemp("site"), authority)
    yield site
    site.stop()


@pytest.fixture
def dial(site, key, front):
    """dial(name, path, **options): connect there; the CA is trusted unless `trusting` it is not."""

    def dial(name: str, path: str = "/echo", *, host="localhost", trusting=True, **options: Any):
        if trusting:
            options.setdefault("ssl_ca_path", site.path("ca.pem"))
        mark = "&" if "?" in path else "?"
        return front.open(site.url(name, f"{path}{mark}{key}", host), **options)

    return dial


def assert_echo(line: Line) -> None:
    line.send("hello")
    assert line.receive() == "hello"


# --- whom the client trusts ----------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_ca_from_a_file(dial, received, host):
    line = dial("tls", host=host)
    assert_echo(line)
    tls = line.connection.connection_info()["tls"]
    assert tls["version"] == "TLSv1.3"


def test_ca_as_pem_text_and_as_der(dial, received, authority):
    pem = authority.cert_pem.bytes().decode()
    assert_echo(dial("tls", trusting=False, ssl_ca_data=pem))
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert_echo(dial("tls", trusting=False, ssl_ca_data=der))


def test_older_server_with_tls_1_2(dial):
    line = dial("tls12")
    assert_echo(line)
    assert line.connection.connection_info()["tls"]["version"] == "TLSv1.2"


def test_unknown_ca_is_refused_and_the_text_says_what_to_do(dial, site):
    with pytest.raises(tieline.TLSError, match="ssl_ca_path="):
        dial("tls", trusting=False)
    with pytest.raises(tieline.TLSError, match="not trusted"):
        dial("tls", ssl_ca_path=site.path("other-ca.pem"))


def test_wrong_host_name_is_refused(site, front, key):
    port = site.nginx.ports["tls"]
    options = {"connect_to": ("127.0.0.1", port), "ssl_ca_path": site.path("ca.pem")}
    url = f"wss://example.com/echo?{key}"
    with pytest.raises(tieline.TLSError, match="not for 'example.com'"):
        front.open(url, **options)
    assert_echo(front.open(url, server_hostname="localhost", **options))


def test_verification_can_be_turned_off(dial):
    assert_echo(dial("tls", trusting=False, ssl_verify_cert=False))


def test_fingerprint_pins_the_certificate(dial, site):
    colons = ":".join(site.fingerprint[i : i + 2] for i in range(0, 64, 2)).upper()
    for pin in (site.fingerprint, colons):
        assert_echo(dial("tls", ssl_fingerprint=pin))
        unverified = {"trusting": False, "ssl_verify_cert": False}
        assert_echo(dial("tls", ssl_fingerprint=pin, **unverified))
    other = f"{int(site.fingerprint[:2], 16) ^ 1:02x}" + site.fingerprint[2:]
    for options in ({}, {"trusting": False, "ssl_verify_cert": False}):
        with pytest.raises(tieline.TLSError, match="ssl_fingerprint"):
            dial("tls", ssl_fingerprint=other, **options)


def test_a_context_of_the_users_own(dial, site):
    context = ssl.create_default_context(cafile=site.path("ca.pem"))
    assert_echo(dial("tls", trusting=False, ssl_context=context))


def test_wss_to_a_plain_port_and_ws_to_a_tls_port(site, front):
    plain, tls = site.nginx.ports["plain"], site.nginx.ports["tls"]
    with pytest.raises(tieline.TLSError):
        front.open(f"wss://127.0.0.1:{plain}/", connect_timeout=5)
    with pytest.raises(tieline.HandshakeError, match="400"):
        front.open(f"ws://127.0.0.1:{tls}/", connect_timeout=5)


# --- who the client is ---------------------------------------------------------------------------


def test_client_certificate_in_every_form(dial, site):
    certificate = site.client_certificate
    pem = certificate.cert_chain_pems[0].bytes().decode()
    key = certificate.private_key_pem.bytes().decode()
    forms = [
        {"ssl_cert_path": site.path("client.pem")},
        {"ssl_cert_path": site.path("client.crt"), "ssl_key_path": site.path("client.key")},
        {"ssl_cert_data": pem, "ssl_key_data": key},
        {"ssl_cert_path": site.path("client.crt"), "ssl_key_data": key},
        {"ssl_cert_data": ssl.PEM_cert_to_DER_cert(pem), "ssl_key_path": site.path("client.key")},
        {
            "ssl_cert_path": site.path("client.crt"),
            "ssl_key_path": site.path("client-encrypted.key"),
            "ssl_key_password": KEY_PASSWORD,
        },
        {
            "ssl_cert_data": pem,
            "ssl_key_data": site.encrypted_key.decode(),
            "ssl_key_password": KEY_PASSWORD.encode(),
        },
    ]
    for form in forms:
        assert_echo(dial("mutual", **form))


def test_without_a_client_certificate_nginx_refuses(dial):
    with pytest.raises(tieline.HandshakeError, match="400") as raised:
        dial("mutual")
    assert b"No required SSL certificate" in raised.value.response.body


@pytest.mark.parametrize("password", [None, "wrong horse"])
def test_an_encrypted_key_needs_its_password(dial, site, password):
    with pytest.raises(tieline.OptionError, match="ssl_key_password") as raised:
        dial(
            "mutual",
            ssl_cert_path=site.path("client.crt"),
            ssl_key_path=site.path("client-encrypted.key"),
            ssl_key_password=password,
        )
    assert "horse" not in str(raised.value)


def test_basic_authentication_by_nginx(dial):
    assert_echo(dial("private", username="Aladdin", password="open sesame"))
    assert_echo(dial("private", host="Aladdin:open%20sesame@localhost"))
    with pytest.raises(tieline.HandshakeError, match="401") as raised:
        dial("private")
    assert raised.value.response["www-authenticate"] == 'Basic realm="peers"'
    with pytest.raises(tieline.HandshakeError, match="401.*Basic with username= was refused"):
        dial("private", username="Aladdin", password="close sesame")
    with pytest.raises(tieline.HandshakeError, match="never sent as Basic"):
        dial("private", auth=tieline.Digest("Aladdin", "open sesame"))


def test_a_callable_and_a_netrc_file_for_nginx(dial, tmp_path):
    pair = ("Aladdin", "open sesame")
    assert_echo(dial("private", auth=lambda url, challenges: pair if challenges else None))
    path = tmp_path / "netrc"
    path.write_text('machine localhost login Aladdin password "open sesame"\n')
    assert_echo(dial("private", netrc=path))


# --- what nginx answers by itself ----------------------------------------------------------------


def test_a_permanent_redirect_is_followed(dial):
    assert_echo(dial("moving", "/moved"))


def test_redirect_to_another_origin_leaves_the_credentials_behind(dial, site, key):
    to = f"localhost:{site.nginx.ports['tls']}"
    line = dial(
        "moving",
        f"/elsewhere?to={to}&key={key}",
        token="secret-token",
        cookies={"session": "secret"},
        headers={"X-Kept": "1"},
    )
    assert_echo(line)
    sent = {
        name.lower(): value for name, value in site.upstream.saw("request", key)["headers"].items()
    }
    assert sent["x-kept"] == "1"
    assert "authorization" not in sent
    assert "cookie" not in sent


def test_redirects_that_go_in_a_circle(dial):
    with pytest.raises(tieline.TooManyRedirects, match="circle.*/round.* → .*/about → .*/round"):
        dial("moving", "/round")


def test_a_jar_keeps_what_nginx_sets(dial, site, key):
    """It asks again until the cookie comes back, and sends several lines of them."""
    jar = CookieJar()
    assert_echo(dial("moving", "/cookies", cookies=jar))
    assert {(cookie.name, cookie.secure) for cookie in jar} == {("seen", True), ("other", False)}
    sent = site.upstream.saw("request", key)["headers"]
    assert {name.lower(): value for name, value in sent.items()}["cookie"] == "seen=yes"
    with pytest.raises(tieline.TooManyRedirects, match="no cookie was set"):
        dial("moving", "/cookies")


def test_redirect_from_wss_to_ws_is_refused(dial, site):
    with pytest.raises(tieline.HandshakeError, match="not encrypted"):
        dial("moving", f"/downgrade?to=localhost:{site.nginx.ports['plain']}")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/busy", 503, b"come back later"),
        ("/missing", 404, b"404 Not Found"),
        ("/not-upgraded", 200, b"a page"),
    ],
)
def test_refusals_of_nginx(dial, path, status, body):
    with pytest.raises(tieline.HandshakeError, match=str(status)) as raised:
        dial("moving", path)
    response = raised.value.response
    assert response.status == status
    assert body in response.body
    assert response["server"].startswith("nginx/")
    assert response.get("retry-after") == ("7" if status == 503 else None)


def test_nginx_whose_upstream_is_down(dial):
    with pytest.raises(tieline.HandshakeError, match="502 Bad Gateway"):
        dial("no-upstream")
