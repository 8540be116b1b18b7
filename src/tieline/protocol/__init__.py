"""RFC 6455 without I/O, clock, threads or logging: bytes and time in, messages and bytes out."""
