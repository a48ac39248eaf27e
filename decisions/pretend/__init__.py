"""Stand-ins for the programs that ServiceOps talks to, for development and tests. All data is invented."""
