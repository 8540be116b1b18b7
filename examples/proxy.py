"""Through an HTTP proxy: the one that is named, or the one of the environment.

    python examples/proxy.py wss://example.com/ http://user:password@proxy.example:3128
    https_proxy=http://proxy.example:3128 python examples/proxy.py wss://example.com/

It needs a proxy of yours, and behind it any server that answers, such as `tieline serve`.
"""

from __future__ import annotations

import sys

import tieline


def main(url: str, proxy: str | bool) -> None:
    client = tieline.WebSocketClient(url, proxy=proxy, on_close=lambda info: print("closed:", info))
    info: dict[str, object] = {}
    try:
        client.connect(info=info)
    except tieline.ProxyError as error:
        status = error.response.status if error.response is not None else "none"
        raise SystemExit(f"{error} (status of the proxy's answer: {status})") from error
    print("through", info["proxy"] or "no proxy")
    print("seconds:", info["timings"])
    print("answer:", client.wait_for(lambda message: True, timeout=5, send="hello"))
    client.disconnect(tieline.CloseCode.NORMAL_CLOSURE)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else True)
