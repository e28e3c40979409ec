"""CAP 1.2 (Common Alerting Protocol, OASIS 2010): documents in, `domain.alert.Alert` out."""
