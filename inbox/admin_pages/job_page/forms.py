"""The forms of operators' actions. What was typed stays in them, whatever becomes of the action."""

import json
from typing import Any

from django import forms

from inbox import registry
from inbox.models import InboxJob

MAX_TEXT_LENGTH = 2000
# As large as a person can correct by hand. DATA_UPLOAD_MAX_MEMORY_SIZE in the settings has room for that.
MAX_CONTENT_LENGTH = 1_000_000


def text_area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "cols": 60})


class ReasonForm(forms.Form):
    """Why it is done."""

    reason = forms.CharField(
        max_length=MAX_TEXT_LENGTH, widget=text_area(3), help_text="Kept in the audit. No patient data."
    )

    field_order = ["content", "message_type", "to"]
    required_css_class = "required"


class TimeForm(ReasonForm):
    to = forms.DateTimeField(
        required=False,
        label="Next attempt at",
        widget=forms.DateTimeInput(attrs={"placeholder": "YYYY-MM-DD HH:MM:SS", "size": 22}),
        help_text="UTC, such as 2031-02-03 04:05:06. Empty: now.",
    )


class TextFromBrowser(forms.CharField):
    """Ends lines as the text did that was shown; browsers send two characters for each end, which would count."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if value else value)


class CorrectionForm(ReasonForm):
    """The corrected message, and what it is."""

    content = TextFromBrowser(
        max_length=MAX_CONTENT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 24, "cols": 100, "spellcheck": "false", "class": "job-json"}),
        label="Message",
        help_text="JSON. It is kept beside the original, which stays as it came, and is handled in its place.",
        strip=False,
    )
    message_type = forms.ChoiceField()

    def __init__(self, *args: Any, job: InboxJob, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = registry.find(job.source)
        types = {job.message_type, *(source.message_types if source else ())}
        field = self.fields["message_type"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 for mypy
        field.choices = [(name, name) for name in sorted(types)]

    def is_multipart(self) -> bool:
        """So that a character is four bytes at most on its way, not twelve."""
        return True

    def clean_content(self) -> str:
        """JSON, indented as a person typed it or not: kept as its own text."""
        text: str = self.cleaned_data["content"]
        try:
            value = json.loads(text, parse_constant=_refuse)
            # PostgreSQL stores no NUL and no half of a surrogate pair.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise forms.ValidationError("A text holds half of a surrogate pair, which can't be stored.") from None
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from None
        except (ValueError, RecursionError):
            raise forms.ValidationError("It holds a number that is too long, NaN, or is nested too deeply.") from None
        if "\\u0000" in text:
            raise forms.ValidationError("A text holds \\u0000, which can't be stored.")
        return text


def _refuse(name: str) -> None:
    raise ValueError(name)
