"""The forms of operations on jobs. Their cleaned data is what `apply` asks for."""

import json
from typing import Any

from django import forms

from inbox import registry
from inbox.admin_pages.guarded_form import ReasonForm
from inbox.models import InboxJob
from inbox.operations.operation import Operation
from inbox.operations.verbs import RESCHEDULE

# As large as a person can correct by hand. DATA_UPLOAD_MAX_MEMORY_SIZE in the settings has room for that.
MAX_CONTENT_LENGTH = 1_000_000


class TimeForm(ReasonForm):
    to = forms.DateTimeField(
        required=False,
        label="Next attempt at",
        widget=forms.DateTimeInput(attrs={"placeholder": "YYYY-MM-DD HH:MM:SS", "size": 22}),
        help_text="UTC, such as 2031-02-03 04:05:06. Empty: now.",
    )

    field_order = ["to"]


class TextFromBrowser(forms.CharField):
    """Ends lines with one character, as the text that was shown; browsers send two, and both would count."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if value else value)


class CorrectionForm(ReasonForm):
    """The corrected message, and its type."""

    content = TextFromBrowser(
        max_length=MAX_CONTENT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 24, "cols": 100, "spellcheck": "false", "class": "job-json"}),
        label="Message",
        help_text="JSON. It is handled instead of the original, which is kept as it came.",
        strip=False,
    )
    message_type = forms.ChoiceField()

    field_order = ["content", "message_type"]

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
        """The text itself, as it was typed, once it is known to be JSON that can be stored."""
        text: str = self.cleaned_data["content"]
        try:
            value = json.loads(text, parse_constant=_refuse)
            # PostgreSQL stores no NUL and no half of a surrogate pair.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise forms.ValidationError("A string holds half of a surrogate pair, which can't be stored.") from None
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from None
        except (ValueError, RecursionError):
            raise forms.ValidationError("It is nested too deeply, or holds NaN or too long a number.") from None
        if "\\u0000" in text:
            raise forms.ValidationError("A string holds \\u0000, which can't be stored.")
        return text


def _refuse(name: str) -> None:
    raise ValueError(name)


def form_of(operation: Operation) -> type[ReasonForm]:
    """The form that asks for what the operation needs."""
    return TimeForm if operation is RESCHEDULE else ReasonForm
