"""The form that asks the catalogue's records."""

from collections.abc import Callable
from typing import Any

from django import forms

from cacheback_app.records import Comparison, Query

_COMPARISONS = [
    (Comparison.EQUAL, "is"),
    (Comparison.LESS_THAN, "is before"),
    (Comparison.LESS_THAN_OR_EQUAL, "is, or is before"),
    (Comparison.GREATER_THAN, "is after"),
    (Comparison.GREATER_THAN_OR_EQUAL, "is, or is after"),
]


def _number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise forms.ValidationError(f"“{text}” is not a whole number.") from None
    if abs(number) >= 2**63:
        raise forms.ValidationError(f"“{text}” is too large.")
    return number


def _yes_or_no(text: str) -> bool:
    try:
        return {"yes": True, "no": False}[text.lower()]
    except KeyError:
        raise forms.ValidationError(f"“{text}” is neither yes nor no.") from None


_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "name": ("Name", str),
    "version": ("Version", str),
    "licence": ("Licence", str),
    "requirements": ("Requirement", str),
    "id": ("Number in the API", _number),
    "editable": ("Editable", _yes_or_no),
}


class QueryForm(forms.Form):
    """One condition on the records; several values, with commas between them, mean any of them."""

    field = forms.ChoiceField(choices=[(key, label) for key, (label, _) in _FIELDS.items()])
    comparison = forms.ChoiceField(choices=[(each.name, label) for each, label in _COMPARISONS])
    value = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def clean(self) -> dict[str, Any]:
        """Make the query of what was entered."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        _, convert = _FIELDS[cleaned["field"]]
        try:
            values = [convert(part.strip()) for part in cleaned["value"].split(",")]
        except forms.ValidationError as exc:
            self.add_error("value", exc)
            return cleaned
        value = values if len(values) > 1 else values[0]
        try:
            cleaned["query"] = Query(cleaned["field"], value, Comparison[cleaned["comparison"]])
        except TypeError:
            self.add_error("comparison", "Several values are neither before nor after another.")
        except ValueError:
            self.add_error("value", "This text is none that can be searched for.")
        return cleaned
