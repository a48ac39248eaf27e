"""config/settings.py, read afresh in this process from an environment of the test's own."""

import os
from runpy import run_path
from typing import Any
from unittest.mock import patch

from django.conf import global_settings

from tests.support.project import PROJECT


def read_settings(**environment: str) -> dict[str, Any]:
    """The settings, with Django's defaults, of a process that has this environment and no `.env`."""
    with patch.dict(os.environ, {"READ_DOT_ENV": "off"} | environment, clear=True):
        return vars(global_settings) | run_path(str(PROJECT / "config" / "settings.py"))
