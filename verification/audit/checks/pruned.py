"""Which jobs may have been pruned, where no watermark tells.

A prune moves `pruned_before` of a source with a watermark. In the others, a row whose job was pruned looks like one
that never had a job. So each run writes down, in the audit, before what time the jobs ended that may go. A prune by an
older version did not; but it took what ended before some time, of all sources: a job that is gone ended before any that
is still there.
"""

from collections.abc import Mapping
from typing import Any

from inbox import registry
from inbox.engine.prune import PRUNED_INBOX
from inbox.models import PollWatermark
from inbox.registry import ByWatermark
from verification.audit.check import JOBS
from verification.audit.ranges import BEGINNING, ranges
from verification.audit.reading import read_row

# Times stay text, as no driver reads them all.
SELECT_CUTOFF = """
SELECT coalesce(max((after ->> 'ended_before')::timestamptz), '-infinity')::text FROM inbox_audit
 WHERE object = %(object)s AND verb = 'prune'
"""
SELECT_OLDEST_END = """
SELECT least(%(oldest)s::timestamptz, min(finished_at))::text FROM integration_inbox
 WHERE inbox_id > %(low)s AND inbox_id <= %(high)s AND source = ANY(%(sources)s) AND status = 'DONE'
"""


def pruned_until() -> Mapping[str, Any]:
    """%(pruned_until)s: what was written since then, of sources without a watermark, still has its job."""
    [cutoff] = read_row(SELECT_CUTOFF, {"object": PRUNED_INBOX}) or [BEGINNING]
    if cutoff != BEGINNING or not PollWatermark.objects.filter(pruned_before__isnull=False).exists():
        return {"pruned_until": cutoff}
    sources = [source.name for source in registry.sources() if not isinstance(source.reads, ByWatermark)]
    oldest = "infinity"
    for bounds in ranges(JOBS, None):
        [oldest] = read_row(SELECT_OLDEST_END, {"sources": sources, "oldest": oldest, **bounds}) or [oldest]
    return {"pruned_until": oldest}
