"""The forms of staff actions. What was typed stays in them, whatever becomes of the action.

`seen` is what the person saw when deciding: the key of the active version, for a move the status. `correlation_id` is
made with the form, so that a second click is known as the same request; with something else typed, it is another one.
"""

import json
from typing import Any
from uuid import uuid5

from django import forms

from decisions.codes import ClinicalDecision, DenialReason, OperationalDecision
from decisions.errors import DetailsMissing
from decisions.staff.dismiss import REQUIRED_DETAIL, check_details
from packets.codes import DetailedStatus

MAX_TEXT_LENGTH = 2000
MAX_BIGINT = 2**63 - 1


def text_area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "cols": 60})


class ActionForm(forms.Form):
    """A reason; `choices` are the values that the person can choose from now, if there is a choice."""

    reason = forms.CharField(
        max_length=MAX_TEXT_LENGTH, widget=text_area(3), help_text="Kept in the packet's history. No patient data."
    )
    correlation_id = forms.UUIDField(widget=forms.HiddenInput)
    seen: forms.Field = forms.IntegerField(required=False, min_value=1, max_value=MAX_BIGINT, widget=forms.HiddenInput)

    field_order = ["to"]
    required_css_class = "required"

    def __init__(self, *args: Any, choices: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        to = self.fields.get("to")
        if isinstance(to, forms.ChoiceField):
            # Only shown, not checked: that a choice is gone is told by the verb, together with why.
            to.widget.choices = [(value, value) for value in choices]
            chosen = self.data.get("to")
            if chosen and chosen not in choices:
                to.help_text = f"You had chosen {chosen}, which is not possible now."

    def request(self) -> dict[str, Any]:
        """What is asked for, with the `correlation_id` of just that; of a valid form."""
        asked = self.cleaned_data
        typed = {name: asked[name] for name in self.fields if name not in ("correlation_id", "seen")}
        text = json.dumps(typed, sort_keys=True)
        return asked | {"correlation_id": uuid5(asked["correlation_id"], text)}


class DismissForm(ActionForm):
    """The denial reason and its details; a detail that the reason does not require may be given too."""

    denial_reason = forms.ChoiceField(choices=[("", "---------"), *DenialReason.choices])
    missingFields = forms.CharField(
        required=False,
        max_length=MAX_TEXT_LENGTH,
        widget=text_area(4),
        label="Missing fields",
    )
    explanation = forms.CharField(required=False, max_length=MAX_TEXT_LENGTH, widget=text_area(2))
    procedureCode = forms.CharField(required=False, max_length=50, label="Procedure code")
    # `reason` is why the person dismisses; this one is what the denial says.
    denial_text = forms.CharField(
        required=False, max_length=MAX_TEXT_LENGTH, widget=text_area(2), label="Reason in the denial"
    )

    field_order = ["denial_reason", "missingFields", "explanation", "procedureCode", "denial_text", "reason"]
    # The field of each detail.
    fields_of_details = {
        "missingFields": "missingFields",
        "explanation": "explanation",
        "procedureCode": "procedureCode",
        "reason": "denial_text",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for detail, name in self.fields_of_details.items():
            reasons = [str(reason) for reason, required in REQUIRED_DETAIL.items() if required == detail]
            how = "One per line. " if detail == "missingFields" else ""
            self.fields[name].help_text = f"{how}Required for {' and '.join(reasons)}."

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        details = {detail: data[name] for detail, name in self.fields_of_details.items() if data.get(name)}
        if "missingFields" in details:
            details["missingFields"] = [line.strip() for line in details["missingFields"].splitlines() if line.strip()]
        data["denial_details"] = details
        if denial_reason := data.get("denial_reason"):
            self._check_details(DenialReason(denial_reason), details)
        return data

    def _check_details(self, denial_reason: DenialReason, details: dict[str, Any]) -> None:
        field = self.fields_of_details[REQUIRED_DETAIL[denial_reason]]
        if field in self.errors:
            return
        try:
            check_details(denial_reason, details)
        except DetailsMissing as missing:
            self.add_error(field, f"{missing}.")


class OperationalForm(ActionForm):
    to = forms.ChoiceField(
        choices=OperationalDecision.choices, widget=forms.RadioSelect, label="New operational decision"
    )


class ClinicalForm(ActionForm):
    to = forms.ChoiceField(
        choices=[(answer, answer) for answer in ClinicalDecision.values if answer != ClinicalDecision.PENDING],
        widget=forms.RadioSelect,
        label="Clinical decision",
    )


class MoveForm(ActionForm):
    to = forms.ChoiceField(choices=DetailedStatus.choices, widget=forms.RadioSelect, label="New status")
    seen = forms.CharField(max_length=100, widget=forms.HiddenInput)
