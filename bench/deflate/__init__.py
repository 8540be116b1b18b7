"""Measures compressed traffic: tieline, with each of its backends, beside its peers."""
