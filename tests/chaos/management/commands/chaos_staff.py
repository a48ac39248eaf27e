"""manage.py chaos_staff: people and operators of a chaos run, until SIGTERM."""

from inbox.management.base import DatabaseCommand, stopped_by_signals
from tests.chaos.domain.staff import Staff

LONGEST_PAUSE_S = 0.1


class Command(DatabaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--seed", type=int)

    def handle(self, *args, seed, **options):
        staff = Staff(seed)
        with stopped_by_signals() as stop:
            while not stop.is_asked:
                staff.act()
                stop.wait(staff.rng.uniform(0, LONGEST_PAUSE_S))
