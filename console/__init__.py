"""What the console does besides pages: signing in, and what else belongs to its operators."""
