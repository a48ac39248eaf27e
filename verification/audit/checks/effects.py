"""Jobs and their effects. Each handler's app registers how often the effect of a job is found: inbox/registry.py."""

from collections.abc import Iterable

from inbox import registry
from verification.audit.check import JOBS, Check
from verification.audit.checks.jobs import IN_RANGE

# OFFSET 0: the count is made once per job.
SELECT_JOBS = f"""
SELECT job.inbox_id, 'job ' || job.inbox_id || ' (' || job.message_type || ', ' || job.status || ')' {{tells}}
  FROM integration_inbox AS job
 CROSS JOIN LATERAL (SELECT CASE {{cases}} END AS effects OFFSET 0) AS found
 WHERE {IN_RANGE} AND {{wrong}}
"""
IS_DONE = "job.status = 'DONE' AND job.note IS NULL"
MISSING = f"{IS_DONE} AND found.effects = 0"
TOO_MANY = f"found.effects > ({IS_DONE})::int"
TELLS_COUNT = "|| ': ' || found.effects"


def effect_checks() -> list[Check]:
    """The checks of all jobs whose effect can be found."""
    cases = " ".join(_cases())
    if not cases:
        return []
    return [
        Check(
            "jobs DONE whose effect is missing",
            "DONE is final, so no requeue helps: ask the sender to send these messages again, as new rows. If the "
            "database was restored table by table, restore all tables from one moment instead.",
            SELECT_JOBS.format(tells="", cases=cases, wrong=MISSING),
            JOBS,
        ),
        Check(
            "effects of a message that are there twice, or before their job is DONE",
            "Don't run these jobs. Compare the history of the packet with the message, and mend it by a person's "
            "decision. A lock has failed: run verify_locks.",
            SELECT_JOBS.format(tells=TELLS_COUNT, cases=cases, wrong=TOO_MANY),
            JOBS,
        ),
    ]


def _cases() -> Iterable[str]:
    for source in registry.sources():
        for message_type, count in sorted(source.effects.items()):
            is_one = f"job.source = {_literal(source.name)} AND job.message_type = {_literal(message_type)}"
            yield f"WHEN {is_one} THEN {count}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"
