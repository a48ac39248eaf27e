"""The report as data: one entry per row with its three kinds of evidence, and a verdict."""

from dataclasses import dataclass

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
        """The worst of its evidence."""
        verdicts = {proof.verdict for proof in self.proofs}
        if self.findings or Verdict.FAILED in verdicts:
            return Verdict.FAILED
        if Verdict.NOT_PROVED in verdicts:
            return Verdict.NOT_PROVED
        return Verdict.PROVED if self.proofs else Verdict.SET_UP_ONLY


@dataclass(frozen=True, slots=True)
class Report:
    """The whole. `why_no_proofs` says why there is the set-up part only; None if there are proofs."""

    rows: list[RowReport]
    set_up: SetUp
    why_no_proofs: str | None
    took_s: float

    @property
    def is_good(self) -> bool:
        """Every row is proved."""
        return all(row.verdict is Verdict.PROVED for row in self.rows)
