from django.apps import AppConfig


class HangingConfig(AppConfig):
    name = "tests.support.hanging"

    def ready(self) -> None:
        from inbox.registry import Source, register_source
        from tests.support.hanging import handlers
        from tests.support.probe import leave_witnesses

        types = {"gated": handlers.wait_at_gate, "killer": handlers.die, "probe": leave_witnesses}
        register_source(Source(name="test", command="run_inbox_worker", handlers=types))
