"""Commands for operators and developers; `run.py` calls `cli.main`."""
