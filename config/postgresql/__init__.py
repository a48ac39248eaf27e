"""ENGINE config.postgresql: Django's PostgreSQL backend, on which no query waits forever (base.py)."""
