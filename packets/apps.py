from django.apps import AppConfig


class PacketsConfig(AppConfig):
    name = "packets"

    def ready(self) -> None:
        from inbox.admin_pages.links import register_links, register_search
        from inbox.admin_pages.redaction import know_words
        from packets import effects, links, source, words
        from packets.intake import handler
        from packets.unknown import explain

        source.INTEGRATION.handles("intake")(handler.handle_intake)
        source.INTEGRATION.handles("unknown")(explain)
        source.INTEGRATION.effects["intake"] = effects.INTAKES
        know_words(words.WORDS.split())
        register_links(links.links)
        register_search(links.search)
