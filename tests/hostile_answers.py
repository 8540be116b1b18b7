"""What a server (or a proxy) should never answer → each with what the error says of it.

Each is shown byte by byte on the exchange without I/O (tests/test_http1.py), and by a real server
on every front (tests/behaviours/every_front/test_hostile_servers.py).
"""

from __future__ import annotations

OK = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

#: HTTP/2's answer to a request that it does not understand: SETTINGS, then GOAWAY.
HTTP_2 = bytes.fromhex("000000040000000000" + "000008070000000000" + "0000000000000001")

#: No HTTP at all: told at the first byte that is wrong.
NO_HTTP = {
    "SSH": (b"SSH-2.0-OpenSSH_9.2p1\r\n", "got b'SSH-2.0-OpenSSH_9.2p1'; it looks like an SSH"),
    "SMTP": (b"220 mail.example ESMTP\r\n", "a mail (SMTP) or FTP server"),
    "FTP": (b"220-Welcome\r\n220 ready\r\n", "a mail (SMTP) or FTP server"),
    "IMAP": (b"* OK IMAP4rev1 ready\r\n", "a mail server (IMAP)"),
    "POP3": (b"+OK ready\r\n", "a mail server (POP3)"),
    "Redis": (b"-ERR wrong number of arguments for 'get' command\r\n", "a Redis or mail server"),
    "VNC": (b"RFB 003.008\n", "a VNC server"),
    "HTTP/0.9": (b"<html>hello</html>", "a page without a head (HTTP/0.9?)"),
    "HTTP/2": (HTTP_2, "it looks like HTTP/2, which was not asked for"),
    "TLS alert": (b"\x15\x03\x01\x00\x02\x02\x46", "it looks like TLS: use wss://"),
    "frame": (b"\x81\x05hello", "a WebSocket frame without the opening handshake"),
    "zeros": (bytes(2000), r"got b'\x00\x00"),
    "line ends": (b"\r\n" * 100 + b"HTTP/1.1 101 x\r\n\r\n", "expected an HTTP/1.1 response, got"),
    "lower case": (b"http/1.1 101 x\r\n\r\n", "expected an HTTP/1.1 response, got"),
    "a request": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "expected an HTTP/1.1 response, got"),
    "another ICY": (b"ICY 200 OK\r\n\r\n", "expected an HTTP/1.1 response, got"),
}

#: HTTP that is malformed, or over a limit.
MALFORMED = {
    "no version": (b"HTTP 200 OK\r\n\r\n", "expected an HTTP/1.1 response, got b'HTTP 200 OK'"),
    "HTTP/2 in words": (b"HTTP/2 101 x\r\n\r\n", "it looks like HTTP/2"),
    "no status": (b"HTTP/1.1\r\n\r\n", "got b'HTTP/1.1'"),
    "status of words": (b"HTTP/1.1 OK\r\n\r\n", "got b'HTTP/1.1 OK'"),
    "status of four": (b"HTTP/1.1 1010 x\r\n\r\n", "got b'HTTP/1.1 1010 x'"),
    "two blanks": (b"HTTP/1.1  101 x\r\n\r\n", "got b'HTTP/1.1  101 x'"),
    "NUL in a value": (OK + b"X: a\0b\r\n\r\n", "a header line is malformed (RFC 9112 section 5)"),
    "NUL in a name": (OK + b"X\0: a\r\n\r\n", "a header line is malformed"),
    "CR in a value": (OK + b"X: a\rb\r\n\r\n", "a header line is malformed"),
    "blank before a colon": (OK + b"Set-Cookie : hush\r\n\r\n", "a header line is malformed"),
    "no colon": (OK + b"Set-Cookie hush\r\n\r\n", "a header line is malformed"),
    "no name": (OK + b": hush\r\n\r\n", "a header line is malformed"),
    "folded first": (b"HTTP/1.1 101 x\r\n X: hush\r\n\r\n", "expected an HTTP/1.1 response head"),
    "a negative length": (b"HTTP/1.1 403 x\r\nContent-Length: -1\r\n\r\n", "bad Content-Length"),
    "a length of words": (b"HTTP/1.1 403 x\r\nContent-Length: lots\r\n\r\n", "bad Content-Length"),
    "two lengths": (
        b"HTTP/1.1 403 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "conflicting Content-Length headers",
    ),
    "another coding": (
        b"HTTP/1.1 403 x\r\nTransfer-Encoding: gzip\r\n\r\n",
        "Transfer-Encoding: chunked",
    ),
    "one long line": (b"HTTP/1.1 101 " + b"x" * 70_000, "head of at most 65536 bytes, got more"),
    "one long value": (OK + b"X: " + b"x" * 70_000, "head of at most 65536 bytes, got more"),
    "many headers": (
        b"HTTP/1.1 403 x\r\nA: b\r\nC: d\r\n" + b"X: y\r\n" * 257 + b"\r\n",
        "at most 256 header lines, got 259",
    ),
    "headers without end": (OK + b"X: y\r\n" * 20_000, "head of at most 65536 bytes, got more"),
    "nonsense after 1xx": (
        b"HTTP/1.1 103 x\r\nSet-Cookie: hush\r\n\r\nSSH-2.0-x\r\n",
        "expected an HTTP/1.1 response, got b'SSH-2.0-x'",
    ),
    "1xx without end": (b"HTTP/1.1 103 x\r\n\r\n" * 17, "got more than 16 informational ones"),
    "1xx of any size": (
        (b"HTTP/1.1 102 x\r\nX: " + b"x" * 5000 + b"\r\n\r\n") * 14,
        "head of at most 65536 bytes, got more",
    ),
}

