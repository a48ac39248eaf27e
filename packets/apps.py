from django.apps import AppConfig


class PacketsConfig(AppConfig):
    name = "packets"

    def ready(self) -> None:
        from packets import source
        from packets.intake import handler
        from packets.unknown import explain

        source.INTEGRATION.handles("intake")(handler.handle_intake)
        source.INTEGRATION.handles("unknown")(explain)
