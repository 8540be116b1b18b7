"""Measures what compression costs an idle connection in memory."""
