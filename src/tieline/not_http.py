"""Bytes that should have been HTTP → which protocol they look like, for an error text."""

from __future__ import annotations

#: First bytes, in upper case, and who greets with them. Nothing is decided by it.
_GREETINGS = (
    (b"SSH-", "an SSH server"),
    (b"220 ", "a mail (SMTP) or FTP server"),
    (b"220-", "a mail (SMTP) or FTP server"),
    (b"* OK", "a mail server (IMAP)"),
    (b"+OK", "a mail server (POP3)"),
    (b"-ERR", "a Redis or mail server (POP3)"),
    (b"RFB 0", "a VNC server"),
    (b"AMQP", "an AMQP broker"),
    (b"RTSP/", "an RTSP server"),
    (b"<", "a page without a head (HTTP/0.9?)"),
    (b"HTTP/2", "HTTP/2, which was not asked for"),
    (b"PRI * HTTP/2", "HTTP/2, which was not asked for"),
)


def looks_like(first_bytes: bytes) -> str:
    """ "; it looks like ..." or an empty text."""
    start = first_bytes.lstrip(b"\r\n\t ").upper()
    for greeting, who in _GREETINGS:
        if start.startswith(greeting):
            return f"; it looks like {who}"
    # RFC 8446 section 5.1: a record's kind and version. Mostly an alert.
    if first_bytes[:1] in (b"\x14", b"\x15", b"\x16", b"\x17") and first_bytes[1:2] == b"\x03":
        return "; it looks like TLS: use wss:// (or https:// for a proxy)"
    # RFC 9113 section 4.1: SETTINGS or GOAWAY, of stream 0.
    if first_bytes[3:4] in (b"\x04", b"\x07") and first_bytes[5:9] == bytes(4):
        return "; it looks like HTTP/2, which was not asked for"
    # RFC 6455 section 5.2: a first frame, not masked.
    if first_bytes[:1] in (b"\x81", b"\x82", b"\x88", b"\x89"):
        return "; it looks like a WebSocket frame without the opening handshake"
    return ""
