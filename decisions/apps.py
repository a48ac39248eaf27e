from django.apps import AppConfig


class DecisionsConfig(AppConfig):
    name = "decisions"

    def ready(self) -> None:
        from decisions.utn import handler
        from packets import source

        source.INTEGRATION.handles("utn_success")(handler.handle_utn_success)
        source.INTEGRATION.handles("utn_fail")(handler.handle_utn_fail)
