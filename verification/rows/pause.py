"""Row P5, pause: eight processes want to probe a paused source, and then the probe hangs.

A       takes the turn                        | is held before it claims a job
B … H   take the turn                         | wait for A's row of inbox_pause
A       claims one job, and commits           B … H   find the turn taken

A       its call hangs, and the next probe would be due
B       takes the turn                        | in vain, as the job of A is PROCESSING
R       reclaims the job of A
B       takes the turn, and claims one job
"""

from datetime import timedelta
from functools import partial

from django.db.models.functions import Now

from inbox.api import Outbound, Source, done
from inbox.engine.claim import Claim
from inbox.engine.pause import claim_probe, resume
from inbox.models import SourcePause
from verification.proof.stage import Stage
from verification.protections.outbound import PROBE_KEEPS_THE_TURN, TURN_MOVES_ON
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs, make_claims_old, make_jobs, reclaim_old

CALLS = Source(
    name=SOURCE.name,
    command="none",
    outbound={
        "witness": Outbound(
            prepare=lambda jobs: [job.message_id for job in jobs],
            call=lambda request: done(),
            finish=lambda jobs, answers: answers,
        )
    },
)


def eight_processes_want_to_probe(stage: Stage) -> list[str]:
    """One of them gets the turn, with one job."""
    pause_that_is_due()
    with stage.hold("inbox.engine.pause:claim"):
        results = stage.at_once({name: partial(claim_probe, CALLS, worker_id=name) for name in "ABCDEFGH"})
    probes = [probe for result in results.values() if (probe := result.get())]
    end_pause()
    jobs = sum(map(len, probes))
    return [] if (len(probes), jobs) == (1, 1) else [f"{len(probes)} processes probed at once, with {jobs} jobs"]


def a_probe_hangs(stage: Stage) -> list[str]:
    """Nobody else probes until the job of the probe is reclaimed; then somebody does."""
    pause_that_is_due()
    probe("A", stage)
    SourcePause.objects.filter(source=CALLS.name).update(next_try_at=Now() - timedelta(seconds=1))
    broken = ["a second process probed while the first probe hung"] if probe("B", stage) else []
    make_claims_old()
    stage.start("R", reclaim_old)
    stage.end("R").get()
    if not broken and not probe("B", stage):
        broken.append("nobody could probe after the job of the probe was reclaimed")
    end_pause()
    return broken


def probe(name: str, stage: Stage) -> Claim | None:
    """The session tries to claim a probe."""
    stage.start(name, partial(claim_probe, CALLS, worker_id=name))
    claimed: Claim | None = stage.end(name).get()
    return claimed


def pause_that_is_due() -> None:
    """The source is paused, a probe is due, and many jobs wait for it."""
    end_pause()
    make_jobs(8)
    SourcePause.objects.create(source=CALLS.name, reason="refused", next_try_at=Now() - timedelta(seconds=1))


def end_pause() -> None:
    """Leave neither the pause nor jobs."""
    resume(CALLS)
    end_jobs()


ROW = Row(
    key="pause",
    number="P5",
    title="Pause of outbound calls",
    promise="One process at a time probes a paused source, with one job.",
    mechanism="A guarded UPDATE moves inbox_pause.next_try_at; a job under the lease of the probe keeps the turn.",
    code=("inbox.engine.pause:TAKE_TURN", "inbox.engine.pause:claim_probe"),
    objects=("table inbox_pause",),
    proofs=[
        Proof(eight_processes_want_to_probe, without=[TURN_MOVES_ON]),
        Proof(a_probe_hangs, without=[PROBE_KEEPS_THE_TURN]),
    ],
)
