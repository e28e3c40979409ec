"""How things are kept: one class per collection or key family; documents never leave it."""
