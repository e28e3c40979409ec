"""The console (管理台): pages for the people who run an account. `routes.py` lists them all."""
