"""What the panel takes from its users."""

from __future__ import annotations

from typing import Any

from django import forms

from cacheback_app.catalogue import KnownCall, KnownJob
from cacheback_app.previews import printable

from . import calls
from .actions import DONE


class CallForm(forms.Form):
    """A call of one job, by arguments in JSON. Valid, it has the call as ``call``."""

    args = forms.CharField(required=False, max_length=calls.LONGEST_TEXT, strip=True)
    kwargs = forms.CharField(required=False, max_length=calls.LONGEST_TEXT, strip=True)
    init = forms.CharField(required=False, max_length=calls.LONGEST_TEXT, strip=True)

    call: KnownCall

    def __init__(self, job: KnownJob, data: Any = None) -> None:
        super().__init__(data, auto_id="call-%s")
        self._job = job
        if not calls.is_built_with_arguments(job):
            del self.fields["init"]

    def clean(self) -> dict[str, Any]:
        """Find the call; what is wrong with it is said beside the field."""
        cleaned = self.cleaned_data
        if self.errors:
            return cleaned
        try:
            self.call = calls.named(self._job, **cleaned)
        except calls.BadField as exc:
            self.add_error(exc.field, printable(str(exc)))
        return cleaned


class ActionForm(forms.Form):
    """The button that was pressed."""

    action = forms.ChoiceField(choices=[(name, name) for name in DONE])
