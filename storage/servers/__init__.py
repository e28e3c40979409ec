"""Database servers of our own under `storage.data_dir`: started, attached to, stopped."""
