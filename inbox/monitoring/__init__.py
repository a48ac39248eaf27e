"""What the inbox holds right now, who has it, and why anything stays. Nothing here changes a row.

Everything stays quick on millions of jobs: open jobs are counted by their indexes, ended ones (which have none) among
the newest only. Ages are in seconds, by the database's clock; None where the time is infinite or unknown.
"""

from inbox.monitoring.open_jobs import Remaining, count_by_status, dead_by_reason, remaining
from inbox.monitoring.snapshot import Overview, take_overview

__all__ = ["Overview", "Remaining", "count_by_status", "dead_by_reason", "remaining", "take_overview"]
