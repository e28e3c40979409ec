"""Facts and rules that stay true without a network. Standard library only."""
