"""The settings of the engine, read when used so that a test can change them. Durations are in seconds."""

from django.conf import settings


def batch_size() -> int:
    """How many jobs one claim takes (INBOX_BATCH_SIZE). 200 means two commits per 200 jobs; more hardly helps."""
    return settings.INBOX_BATCH_SIZE


def poll_interval_s() -> float:
    """How long an idle worker waits before it polls again (INBOX_POLL_INTERVAL)."""
    return settings.INBOX_POLL_INTERVAL


def max_attempts() -> int:
    """After how many failed attempts a job is DEAD (INBOX_MAX_ATTEMPTS)."""
    return settings.INBOX_MAX_ATTEMPTS


def backoff_s() -> tuple[float, ...]:
    """The waits after the first, second, … failed attempt (INBOX_BACKOFF); the last one repeats."""
    return settings.INBOX_BACKOFF


def stale_after_s() -> float:
    """How old a claim is when it is reclaimed (INBOX_STALE_AFTER)."""
    return settings.INBOX_STALE_AFTER


def wait_limit_s() -> float:
    """How long a job may be WAITING before it is DEAD (INBOX_WAIT_LIMIT)."""
    return settings.INBOX_WAIT_LIMIT


def lookback_s() -> float:
    """How far behind the watermark late commits are looked for (INBOX_LOOKBACK)."""
    return settings.INBOX_LOOKBACK


def reconcile_every_s() -> float:
    """How often a process looks for rows that everything else has missed (INBOX_RECONCILE_EVERY)."""
    return settings.INBOX_RECONCILE_EVERY