#: Answers that are HTTP and no agreement: told by the status or the headers.
REFUSALS = {
    "a portal": (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
        "expected status 101, got 200 OK; it is a web page: maybe the login page of a network",
    ),
    "a page of no type": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\n <html>",
        "it is a web page",
    ),
    "200": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "took it for an ordinary request"),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "got 404; check the path"),
    "a strange reason": (
        b"HTTP/1.1 404 \x9b2J" + b"x" * 500 + b"\r\nContent-Length: 0\r\n\r\n",
        "got 404 ?2J" + "x" * 61 + "...; check the path",
    ),
    "another version": (
        b"HTTP/1.1 426 x\r\nSec-WebSocket-Version: 8, 7\r\nContent-Length: 0\r\n\r\n",
        "the server speaks version '8, 7' of WebSocket, this is version 13",
    ),
    "another upgrade": (
        b"HTTP/1.1 426 x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
        "the server wants an upgrade to 'h2c'",
    ),
    "nowhere": (
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        "got 302 Found, without a Location to go to",
    ),
    "300": (
        b"HTTP/1.1 300 x\r\nLocation: /?token=hush\r\nContent-Length: 0\r\n\r\n",
        "it redirects to '/?token=***'",
    ),
    "a TLS port": (
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 51\r\n\r\n"
        b"The plain HTTP request was sent to HTTPS port......",
        "the port expects TLS: use wss://",
    ),
    "busy": (
        b"HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        "the server asks to wait (Retry-After: '7')",
    ),
    "no accept": (OK + b"\r\n", "expected 'Sec-WebSocket-Accept: "),
    "wrong accept": (
        OK + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "got 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='",
    ),
    "long accepts": (
        OK + (b"Sec-WebSocket-Accept: " + b"x" * 5000 + b"\r\n") * 9 + b"\r\n",
        f"got {'x' * 64!r}... and {'x' * 64!r}... and {'x' * 64!r}... and 6 more",
    ),
    "no upgrade": (b"HTTP/1.1 101 x\r\n\r\n", "expected 'Upgrade: websocket', got none"),
    "h2c": (b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "got 'h2c'"),
    "two upgrades": (
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\n\r\n",
        "got 'websocket' and 'websocket'",
    ),
    "no connection": (
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n",
        "expected 'Connection: Upgrade', got 'close'",
    ),
    "chunks of one byte": (
        b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 70_000,
        "got 500 x",
    ),
    "a chunk without end": (
        b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b"x" * 200_000,
        "got 500 x",
    ),
    "a chunk of no size": (
        b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 200_000,
        "got 500 x",
    ),
    "a length and chunks": (
        b"HTTP/1.1 500 x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n0\r\n\r\n",
        "got 500 x",
    ),
    "too short a length": (b"HTTP/1.1 500 x\r\nContent-Length: 1\r\n\r\nhello", "got 500 x"),
    "a body without end": (b"HTTP/1.1 500 x\r\n\r\n" + b"x" * 200_000, "got 500 x"),
}

#: For CONNECT: a 2xx is an agreement, whatever else it says.
TUNNEL_REFUSALS = {
    "a portal": (
        b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n",
        "302 Found",
    ),
    "a body without end": (b"HTTP/1.1 500 x\r\n\r\n" + b"x" * 200_000, "500 x"),
}
