"""The settings of an inbox or a mail server as an administrator edits them in a form: show, save with a reason, delete.

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
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.settings.configuration import changes_since, notes_on
from services.operator.settings.configuration_versions import version
from services.operator.settings.form_merge import merge
from services.operator.settings.settings_form import (
    Filled,
    Form,
    changed,
    first_given,
    form_of,
    protocol_of,
    stated_keys,
    within,
)
from shared.config.checks import complaints
from shared.config.merge import names
from shared.config.model import XML_EXPORT, Configuration
from shared.config.problems import InvalidConfiguration, Problem
from shared.config.secrets import missing
from shared.config.values import ENVIRONMENT_REFERENCE, FILE_REFERENCE
from shared.contracts.errors import Unavailable
from shared.lazy_dataclass import dataclass
from shared.store import configuration as store

if TYPE_CHECKING:
    from services.operator.settings.form_kinds import FormKind
    from shared.app import App
    from shared.store.configuration_changes import ConfigurationChange

SECRETS: Final = "secrets"
"""The folder of typed secrets, in that of the embedded default."""
NO_REASON: Final = "say why: settings.require_change_reason is on"
FORM_VARIABLES: Final = "POSTROOM_SECRET_"
"""Variables that a form may refer to begin so: whoever runs the servers has named them for that."""
NO_PLACE: Final = (
    "cannot be kept: a store that several machines share has no place for it; give each machine a variable whose name "
    f"begins with {FORM_VARIABLES}, and write ${{{FORM_VARIABLES}...}} here"
)
NO_REFERENCE: Final = (
    f"is a reference, and a form takes those alone that read ${{{FORM_VARIABLES}...}}: with others, any file or "
    "variable of the server could be sent to a host of one's choice; type the secret itself, or write the reference in "
    "the configuration file and apply it"
)
CHANGED_MEANWHILE: Final = (
    "somebody else has changed the same settings since you opened this form; it has your values there, and the newer "
    "ones everywhere else: save again to keep it so"
)
CHANGED_TOO: Final = "somebody else has changed this too; what you see is your value"
REMOVED_MEANWHILE: Final = (
    "{} was removed since you opened this form, and nothing was saved: save again to create this {} anew with the "
    "values below; passwords have to be typed again"
)
DELETE_MEANWHILE: Final = "somebody else has changed it since you opened the page; look at it before you delete it"
_ATTEMPTS: Final = 5
"""How often a save is brought together with another one that was a moment faster."""


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """The form of a thing. `name` is None for a new one; `revision`: that of the configuration it was made from.

    `changes` are those of others that a save met, the newest first. `removed`: the name of a thing that was removed
    while its form was filled in; the form creates it anew, and `changes` has the one that removed it, if that is known.
    `notes`: what `config check` notes about the stored thing, each with its key.
    """

    form: Form
    name: str | None
    revision: int
    reason_problem: str = ""
    changes: tuple[ConfigurationChange, ...] = ()
    removed: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """The result of saving: the name of the thing, or the form with what has to be put right."""

    name: str | None
    form: SettingsForm | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ChangeAuthor:
    """Who makes a change, and why."""

    by: str
    reason: str = ""


class _Moved(Exception):
    """The thing was changed between reading and writing."""


def stored_form(app: App, kind: FormKind, name: str) -> SettingsForm:
    """The form of a stored thing, with everything that it lacks (TI-13). Raises `NotAvailable`."""
    revision, configuration = _renewed(app)
    place, thing = _found(configuration, kind, name)
    lacks = [
        Problem(within(path, kind, place), message)
        for path, message in _found_in(configuration)
        if path.startswith(f"{kind.section}[{place}]")
    ]
    form = form_of(stated_keys(thing, kind), lacks, kind=kind, known=_known(configuration))
    noted = (each for each in notes_on(configuration) if each.path.startswith(f"{kind.section}[{place}]"))
    notes = tuple(f"{within(each.path, kind, place)}: {each.message}" for each in noted)
    return SettingsForm(form, name, revision, notes=notes)


def new_form(app: App, kind: FormKind, protocol: str) -> SettingsForm:
    """An empty form for a thing of a protocol."""
    revision, configuration = _renewed(app)
    form = form_of({"protocol": protocol}, kind=kind, known=_known(configuration))
    return SettingsForm(_unflagged(form), None, revision)


def _renewed(app: App) -> tuple[int, Configuration]:
    """The configuration, and a revision that it is not older than."""
    return store.revision(app.documents), app.directory.renew()


def _found(configuration: Configuration, kind: FormKind, name: str) -> tuple[int, Any]:
    """The place of a thing in its section, and the thing. Raises `NotAvailable`."""
    for place, each in enumerate(getattr(configuration, kind.section)):
        if each.name == name:
            return place, each
    raise NotAvailable(f"there is no {kind.noun} {name!r}")


def _stated_in(configuration: Configuration, kind: FormKind, name: str | None) -> dict[str, Any]:
    """The keys that a thing states; none for a new one. Raises `NotAvailable`."""
    return stated_keys(_found(configuration, kind, name)[1], kind) if name else {}


def refilled_form(app: App, kind: FormKind, name: str | None, filled: Filled, revision: int) -> SettingsForm:
    """The form with what was filled in, unsaved: another protocol has other fields."""
    configuration = app.directory.current()
    if name and _is_gone(configuration, kind, name):
        return _form_of_removed(app, kind, name, filled)
    stated = _stated_in(configuration, kind, name)
    form = form_of(stated, kind=kind, filled=_named(filled, name), known=_known(configuration))
    return SettingsForm(_unflagged(form), name, revision)


def _is_gone(configuration: Configuration, kind: FormKind, name: str) -> bool:
    return name not in names(kind.section, getattr(configuration, kind.section))


def _form_of_removed(app: App, kind: FormKind, name: str, filled: Filled) -> SettingsForm:
    """The form of a new thing with what was filled in for one that is gone, and who removed that."""
    revision, configuration = _renewed(app)
    said = Problem("", REMOVED_MEANWHILE.format(name, kind.noun))
    form = form_of({}, [said], kind=kind, filled=_named(filled, name), known=_known(configuration))
    thing = f"{kind.section}/{name}"
    removals = tuple(each for each in changes_since(app, 0, thing)[:1] if thing in each.deleted)
    return SettingsForm(_unflagged(form), None, revision, changes=removals, removed=name)


def save_form(
    app: App, kind: FormKind, name: str | None, filled: Filled, author: ChangeAuthor, *, revision: int | None = None
) -> Saved:
    """Check and store what was filled in for a thing; `name` None: a new one.

    `revision`: that of the form; None: whatever is stored. What others have changed since stays, in fields that this
    person left as they were; where both changed the same field, nothing is stored, and the form comes back. Nothing is
    stored either while something has to be put right, or when the thing was removed: then the form is one that creates
    it anew.
    """
    for _ in range(_ATTEMPTS):
        with suppress(_Moved):
            return _saved(app, kind, name, filled, author, revision)
    raise Unavailable(f"others are saving the same {kind.noun} all the time; nothing was changed, try again")


def _saved(
    app: App, kind: FormKind, name: str | None, filled: Filled, author: ChangeAuthor, made_from: int | None
) -> Saved:
    revision, configuration = _renewed(app)
    if name and _is_gone(configuration, kind, name):
        return Saved(None, _form_of_removed(app, kind, name, filled))
    stored = _stated_in(configuration, kind, name)
    filled, changes = _named(filled, name), _changes_of_others(app, kind, name, made_from)
    problems: list[Problem] = []
    if changes and name and made_from is not None:
        merged = merge(kind, filled, _stated_then(app, kind, name, made_from), stored)
        filled, problems = merged.filled, [Problem(each, CHANGED_TOO) for each in merged.conflicts]
        problems += [Problem("", CHANGED_MEANWHILE)] * bool(merged.conflicts)
    typed = TypedSecrets(None if app.location.store_url else app.location.data, kind, filled)
    result = changed(typed.filled, stored, kind)
    problems += (*typed.problems, *result.problems)
    if name is None and result.thing and result.thing.name in names(kind.section, getattr(configuration, kind.section)):
        problems.append(Problem("name", f"there is another {kind.noun} of this name; choose another"))
    lacks_reason = configuration.settings.require_change_reason and not author.reason.strip()
    if result.thing and not problems and not lacks_reason:
        try:
            with typed.written():
                return Saved(result.thing.name, changed=_apply(app, kind, result.thing, stored, author))
        except InvalidConfiguration as error:
            problems += error.problems
    form = form_of(stored, problems, kind=kind, filled=filled, known=_known(configuration))
    return Saved(None, SettingsForm(form, name, revision, NO_REASON if lacks_reason else "", changes))


def _changes_of_others(
    app: App, kind: FormKind, name: str | None, made_from: int | None
) -> tuple[ConfigurationChange, ...]:
    return changes_since(app, made_from, f"{kind.section}/{name}") if name and made_from is not None else ()


def _stated_then(app: App, kind: FormKind, name: str, revision: int) -> dict[str, Any] | None:
    """The keys that a thing stated in a version; None when that is not kept or cannot be read."""
    with suppress(NotAvailable, InvalidConfiguration):
        return _stated_in(version(app, revision), kind, name)
    return None


class TypedSecrets:
    """Secrets that were typed in. `filled` has references to files in `folder` in their place.

    `folder` None: there is no place for them, and each is a problem. So is a reference, but to `FORM_VARIABLES`: only a
    configuration file has others, whose author reads the files of the server anyway.
    """

    def __init__(self, folder: Path | None, kind: FormKind, filled: Filled) -> None:
        given = dict(_secrets_in(kind, filled))
        permitted = {name: [value.strip()] for name, value in given.items() if _is_for_forms(value)}
        typed = {name: value for name, value in given.items() if name not in permitted}
        found = [
            (name, NO_REFERENCE if _is_reference(value) else "" if folder else NO_PLACE)
            for name, value in typed.items()
        ]
        self.problems = [Problem(name, problem) for name, problem in found if problem]
        self._files = {
            name: (folder.absolute() / SECRETS / secrets.token_hex(8), value)
            for name, value in typed.items()
            if folder and not self.problems
        }
        references = permitted | {name: [f"{FILE_REFERENCE}{path}"] for name, (path, _) in self._files.items()}
        self.filled: Filled = {**filled, **{name: [] for name in typed}, **references}

    @contextmanager
    def written(self) -> Iterator[None]:
        """The files exist from now on; after an error they are removed again.

        They stay when the store did not answer: what refers to them may be stored.
        """
        try:
            for path, value in self._files.values():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
                    file.write(value)
                    file.flush()
                    os.fsync(file.fileno())
            yield
        except Unavailable:
            raise
        except BaseException:
            for path, _ in self._files.values():
                path.unlink(missing_ok=True)
            raise


def _secrets_in(kind: FormKind, filled: Filled) -> Iterator[tuple[str, str]]:
    protocol = protocol_of(kind, filled)
    for name, field in form_of({}, kind=kind, filled={"protocol": [protocol]}).fields.items():
        if field.kind == "secret" and (given := first_given(filled, name)):
            yield name, given


def _is_for_forms(value: str) -> bool:
    """Whether it is a reference to a variable that is meant for forms."""
    found = ENVIRONMENT_REFERENCE.fullmatch(value.strip())
    return found is not None and found[1].startswith(FORM_VARIABLES)


def _is_reference(value: str) -> bool:
    """Whether it begins as a reference does, and so could ever be read as one."""
    return value.strip().startswith(("${", FILE_REFERENCE))


def delete_stored(app: App, kind: FormKind, name: str, author: ChangeAuthor, *, revision: int | None = None) -> None:
    """Delete a thing; mails, records and dead letters of an inbox stay (IV-10). `revision`: that of the page.

    Raises `NotAvailable`, also when somebody else has changed it since, and `InvalidConfiguration` when something else
    needs it (VS-13).
    """

    def edit(stored: Configuration) -> Configuration:
        _found(stored, kind, name)
        if changes := _changes_of_others(app, kind, name, revision):
            raise NotAvailable(f"{DELETE_MEANWHILE} ({changes[0].by}, version {changes[0].revision})")
        left = tuple(each for each in getattr(stored, kind.section) if each.name != name)
        if kind.last_is_kept and not left:
            raise NotAvailable(f"{name} is the only {kind.noun}; make another one first")
        return _with(stored, kind, left)

    store.change(app.documents, edit, prune=True, clock=app.clock, by=author.by, reason=author.reason)
    app.directory.renew()


def _with(configuration: Configuration, kind: FormKind, things: tuple[Any, ...]) -> Configuration:
    section: dict[str, Any] = {kind.section: things}
    return replace(configuration, **section)


def _apply(app: App, kind: FormKind, thing: Any, before: Mapping[str, Any], author: ChangeAuthor) -> bool:
    """Store the thing at its place; whether something is different now. Problems have fields as their paths.

    `before`: the keys that it stated when it was read, none for a new one. Raises `_Moved` when they are others now.
    """
    place = 0

    def edit(stored: Configuration) -> Configuration:
        nonlocal place
        things = getattr(stored, kind.section)
        found = names(kind.section, things)
        place = found.index(thing.name) if thing.name in found else len(found)
        if (stated_keys(things[place], kind) if place < len(found) else {}) != before:
            raise _Moved
        nothing = Configuration(sections=frozenset({kind.section}))
        return _with(nothing, kind, (*things[:place], thing, *things[place + 1 :]))

    try:
        applied = store.change(app.documents, edit, clock=app.clock, by=author.by, reason=author.reason)
    except InvalidConfiguration as error:
        placed = (replace(each, path=within(each.path, kind, place)) for each in error.problems)
        raise InvalidConfiguration(placed) from None
    app.directory.renew()
    return applied.changed


def _found_in(configuration: Configuration) -> Iterator[tuple[str, str]]:
    yield from ((each.path, each.message) for each in complaints(configuration))
    yield from ((each.path, each.message) for each in missing(configuration))


def _known(configuration: Configuration) -> Mapping[str, Sequence[str]]:
    """What fields may refer to."""
    return {
        "processor": (*(each.name for each in configuration.types), XML_EXPORT),
        "template": [each.name for each in configuration.templates],
        "partition": [each.name for each in configuration.partitions],
        "mail_server": [each.name for each in configuration.mail_servers],
        "canary.mail_server": [each.name for each in configuration.mail_servers],
        "export.connection": [each.name for each in configuration.connections],
        "commands.reply_template": [each.name for each in configuration.mail_templates],
        "sender.object.type": [each.name for each in configuration.types],
        "from_address": [each.address for each in configuration.inboxes],
    }


def _named(filled: Filled, name: str | None) -> Filled:
    """A stored thing keeps its name, whatever was filled in."""
    return {**filled, "name": [name]} if name else filled


def _unflagged(form: Form) -> Form:
    """Without marks of what is missing: nothing was to be saved yet."""
    return replace(
        form,
        groups=tuple(
            replace(group, fields=tuple(replace(each, missing=False) for each in group.fields)) for group in form.groups
        ),
    )
