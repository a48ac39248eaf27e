"""A linter for migrations: refuses those that would stop a running system during a rolling upgrade.

The tests run it on every migration (tests/integration/config/test_migrations.py); production never imports it.
"""
