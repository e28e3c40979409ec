"""The only place that puts things together: opens everything, runs loops, closes everything."""
