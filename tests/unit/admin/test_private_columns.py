"""Every text column of a model is private or known to be ours."""

from django.apps import apps
from django.db import models

from inbox.models import InboxTally

MODELS = [
    model
    for app in ("inbox", "packets", "decisions")
    for model in apps.get_app_config(app).get_models()
    if model is not InboxTally
]


# Texts of ours: names of machines and people who work here, words of the code, ids that ServiceOps makes.
OURS = {
    "inboxjob": {
        *("source", "message_type", "status", "locked_by", "finished_by", "error_kind", "last_error", "note", "errors"),
    },
    "inboxworker": {"worker_id", "command", "host", "state", "state_reason"},
    "inboxaudit": {"who", "verb", "reason", "object", "before", "after"},
    "inboxcorrection": {"made_by"},
    "inboxtally": {"counts"},
    "pollwatermark": {"source"},
    "sourcepause": {"source", "reason"},
    "packet": {"external_id"},
    "packetevent": {"what", "by", "from_status", "to_status", "reason"},
    "packetdecision": {"created_by"},
    "decisionmessage": {"kind", "source"},
    "sendintegration": {"dedupe_key"},
    "sendclinicalops": {"dedupe_key"},
}


def test_every_text_of_a_row_is_private_or_known_to_be_ours():
    for model in MODELS:
        private = getattr(model, "private", None)
        texts = {
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.TextField | models.CharField | models.JSONField) and not field.choices
        }
        payloads = {
            "inboxcorrection": {"content"},
            "integrationmessage": {"payload"},
            "clinicalopsmessage": {"payload", "clinical_ops_decision_json"},
            "packetdecision": {"esmd_request_payload"},
            "decisionmessage": {"content", "payload"},
            "sendintegration": {"payload"},
            "sendclinicalops": {"payload"},
        }
        name = model._meta.model_name
        known = OURS.get(name, set()) | payloads.get(name, set()) | (private.fields if private else set())
        assert texts - known == set(), name
