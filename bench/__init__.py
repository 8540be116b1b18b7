"""Measures tieline beside the WebSocket clients that are installed, on the same work."""
