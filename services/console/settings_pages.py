"""The pages that inboxes and mail servers share: choose a method, fill in the form, save it, ask before deleting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from services.operator.permissions.writes import Write
from services.operator.settings.configuration_versions import newest
from services.operator.settings.form_edits import (
    ChangeAuthor,
    Saved,
    delete_stored,
    new_form,
    refilled_form,
    save_form,
    stored_form,
)
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit
    from services.operator.settings.form_edits import SettingsForm
    from services.operator.settings.form_kinds import FormKind

WEB_METHODS: Final = (
    ("graph", "Microsoft 365 (Graph)", "Exchange Online, by an application of Entra ID."),
    ("ews", "Exchange (EWS)", "Exchange on your own servers, with a password, NTLM or an application."),
    ("gmail", "Gmail API", "Google Workspace, by a service account that acts for the user of the mailbox."),
)
"""Methods over the web, by which mail comes in and leaves: protocol, its name, and for whom it is."""
_NOT_FIELDS: Final = frozenset({"form_token", "reason", "revision", "method"})


@dataclass(frozen=True, slots=True)
class SettingsPages:
    """The pages of one kind of thing below the path `base`.

    `methods`: protocol, its name, and for whom it is. `question` is asked above them; `saving` says what saving does.
    """

    kind: FormKind
    base: str
    methods: Sequence[tuple[str, str, str]]
    question: str
    saving: str

    def path(self, name: str) -> str:
        """The page of one thing."""
        return f"{self.base}/{quote(name, safe='')}"

    @property
    def _shared(self) -> dict[str, Any]:
        """What every template of these pages gets."""
        return {"kind": self.kind, "base": self.base}

    def new(self, visit: Visit) -> Response:
        """Choose a method, then fill in the form of that method."""
        protocol = visit.text("protocol")
        if protocol not in {each for each, _, _ in self.methods}:
            values: dict[str, Any] = {"methods": self.methods, "question": self.question, **self._shared}
            return visit.page("settings_methods.html", **values)
        return self._form(visit, new_form(visit.app, self.kind, protocol))

    def settings(self, visit: Visit, name: str) -> Response:
        """The form of one thing."""
        return self._form(visit, stored_form(visit.app, self.kind, name))

    def _form(self, visit: Visit, shown: SettingsForm, status: int = 200, reason: str = "") -> Response:
        required = visit.app.directory.current().settings.require_change_reason
        values: dict[str, Any] = {
            **self._shared,
            "saving": self.saving,
            "methods": [(protocol, label) for protocol, label, _ in self.methods],
            "reason": reason,
            "reason_required": required,
        }
        return visit.page("settings_form.html", status, shown=shown, form=shown.form, **values)

    def save(self, visit: Visit) -> Saved | Response:
        """What was saved; or the page to show: the form again, or the fields of another method.

        The name in the path need not be stored any more: what was typed comes back in a form that creates the thing.
        """
        name = visit.values.get("name")
        fields = (visit.form or {}).keys()
        filled = {each: visit.texts(each) for each in fields if each not in _NOT_FIELDS}
        revision, reason = visit.revision(), visit.reason()
        if visit.text("method"):
            form = refilled_form(visit.app, self.kind, name, filled, revision)
            return self._form(visit, form, 409 if form.removed else 200, reason)
        author = ChangeAuthor(visit.who.name, reason)
        saved = save_form(visit.app, self.kind, name, filled, author, revision=revision)
        if saved.form is not None:
            return self._form(visit, saved.form, 409, reason)
        visit.note(Write(f"{'saved' if name else 'made'} {self._one}"), saved.name or "")
        return saved

    @property
    def _one(self) -> str:
        return f"{'an' if self.kind.noun[0] in 'aeiou' else 'a'} {self.kind.noun}"

    def deletion(self, visit: Visit, name: str, means: str) -> Response:
        """Ask before it is deleted (IV-10, VS-13); `means` says what then is."""
        values: dict[str, Any] = {"name": name, "means": means, "revision": newest(visit.app), **self._shared}
        return visit.page("settings_delete.html", **values)

    def delete(self, visit: Visit, name: str, notice: str) -> Response:
        """Delete a thing whose name was typed."""
        if visit.text("confirm") != name:
            return visit.back(f"{self.path(name)}/delete", f"Type {name} to delete it.")
        author, revision = ChangeAuthor(visit.who.name, visit.reason()), visit.revision()
        delete_stored(visit.app, self.kind, name, author, revision=revision)
        visit.note(Write(f"deleted {self._one}"), name)
        return visit.back(self.base, notice)
