"""manage.py chaos_generator: the JSON Generator of a chaos run at JSON_GENERATOR_BASE_URL, until SIGTERM."""

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand

from inbox.management.base import stopped_by_signals
from tests.chaos.domain.generator import ChaosGenerator


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--seed", type=int)

    def handle(self, *args, seed, **options):
        port = urlsplit(settings.JSON_GENERATOR_BASE_URL).port
        with stopped_by_signals() as stop, ChaosGenerator(os.environ["CHAOS_URL"], port, seed):
            while not stop.is_asked:
                stop.wait(60)
