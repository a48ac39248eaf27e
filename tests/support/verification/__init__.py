"""Shared by the tests of verify_locks."""
