"""The report on every lock: what each promise stands on, proved on the configured database (docs/locks.md)."""
