"""Real database servers of our own under `storage.data_dir`: found, started, attached to, stopped."""
