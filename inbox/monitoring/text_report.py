"""A snapshot as text of 80 columns."""

from inbox.monitoring.age import in_words
from inbox.monitoring.diagnosis import Stall
from inbox.monitoring.notify_queue import NotifyQueue
from inbox.monitoring.open_jobs import OpenJobs
from inbox.monitoring.snapshot import Snapshot
from inbox.monitoring.sources import SourceState
from inbox.monitoring.terminal import clip, printable, wrap
from inbox.monitoring.transactions import OpenTransaction
from inbox.monitoring.workers import RunningWorker
from inbox.statuses import Status

# Lines per section; JSON has them all.
SHOWN = 12


def page(snapshot: Snapshot, stalls: list[Stall]) -> str:
    """All sections that have content, then what is wrong and what to do."""
    among = ", among the newest jobs" if snapshot.ended.is_partial else ""
    sections = {
        "jobs": _jobs(snapshot),
        "open jobs": [_open(group) for group in snapshot.open],
        "waiting for": [_counted(count, what) for what, count in snapshot.waiting_for],
        f"dead, by reason{among}": [_counted(count, reason) for reason, count in snapshot.dead],
        "workers": _workers(snapshot),
        "sources": [line for source in snapshot.sources for line in _source(source)],
        "oldest transaction": [_transaction(one) for one in snapshot.transactions.oldest] or ["  none is open"],
        "connections": _connections(snapshot),
        "NOTIFY queue": _notify_queue(snapshot.notify_queue),
    }
    lines = [clip(f"inbox of {snapshot.database}, {snapshot.at}")]
    for title, content in sections.items():
        if content:
            lines += ["", title, *content[:SHOWN]]
        if len(content) > SHOWN:
            lines.append(f"{'':>12}  and {len(content) - SHOWN} more lines (--json shows all)")
    for stall in stalls:
        lines += ["", *wrap(f"STALLED: {stall.why}."), *wrap(f"{stall.do[0].upper()}{stall.do[1:]}.", "  ")]
    for text, sql in snapshot.warnings:
        lines += ["", *wrap(f"WARNING: {text}"), f"  {printable(sql)}"]
    if snapshot.connections.warning:
        lines += ["", *wrap(f"WARNING: {snapshot.connections.warning}.")]
    return "\n".join(lines)


def _counted(count: int, text: str, mark: str = "") -> str:
    return clip(f"{f'{count:,}{mark}':>12}  {text}")


def _indented(text: str) -> str:
    return clip(f"{'':>12}  {text}")


def _jobs(snapshot: Snapshot) -> list[str]:
    lines = [_counted(count, status, "+" * (status in snapshot.at_least)) for status, count in snapshot.jobs.items()]
    if snapshot.ended.is_partial:
        total = f" About {snapshot.jobs_estimate:,} jobs in total (estimate)." if snapshot.jobs_estimate else ""
        lines += wrap(f"+ at least this many: only the newest jobs were counted.{total} --exact counts all.", "  ")
    if snapshot.oldest_due_s is not None:
        lines.append(f"  oldest due job: due for {in_words(snapshot.oldest_due_s)}")
    return lines


def _open(group: OpenJobs) -> str:
    age = in_words(group.oldest_s)
    if group.status == Status.PROCESSING:
        state = f"for {age}"
    elif not group.has_handler:
        state = "NO HANDLER HERE" + (f", due for {age}" if group.is_due else "")
    elif group.is_due:
        state = f"due for {age}"
    else:
        state = "never due" if group.next_in_s is None else f"due in {in_words(group.next_in_s)}"
    return _counted(group.count, f"{group.status} {group.source}/{group.message_type}, {state}")


def _workers(snapshot: Snapshot) -> list[str]:
    workers = snapshot.workers
    lost = sum(worker.is_gone for worker in workers.running)
    return [
        *map(_worker, workers.running),
        *(_counted(count, f"jobs held by {name}, not registered") for name, count in workers.others.items()),
        f"  {workers.alive()} running, {workers.gone + lost:,} lost, {workers.stopped:,} stopped normally",
    ]


def _worker(worker: RunningWorker) -> str:
    seen = f"{'LOST, last ' if worker.is_gone else ''}seen {in_words(worker.seen_s)} ago"
    return _counted(worker.holds, f"jobs held by {worker.worker_id} ({worker.command}), {seen}")


def _source(source: SourceState) -> list[str]:
    wait = f", the oldest for {in_words(source.rows_wait_s)}" if source.rows_to_take_in else ""
    lines = [
        _counted(
            source.rows_to_take_in, f"rows of {source.source} waiting to be ingested{wait}", "+" * source.rows_at_least
        )
    ]
    if source.last_created_at is not None:
        lines.append(_indented(f"watermark {source.last_created_at}, {in_words(source.lag_s)} ago"))
    if source.reconcile_finds is not None:
        lines.append(_counted(source.reconcile_finds, "incidents: rows that only the reconcile found"))
        lines.append(_counted(source.lookback_finds or 0, "rows that committed late, found by the lookback"))
    if source.pruned_before is not None:
        lines.append(
            _counted(source.pruned_count or 0, f"pruned; rows before {source.pruned_before} are never ingested")
        )
    if source.pause is not None:
        lines.append(_indented(f"PAUSED since {source.pause.since}, {source.pause.next_try}"))
        lines.append(_indented(source.pause.reason))
    return lines


def _transaction(transaction: OpenTransaction) -> str:
    holds = "holds back cleanup" if transaction.holds_back_cleanup else "holds locks only"
    parts = [transaction.whose, transaction.database, transaction.user, transaction.application]
    return clip(f"  {in_words(transaction.age_s)}, {holds}: {', '.join(filter(None, parts))}")


def _connections(snapshot: Snapshot) -> list[str]:
    found = snapshot.connections
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.by_kind.items())
    return [
        _counted(found.background, f"of {found.share} for workers and commands ({kinds})"),
        _counted(found.web, f"of the web, which has {found.reserved} reserved"),
        _counted(found.sessions, f"of {found.usable} that the server allows, by any client"),
    ]


def _notify_queue(found: NotifyQueue) -> list[str]:
    if found.usage is None:
        return ["  can't be asked"]
    return [f"  {found.usage:.0%} full", *(clip(f"  {suspect.text}") for suspect in found.suspects)]
