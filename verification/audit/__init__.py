"""Audit: looks at live data for traces of broken promises. Read only, in bounded time at any size."""
