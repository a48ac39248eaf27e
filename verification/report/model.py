"""The report as data: a head, and one entry per row with its three kinds of evidence and a verdict."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from verification.findings import Finding, SetUp
from verification.results import ProofResult, Verdict
from verification.row import Row


@dataclass(frozen=True, slots=True)
class RowReport:
    """A row with what was found of it."""

    row: Row
    findings: list[Finding]
    proofs: list[ProofResult]

    @property
    def verdict(self) -> Verdict:
        """The worst of its evidence. A proof that is missing counts as not proved."""
        verdicts = {proof.verdict for proof in self.proofs}
        if self.findings or Verdict.FAILED in verdicts:
            return Verdict.FAILED
        if not self.proofs:
            return Verdict.SET_UP_ONLY
        if Verdict.NOT_PROVED in verdicts or len(self.proofs) < len(self.row.proofs):
            return Verdict.NOT_PROVED
        return Verdict.PROVED

    @property
    def rounds(self) -> int:
        """Rounds with all protections in place."""
        return sum(proof.run.rounds for proof in self.proofs)

    @property
    def broken_rounds(self) -> int:
        """Those rounds that broke a promise."""
        return sum(proof.run.broken_rounds for proof in self.proofs)

    @property
    def deadlocks(self) -> int:
        """Deadlocks during these rounds, by pg_stat_database."""
        return sum(proof.run.deadlocks for proof in self.proofs)

    @property
    def removals(self) -> int:
        """How many times a protection was taken out."""
        return sum(len(proof.removals) for proof in self.proofs)

    @property
    def removals_seen(self) -> int:
        """How many times the race then broke, as it must."""
        return sum(removal.is_seen for proof in self.proofs for removal in proof.removals)


@dataclass(frozen=True, slots=True)
class Head:
    """Where and when it was found.

    server     such as "PostgreSQL 18.1"
    database   such as "serviceops at db.example:5432, schema public, as serviceops_web"; never a password
    proved_on  which scratch database, or None if there was none
    began      with a time zone
    load       of the machine that ran the command, at the start and at the end
    processors how many that machine has
    """

    server: str
    database: str
    proved_on: str | None
    began: datetime
    took_s: float
    is_quick: bool
    load: tuple[float, float]
    processors: int


@dataclass(frozen=True, slots=True)
class Report:
    """The whole. `why_no_proofs` says why some or all proofs are missing; None if all were made."""

    head: Head
    rows: Sequence[RowReport]
    set_up: SetUp = field(default_factory=SetUp)
    why_no_proofs: str | None = None

    @property
    def is_good(self) -> bool:
        """Every row is proved, and nothing else is wrong."""
        proved = all(row.verdict is Verdict.PROVED for row in self.rows)
        return bool(self.rows) and proved and not self.why_no_proofs and not self.other_findings

    @property
    def other_findings(self) -> list[Finding]:
        """Findings of the set-up that belong to no row of the report."""
        keys = {one.row.key for one in self.rows}
        return [finding for key, found in self.set_up.findings.items() if key not in keys for finding in found]

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How many rows have each verdict."""
        return Counter(row.verdict for row in self.rows)
