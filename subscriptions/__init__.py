"""What citizens asked to be told: subscriptions, bindings, audiences, import and export."""
