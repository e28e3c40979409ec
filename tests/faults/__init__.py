"""Processes killed and servers restarted while many are sent to; bounded in time."""
