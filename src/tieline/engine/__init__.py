"""Joins protocol and transport on threads."""
