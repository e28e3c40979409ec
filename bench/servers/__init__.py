"""What we are measured against; each module is a process of its own."""
