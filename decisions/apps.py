from django.apps import AppConfig


class DecisionsConfig(AppConfig):
    name = "decisions"

    def ready(self) -> None:
        from decisions import effects, links, words
        from decisions import sources as source
        from decisions.generator import job as generate_payload
        from decisions.messages.clinical_answer import ClinicalAnswers
        from decisions.messages.generated_payload import GeneratedPayloads
        from decisions.messages.utn import UtnFailures, UtnSuccesses
        from inbox.admin_pages.links import register_links
        from inbox.admin_pages.redaction import know_words
        from packets.source import INTEGRATION

        INTEGRATION.handles("utn_success")(UtnSuccesses())
        INTEGRATION.handles("utn_fail")(UtnFailures())
        source.CLINICAL_DECISION.handles("clinical_decision")(ClinicalAnswers())
        source.GENERATED_PAYLOAD.handles("generated_payload")(GeneratedPayloads())
        source.JSON_GENERATOR.calls("generate_payload", generate_payload.OUTBOUND)
        INTEGRATION.effects.update(utn_success=effects.ANSWERS, utn_fail=effects.ANSWERS)
        source.CLINICAL_DECISION.effects["clinical_decision"] = effects.ANSWERS
        source.GENERATED_PAYLOAD.effects["generated_payload"] = effects.ANSWERS
        know_words(words.WORDS.split())
        register_links(links.links)
