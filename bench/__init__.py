"""Benchmarks: what a message costs us, beside what it costs others, measured in one run.

`python -m bench` prints a table and writes `var/bench.json`; docs/benchmarks.md explains both.
A section is a module with `async def measure(plan: Plan) -> Section`, named in `__main__`.
"""
