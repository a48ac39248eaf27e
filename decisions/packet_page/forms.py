"""The forms of staff actions. Their cleaned data is what the verb asks for, by the names of its arguments."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import TextChoices

from decisions.codes import ClinicalDecision, DenialReason, OperationalDecision
from decisions.errors import DetailsMissing
from decisions.staff.dismiss import REQUIRED_DETAIL, check_details
from inbox.admin_pages.guarded_form import MAX_TEXT_LENGTH, ReasonForm, text_area
from packets.codes import DetailedStatus


class ChoiceForm(ReasonForm):
    """A reason, and a value to choose. Any value of the code is valid: the verb says why one is not possible now."""

    to: forms.TypedChoiceField

    field_order = ["to"]

    def offer(self, choices: list[str]) -> None:
        """Show these, which are possible now, and say so if another was chosen."""
        to = self["to"]
        to.field.widget.choices = [(value, value) for value in choices]
        chosen = to.data
        if chosen and chosen not in choices:
            to.help_text = f"You chose {chosen}, which is no longer possible."


class DismissForm(ReasonForm):
    """The denial reason and its details; a detail that the reason does not require may be given too."""

    denial_reason = forms.TypedChoiceField(choices=[("", "---------"), *DenialReason.choices], coerce=DenialReason)
    missingFields = forms.CharField(
        required=False, max_length=MAX_TEXT_LENGTH, widget=text_area(4), label="Missing fields"
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
        if denial_reason := data.get("denial_reason"):
            field = self.fields_of_details[REQUIRED_DETAIL[denial_reason]]
            try:
                check_details(denial_reason, details)
            except DetailsMissing as missing:
                if field not in self.errors:
                    self.add_error(field, f"{missing}.")
        asked = {name: data[name] for name in ("reason", "denial_reason") if name in data}
        return asked | {"denial_details": details}


def _one_of(values: Iterable[TextChoices], label: str) -> forms.TypedChoiceField:
    by_text = {str(value): value for value in values}
    choices = [(text, text) for text in by_text]
    return forms.TypedChoiceField(choices=choices, coerce=by_text.get, widget=forms.RadioSelect, label=label)


class OperationalForm(ChoiceForm):
    to = _one_of(OperationalDecision, "New operational decision")


class ClinicalForm(ChoiceForm):
    to = _one_of([answer for answer in ClinicalDecision if answer != ClinicalDecision.PENDING], "Clinical decision")


class MoveForm(ChoiceForm):
    to = _one_of(DetailedStatus, "New status")
