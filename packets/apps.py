from django.apps import AppConfig


class PacketsConfig(AppConfig):
    name = "packets"

    def ready(self) -> None:
        from inbox.links import register_links, register_search
        from packets import links, source
        from packets.intake import handler
        from packets.unknown import explain

        source.INTEGRATION.handles("intake")(handler.handle_intake)
        source.INTEGRATION.handles("unknown")(explain)
        register_links(links.links)
        register_search(links.search)
