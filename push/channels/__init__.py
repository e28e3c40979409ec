"""Channels (发送渠道): the platform's ways to a citizen, each with its own rules.

A topic names the order in which they are tried (`config/topics.toml`). `walk` takes each recipient
to the first that may carry the message; `mass` is a broadcast of its own. A broadcast over template
messages alone, which is the usual one, passes none of this.
"""
