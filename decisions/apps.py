from django.apps import AppConfig


class DecisionsConfig(AppConfig):
    name = "decisions"

    def ready(self) -> None:
        from decisions import generate_payload, source

        source.JSON_GENERATOR.calls("generate_payload", generate_payload.OUTBOUND)
