"""What lives in Redis: locks, seen messages, sessions and late answers. Personal data is sealed."""
