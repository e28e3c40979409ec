"""The push engine beside its bars (push-engine.md 4): real processes, a platform that remembers.

`run.py serve --roles push` is measured alone on the first core; MongoDB, Redis, the platform and
whatever else is needed run on the second. What a measurement needs that fails costs its own rows
and no others.
"""

from bench.push.section import measure

__all__ = ["measure"]
