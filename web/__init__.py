"""HTTP in and out: the callback, the departments' API, citizen pages, health and metrics."""
