"""How we ask others: one module per department, one package for WeChat."""
