"""The overview as text of 80 columns."""

from inbox.db.connection_budget import Connections
from inbox.monitoring.age import in_words
from inbox.monitoring.diagnosis import Stall
from inbox.monitoring.open_jobs import Remaining
from inbox.monitoring.snapshot import Overview
from inbox.monitoring.sources import SourceState, next_try
from inbox.monitoring.terminal import clip, printable, wrap
from inbox.monitoring.transactions import OpenTransaction, Transactions, warnings
from inbox.monitoring.workers import Owner, Owners
from inbox.statuses import Status

# Lines per section; JSON has them all.
SHOWN = 12


def page(seen: Overview, stalls: list[Stall]) -> str:
    """All sections, those without content left out."""
    lines = [clip(f"inbox of {seen.database}, {seen.at}")]
    lines += _section("jobs", _jobs(seen))
    lines += _section("open jobs", _open(seen))
    lines += _section("waiting for", [_counted(count, what) for what, count in seen.waiting_for])
    lines += _section(f"dead, by reason{_among(seen)}", [_counted(count, reason) for reason, count in seen.dead])
    lines += _section("workers", _workers(seen.owners))
    lines += _section("sources", [line for source in seen.sources for line in _source(source)])
    lines += _section("oldest transaction", _transactions(seen.transactions))
    lines += _section("connections", _connections(seen.connections))
    for stall in stalls:
        lines += ["", *wrap(f"STALLED: {stall.why}."), *wrap(f"{stall.do[0].upper()}{stall.do[1:]}.", "  ")]
    for text, sql in warnings(seen.transactions):
        lines += ["", *wrap(f"WARNING: {text}"), f"  {printable(sql)}"]
    if seen.connections.warning:
        lines += ["", *wrap(f"WARNING: {seen.connections.warning}.")]
    return "\n".join(lines)


def _connections(found: Connections) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.by_kind.items())
    return [
        _counted(found.background, f"of {found.share} for workers and commands ({kinds})"),
        _counted(found.web, f"of the web, for which {found.reserved} are kept"),
        _counted(found.sessions, f"of {found.usable} that the server gives, to whomever"),
    ]


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [f"{'':>12}  and {len(lines) - SHOWN} more lines (--json shows all)"] if len(lines) > SHOWN else []
    return ["", title, *lines[:SHOWN], *more]


def _counted(count: int, text: str, mark: str = "") -> str:
    return clip(f"{f'{count:,}{mark}':>12}  {text}")


def _jobs(seen: Overview) -> list[str]:
    lines = [_counted(count, status, "+" * (status in seen.at_least)) for status, count in seen.jobs.items()]
    if seen.ended.is_partial:
        in_all = f"; in all about {seen.jobs_estimate:,} jobs (an estimate)" if seen.jobs_estimate else ""
        lines += wrap(f"+ at least so many: among the newest jobs only{in_all}. --exact counts all.", "  ")
    if seen.oldest_due_s is not None:
        lines.append(f"  oldest due work: due for {in_words(seen.oldest_due_s)}")
    return lines


def _among(seen: Overview) -> str:
    return ", among the newest jobs" if seen.ended.is_partial else ""


def _open(seen: Overview) -> list[str]:
    return [
        _counted(group.count, f"{group.status} {group.source}/{group.message_type}, {_state(group)}")
        for group in seen.open
    ]


def _state(group: Remaining) -> str:
    if group.status == Status.PROCESSING:
        return f"for {in_words(group.oldest_s)}"
    if not group.has_handler:
        return "NO HANDLER HERE" + (f", due for {in_words(group.oldest_s)}" if group.is_due else "")
    if group.is_due:
        return f"due for {in_words(group.oldest_s)}"
    return "due never" if group.next_in_s is None else f"due in {in_words(group.next_in_s)}"


def _workers(owners: Owners) -> list[str]:
    lines = [_worker(owner) for owner in owners.running]
    lines += [_counted(count, f"jobs held by {name}, who is not on the roll") for name, count in owners.others.items()]
    return [*lines, f"  {len(owners.running)} run, {owners.gone:,} gone, {owners.stopped:,} stopped by themselves"]


def _worker(owner: Owner) -> str:
    sign = "NO SIGN OF LIFE, seen" if owner.is_gone else "seen"
    text = f"jobs held by {owner.worker_id} ({owner.command}), {sign} {in_words(owner.seen_s)} ago"
    return _counted(owner.holds, text)


def _source(source: SourceState) -> list[str]:
    more = "+" if source.rows_at_least else ""
    wait = f", the oldest for {in_words(source.rows_wait_s)}" if source.rows_to_take_in else ""
    lines = [_counted(source.rows_to_take_in, f"rows of {source.source} to take in{wait}", more)]
    if source.last_created_at is not None:
        lines.append(clip(f"{'':>12}  watermark {source.last_created_at}, {in_words(source.lag_s)} ago"))
    if source.reconcile_finds is not None:
        lines.append(_counted(source.reconcile_finds, "incidents: rows that only the reconcile found"))
        lines.append(_counted(source.lookback_finds or 0, "rows that committed late, found by the lookback"))
    if source.pruned_before is not None:
        lines.append(
            _counted(source.pruned_count or 0, f"pruned; rows before {source.pruned_before} are never new again")
        )
    if source.pause is not None:
        lines.append(clip(f"{'':>12}  PAUSES since {source.pause.since}, {next_try(source.pause)}"))
        lines.append(clip(f"{'':>12}  {source.pause.reason}"))
    return lines


def _transactions(found: Transactions) -> list[str]:
    return [_transaction(transaction) for transaction in found.oldest] or ["  none is open"]


def _transaction(transaction: OpenTransaction) -> str:
    holds = "holds back the cleanup" if transaction.holds_back_cleanup else "holds locks only"
    whose = f"pid {transaction.pid}" if transaction.pid is not None else f"prepared as {transaction.gid}"
    parts = [whose, transaction.database, transaction.user, transaction.application]
    return clip(f"  {in_words(transaction.age_s)}, {holds}: {', '.join(filter(None, parts))}")
