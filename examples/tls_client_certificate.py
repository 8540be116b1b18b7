"""A server with a certificate authority of its own, which asks for a client certificate.

    python examples/tls_client_certificate.py wss://example.com/ CA.pem CLIENT.crt CLIENT.key

It needs a server that asks for the certificate; `tieline serve --cert FILE --key FILE` takes the
connection too, and does not ask. The password of the key, if it has one, is in the environment
variable KEY_PASSWORD.
"""

from __future__ import annotations

import os
import sys

import tieline


def main(url: str, ca: str, certificate: str, key: str) -> None:
    client = tieline.WebSocketClient(
        url,
        on_close=lambda info: print("closed:", info),
        ssl_ca_path=ca,
        ssl_cert_path=certificate,
        ssl_key_path=key,
        ssl_key_password=os.environ.get("KEY_PASSWORD"),
    )
    info: dict[str, object] = {}
    try:
        client.connect(info=info)
    except tieline.TLSError as error:
        # It says which check failed and which option may help.
        raise SystemExit(str(error)) from error
    print("TLS:", info["tls"])
    answer = client.wait_for(lambda message: True, timeout=5, send="who am I?")
    print("answer:", answer)
    client.disconnect(tieline.CloseCode.NORMAL_CLOSURE)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:5])
