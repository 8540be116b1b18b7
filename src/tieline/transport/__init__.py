"""A host, or a URL's parts, → a non-blocking byte stream. Has never heard of WebSocket."""
