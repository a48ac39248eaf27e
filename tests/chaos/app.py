"""Registers the source of the chaos test, makes what waits short, and takes away the protection that is asked for."""

import os
import random
import time

from django.apps import AppConfig

# Anything that is no known word is poison: null, numbers, lists, objects.
KINDS = ("good", "waits", "brings", "flaky", "poison", "killer")
MESSAGE_TYPE = f"""
CASE WHEN s.payload ->> 'kind' IN {KINDS} THEN s.payload ->> 'kind' ELSE 'poison' END
"""
# For the audit at the end.
COUNT_EFFECTS = "(SELECT count(*) FROM chaos_effect AS effect WHERE effect.inbox_id = job.inbox_id)"

# Between a claim and its work a worker holds jobs that no lock protects, only its lease. On a quick machine that is so
# short that nothing would ever happen in it.
SHARE_OF_SLOW_STARTS = 0.3
LONGEST_START_S = 0.3


def after_a_while(work):
    def begin(claim, **options):
        if random.random() < SHARE_OF_SLOW_STARTS:
            time.sleep(random.uniform(0, LONGEST_START_S))
        return work(claim, **options)

    return begin


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self):
        from decisions.rules import new_round
        from inbox.registry import ByWatermark, Source, register_source
        from inbox.worker import ingester as ingester
        from inbox.worker import loop as worker
        from inbox.worker import sweeping
        from tests.chaos.handlers import HANDLERS
        from tests.chaos.mutants import take_out

        worker.work = after_a_while(worker.work)
        sweeping.LOOKBACK_EVERY_S = 1.0
        new_round.LONGEST_WAIT_S = 2.0
        # Many cuts through rows of equal time.
        ingester.INGEST_LIMIT = 100
        source = Source("chaos", command="run_inbox_worker", reads=ByWatermark("chaos_message", MESSAGE_TYPE))
        register_source(source)
        for kind, handler in HANDLERS.items():
            source.handles(kind)(handler)
            source.effects[kind] = COUNT_EFFECTS
        if name := os.environ.get("CHAOS_MUTANT"):
            take_out(name)
