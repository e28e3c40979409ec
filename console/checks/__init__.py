"""Checks of an installation (检查): one implementation for `run.py doctor` and the console."""
