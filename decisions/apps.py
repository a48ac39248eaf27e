from django.apps import AppConfig


class DecisionsConfig(AppConfig):
    name = "decisions"

    def ready(self) -> None:
        from decisions import generate_payload, links, source, words
        from decisions.clinical_ops.answer import handle_clinical_decision
        from decisions.clinical_ops.payload import handle_generated_payload
        from decisions.utn.handler import handle_utn_fail, handle_utn_success
        from inbox.admin_pages.links import register_links
        from inbox.admin_pages.redaction import know_words
        from packets.source import INTEGRATION

        INTEGRATION.handles("utn_success")(handle_utn_success)
        INTEGRATION.handles("utn_fail")(handle_utn_fail)
        source.CLINICAL_DECISION.handles("clinical_decision")(handle_clinical_decision)
        source.GENERATED_PAYLOAD.handles("generated_payload")(handle_generated_payload)
        source.JSON_GENERATOR.calls("generate_payload", generate_payload.OUTBOUND)
        know_words(words.WORDS.split())
        register_links(links.links)
