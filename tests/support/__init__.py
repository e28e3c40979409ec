"""What tests share: builders, and fakes of our own connectors and of the clock."""
