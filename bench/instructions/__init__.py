"""Counts the instructions of the hot paths, which do not depend on how busy the machine is."""
