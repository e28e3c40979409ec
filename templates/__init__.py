"""Every sentence a citizen reads, and the Jinja2 environment that renders them."""
