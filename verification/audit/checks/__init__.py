"""The checks, by topic. Each is SQL that names damaged rows, and what to do about them."""

from verification.audit.check import Check
from verification.audit.checks import chains, effects, identities, jobs, outboxes, requests, sources


def all_checks() -> list[Check]:
    """All of them; those of sources and effects are for what this process has registered."""
    return [
        *sources.source_checks(),
        *sources.CHECKS,
        *jobs.CHECKS,
        *effects.effect_checks(),
        *chains.CHECKS,
        *requests.CHECKS,
        *outboxes.CHECKS,
        *identities.CHECKS,
    ]
