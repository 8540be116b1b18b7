"""Measures how much memory one big message takes."""
