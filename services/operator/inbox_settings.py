"""The settings of an inbox as an administrator edits them in a form: show, save with a reason, delete.

Saving goes through the same checks and keeps the same history as `postroom config apply`. A secret that is typed in is
written to a file of the embedded default's folder, which only its owner reads; the store has the reference alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.operator.configuration import changes_since
from services.operator.configuration_versions import version
from services.operator.errors import NotAvailable
from services.operator.form_merge import merge
from services.operator.inboxes import inbox_named
from services.operator.settings_form import Filled, Form, changed, form_of, stated_keys, within
from shared.config.checks import complaints
from shared.config.model import XML_EXPORT, Configuration
from shared.config.problems import InvalidConfiguration, Problem
from shared.config.secrets import missing
from shared.config.values import ENVIRONMENT_REFERENCE, FILE_REFERENCE
from shared.contracts.errors import Unavailable
from shared.lazy_dataclass import dataclass
from shared.store import configuration as store

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Inbox
    from shared.store.configuration_changes import ConfigurationChange

SECRETS: Final = "secrets"
"""The folder of typed secrets, in that of the embedded default."""
NO_REASON: Final = "say why: settings.require_change_reason is on"
NO_PLACE: Final = (
    "is not a reference; a store that several machines share has no place for a secret: write ${ENV_NAME} or "
    "file:path, and give each machine the variable or the file"
)
CHANGED_MEANWHILE: Final = (
    "somebody else has changed the same settings since you opened this form; it has your values there, and the newer "
    "ones everywhere else: save again to keep it so"
)
CHANGED_TOO: Final = "somebody else has changed this too; what you see is your value"
DELETE_MEANWHILE: Final = (
    "somebody else has changed this inbox since you opened the page; look at it before you delete it"
)
_ATTEMPTS: Final = 5
"""How often a save is brought together with another one that was a moment faster."""


@dataclass(frozen=True, slots=True)
class InboxForm:
    """The form of an inbox. `name` is None for a new one; `revision`: that of the configuration it was made from.

    `changes` are those of others that a save met, the newest first.
    """

    form: Form
    name: str | None
    revision: int
    reason_problem: str = ""
    changes: tuple[ConfigurationChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """The result of saving: the name of the inbox, or the form with what has to be put right."""

    name: str | None
    form: InboxForm | None = None
    changed: bool = False


class _Moved(Exception):
    """The inbox was changed between reading and writing."""


def inbox_form(app: App, name: str) -> InboxForm:
    """The form of a stored inbox, with everything that it lacks (TI-13). Raises `NotAvailable`."""
    revision, configuration = _renewed(app)
    inbox = inbox_named(app, name)
    form = form_of(stated_keys(inbox), list(_lacks(configuration, inbox)), known=_known(configuration))
    return InboxForm(form, name, revision)


def new_inbox_form(app: App, protocol: str) -> InboxForm:
    """An empty form for an inbox of a protocol."""
    revision, configuration = _renewed(app)
    return InboxForm(_unflagged(form_of({"protocol": protocol}, known=_known(configuration))), None, revision)


def _renewed(app: App) -> tuple[int, Configuration]:
    """The configuration, and a revision that it is not older than."""
    return store.revision(app.documents), app.directory.renew()


def refilled_form(app: App, name: str | None, filled: Filled, revision: int) -> InboxForm:
    """The form with what was filled in, unsaved: another protocol has other fields."""
    stated = stated_keys(inbox_named(app, name)) if name else {}
    form = form_of(stated, filled=_named(filled, name), known=_known(app.directory.current()))
    return InboxForm(_unflagged(form), name, revision)


def save_inbox(
    app: App, name: str | None, filled: Filled, *, revision: int | None = None, by: str, reason: str = ""
) -> Saved:
    """Check and store what was filled in for an inbox; `name` None: a new one.

    `revision`: that of the form; None: whatever is stored. What others have changed since stays, in fields that this
    person left as they were; where both changed the same field, nothing is stored, and the form comes back. Nothing is
    stored either while something has to be put right. Raises `NotAvailable` when the inbox does not exist.
    """
    for _ in range(_ATTEMPTS):
        with suppress(_Moved):
            return _saved(app, name, filled, revision, by=by, reason=reason)
    raise Unavailable("others are saving the same inbox all the time; nothing was changed, try again")


def _saved(app: App, name: str | None, filled: Filled, made_from: int | None, *, by: str, reason: str) -> Saved:
    revision, configuration = _renewed(app)
    stored = stated_keys(inbox_named(app, name)) if name else {}
    filled, problems = _named(filled, name), list[Problem]()
    changes = changes_since(app, made_from, f"inboxes/{name}") if name and made_from is not None else ()
    if name and made_from is not None and changes:
        merged = merge(filled, _stated_then(app, name, made_from), stored)
        filled, problems = merged.filled, [Problem(each, CHANGED_TOO) for each in merged.conflicts]
        problems += [Problem("", CHANGED_MEANWHILE)] * bool(merged.conflicts)
    typed = TypedSecrets(None if app.location.store_url else app.location.data, filled)
    result = changed(typed.filled, stored)
    problems += (*typed.problems, *result.problems)
    if name is None and result.thing and configuration.inbox(result.thing.name):
        problems.append(Problem("name", "an inbox has this name already; choose another"))
    lacks_reason = configuration.settings.require_change_reason and not reason.strip()
    if result.thing and not problems and not lacks_reason:
        try:
            with typed.written():
                return Saved(result.thing.name, changed=_apply(app, result.thing, stored, by=by, reason=reason))
        except InvalidConfiguration as error:
            problems += error.problems
    form = form_of(stored, problems, filled=filled, known=_known(configuration))
    return Saved(None, InboxForm(form, name, revision, NO_REASON if lacks_reason else "", changes))


def _stated_then(app: App, name: str, revision: int) -> Mapping[str, object] | None:
    """The keys that an inbox stated in a version; None when that is not kept or cannot be read."""
    with suppress(NotAvailable, InvalidConfiguration):
        if inbox := version(app, revision).inbox(name):
            return stated_keys(inbox)
    return None


class TypedSecrets:
    """Secrets that were typed in, not referred to. `filled` has references to files in `folder` in their place.

    `folder` None: there is no place for them, and each is a problem.
    """

    def __init__(self, folder: Path | None, filled: Filled) -> None:
        typed = {name: value for name, value in _secrets_in(filled) if not _is_reference(value)}
        self.problems = [] if folder else [Problem(name, NO_PLACE) for name in typed]
        self._files = {
            name: (folder.absolute() / SECRETS / secrets.token_hex(8), value) for name, value in typed.items() if folder
        }
        references = {name: [f"{FILE_REFERENCE}{path}"] for name, (path, _) in self._files.items()}
        self.filled: Filled = {**filled, **{name: [] for name in typed}, **references}

    @contextmanager
    def written(self) -> Iterator[None]:
        """The files exist from now on; after an error they are removed again."""
        try:
            for path, value in self._files.values():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
                    file.write(value)
                    file.flush()
                    os.fsync(file.fileno())
            yield
        except BaseException:
            for path, _ in self._files.values():
                path.unlink(missing_ok=True)
            raise


def _secrets_in(filled: Filled) -> Iterator[tuple[str, str]]:
    protocol = (filled.get("protocol") or ["none"])[0]
    for name, field in form_of({}, filled={"protocol": [protocol]}).fields.items():
        if field.kind == "secret" and (given := filled.get(name)) and given[0]:
            yield name, given[0]


def _is_reference(value: str) -> bool:
    return bool(ENVIRONMENT_REFERENCE.fullmatch(value.strip())) or value.startswith(FILE_REFERENCE)


def delete_inbox(app: App, name: str, *, revision: int | None = None, by: str, reason: str = "") -> None:
    """Delete an inbox; mails, records and dead letters of it stay (IV-10). `revision`: that of the page, if there was.

    Raises `NotAvailable`, also when somebody else has changed it since, and `InvalidConfiguration` when something else
    needs the inbox.
    """
    inbox_named(app, name)

    def edit(stored: Configuration) -> Configuration:
        if revision is not None and (changes := changes_since(app, revision, f"inboxes/{name}")):
            raise NotAvailable(f"{DELETE_MEANWHILE} ({changes[0].by}, version {changes[0].revision})")
        left = tuple(each for each in stored.inboxes if each.name != name)
        if not left:
            raise NotAvailable(f"{name} is the only inbox; make another one first")
        return replace(stored, inboxes=left)

    store.change(app.documents, edit, prune=True, clock=app.clock, by=by, reason=reason)
    app.directory.renew()


def _apply(app: App, inbox: Inbox, before: Mapping[str, object], *, by: str, reason: str) -> bool:
    """Store the inbox at its place; whether something is different now. Problems have fields as their paths.

    `before`: the keys that it stated when it was read, none for a new one. Raises `_Moved` when they are others now.
    """
    place = 0

    def edit(stored: Configuration) -> Configuration:
        nonlocal place
        names = [each.name for each in stored.inboxes]
        place = names.index(inbox.name) if inbox.name in names else len(names)
        if (stated_keys(stored.inboxes[place]) if place < len(names) else {}) != before:
            raise _Moved
        inboxes = (*stored.inboxes[:place], inbox, *stored.inboxes[place + 1 :])
        return Configuration(inboxes=inboxes, sections=frozenset({"inboxes"}))

    try:
        applied = store.change(app.documents, edit, clock=app.clock, by=by, reason=reason)
    except InvalidConfiguration as error:
        raise InvalidConfiguration(replace(each, path=within(each.path, place)) for each in error.problems) from None
    app.directory.renew()
    return applied.changed


def _lacks(configuration: Configuration, inbox: Inbox) -> Iterator[Problem]:
    """What an inbox lacks, and what does not fit; then its secrets that are missing on this machine."""
    place = next(place for place, each in enumerate(configuration.inboxes) if each.name == inbox.name)
    for path, message in _found_in(configuration):
        if path.startswith(f"inboxes[{place}]"):
            yield Problem(within(path, place), message)


def _found_in(configuration: Configuration) -> Iterator[tuple[str, str]]:
    yield from ((each.path, each.message) for each in complaints(configuration))
    yield from ((each.path, each.message) for each in missing(configuration))


def _known(configuration: Configuration) -> Mapping[str, Sequence[str]]:
    """What fields of an inbox may refer to."""
    return {
        "processor": (*(each.name for each in configuration.types), XML_EXPORT),
        "template": [each.name for each in configuration.templates],
        "partition": [each.name for each in configuration.partitions],
        "mail_server": [each.name for each in configuration.mail_servers],
        "canary.mail_server": [each.name for each in configuration.mail_servers],
        "export.connection": [each.name for each in configuration.connections],
        "commands.reply_template": [each.name for each in configuration.mail_templates],
        "sender.object.type": [each.name for each in configuration.types],
    }


def _named(filled: Filled, name: str | None) -> Filled:
    """An inbox keeps its name: mails and history have it."""
    return {**filled, "name": [name]} if name else filled


def _unflagged(form: Form) -> Form:
    """Without marks of what is missing: nothing was to be saved yet."""
    return replace(
        form,
        groups=tuple(
            replace(group, fields=tuple(replace(each, missing=False) for each in group.fields)) for group in form.groups
        ),
    )
