"""The push engine (推送引擎): from an order to receipts, one step per module."""
