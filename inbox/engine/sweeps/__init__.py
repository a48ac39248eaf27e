"""Sweeps: they look behind the watermark for rows without a job, one process at a time."""
