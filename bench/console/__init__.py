"""The console with a million followers: every page beside its bar, half a second on one core.

`run.py serve --roles web` and the databases share the first core; the bench, which walks every
address of the console's route table as people with every role, has the second.
"""

from bench.console.section import measure

__all__ = ["measure"]
