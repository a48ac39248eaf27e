"""Stand-ins for the programs that ServiceOps talks to, for development and tests. All they say is invented."""
