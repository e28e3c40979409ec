"""Settings, read once, and the catalogues an operator may edit."""
