"""Plays the client's part against the Autobahn test suite's fuzzing server."""
