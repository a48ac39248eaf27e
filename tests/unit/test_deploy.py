"""The commands in deploy/ exist and take their options."""

import configparser

import yaml
from django.core.management import get_commands, load_command_class

from inbox.db.session_settings import CONNECT_QUERY_LIMIT, SESSION_SETTINGS, connect_query
from tests.support.project import PROJECT

COMPOSE = PROJECT / "deploy" / "compose.yaml"
WEB = ["gunicorn", "-c", "deploy/gunicorn.conf.py", "config.wsgi"]


def test_a_poller_may_take_as_long_to_stop_as_a_request_takes():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(PROJECT / "deploy" / "systemd" / "serviceops-poller@.service")
    assert int(unit["Service"]["TimeoutStopSec"]) > 240


def test_each_container_of_ours_has_an_init_that_passes_signals_on():
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert [name for name, service in services.items() if not service.get("init")] == ["db"]


def test_what_containers_run_exists_and_takes_its_options():
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert services.keys() == {"db", "migrate", "web", "worker", "poller", "reclaimer"}
    assert services["web"]["entrypoint"] == WEB
    for name in ("migrate", "worker", "poller", "reclaimer"):
        command, *options = services[name]["command"]
        load_command_class(get_commands()[command], command).create_parser("manage.py", command).parse_args(options)
    text = (PROJECT / "docs" / "settings.md").read_text()
    given = services["web"]["environment"].keys() - {"WEB_BIND"}
    assert [name for name in given if f"`{name}`" not in text] == []


def test_the_pooler_sets_what_sessions_need():
    query = connect_query()
    in_quotes = query.replace("'", "''")
    assert f"connect_query='{in_quotes}'\n" in (PROJECT / "deploy" / "pgbouncer.ini").read_text()
    assert len(query) <= CONNECT_QUERY_LIMIT


def test_the_documents_say_which_settings_a_dba_may_change():
    text = (PROJECT / "docs" / "operations.md").read_text()
    assert [one.name for one in SESSION_SETTINGS if f"`{one.name}`" not in text] == []
