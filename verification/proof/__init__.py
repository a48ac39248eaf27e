"""Races on a scratch database: sessions, the stage that holds them, and the process that runs them."""
