"""PostgreSQL servers of a test's own, and what is done to them."""
