from django.apps import AppConfig


class DecisionsConfig(AppConfig):
    name = "decisions"

    def ready(self) -> None:
        from decisions import links, words
        from decisions import sources as source
        from decisions.generator import job as generate_payload
        from decisions.messages.clinical_answer import handle_clinical_decision
        from decisions.messages.generated_payload import handle_generated_payload
        from decisions.messages.utn import handle_utn_fail, handle_utn_success
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
