"""What tests of verify_locks share."""
