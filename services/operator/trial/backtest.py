"""Back-test: what a changed configuration would do with the mail of the archive. Nothing is written.

Every archived mail is dry-run twice, by the configuration in force and by the changed one, both on the store as it is
now; what differs comes from the configuration alone. Mails are read one by one: only the counts, and as many differing
mails as are asked for, stay in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from services.operator.trial.dry_run import DryRun, dry_run_stored
from services.parser import guarded
from services.parser.guarded import Overdue
from shared.contracts.errors import PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.store.configuration import after_apply

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Configuration
    from shared.store.mails import MailQuery, StoredMail

PAGE: Final = 200
"""Mails that are read at once."""
MAX_LISTED: Final = 100
"""Differing mails that are listed, unless another number is asked for; all are counted."""
MAX_VALUES, MAX_VALUE_CHARACTERS = 20, 200
"""Differing values of a mail that are shown, and how much of each."""
KINDS: Final = ("outcome", "records", "answers")
"""In what a mail may differ: what becomes of it, what changes on records, which mails leave."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one configuration makes of a mail, as far as it is compared.

    `records` and `answers` have a line for each change and each outgoing mail; `plan` is all that is compared.
    """

    outcome: str
    reason: str | None
    records: tuple[str, ...]
    answers: tuple[str, ...]
    plan: dict[str, Any] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "changes": self.plan["records"],
            "notifications": self.plan["answers"],
        }


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """A value of a change or of an outgoing mail that both configurations make: what it is, and both values as text."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A mail that the changed configuration would treat differently; `kinds` says in what."""

    mail: StoredMail
    kinds: tuple[str, ...]
    before: Result
    after: Result

    @property
    def values(self) -> list[ChangedValue]:
        """The first values that differ in what both would do; what only one would do is in its lines."""
        found = list[ChangedValue]()
        for kind, lines in (("records", self.before.records), ("answers", self.before.answers)):
            for line, one, other in zip(lines, self.before.plan[kind], self.after.plan[kind], strict=False):
                found += _changed_values(line, one, other)
        return found[:MAX_VALUES]

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {
            "mail_id": self.mail.id,
            "inbox": self.mail.inbox,
            "from": self.mail.from_.address if self.mail.from_ else None,
            "subject": self.mail.subject,
            "differs": list(self.kinds),
            "before": self.before.as_json(),
            "after": self.after.as_json(),
        }


@dataclass(slots=True)
class Backtest:
    """How far a back-test has come: counts of all mails, and the first differing ones.

    `outcomes` counts (outcome before, outcome after), only where they differ; `failures` are mails that could not be
    compared, such as one whose source is gone.
    """

    total: int
    done: int = 0
    differing: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        parts = [f"{self.kinds[kind]} in {words}" for kind, words in _IN_WORDS.items() if self.kinds[kind]]
        details = f": {', '.join(parts)}" if parts else ""
        failed = f"; {self.failed} could not be compared" if self.failed else ""
        return f"{self.differing} of {self.done} mails would differ{details}{failed}"

    def as_json(self) -> dict[str, Any]:
        """The summary; the differences are objects of their own."""
        outcomes = [{"before": one, "after": two, "count": n} for (one, two), n in self.outcomes.most_common()]
        kinds = {kind: self.kinds[kind] for kind in KINDS}
        return {
            "mails": self.done,
            "differing": self.differing,
            "listed": len(self.differences),
            "failed": self.failed,
            **kinds,
            "outcomes": outcomes,
            "failures": [{"mail_id": id_, "error": error} for id_, error in self.failures],
        }


_IN_WORDS: Final = {"outcome": "their outcome", "records": "the changes of records", "answers": "outgoing mail"}


def changed_configuration(app: App, stated: Configuration, *, prune: bool = False) -> Configuration:
    """The configuration after a file was applied, which it is not. Raises `InvalidConfiguration`."""
    return after_apply(app.documents, stated, prune=prune)


def new_backtest(app: App, query: MailQuery) -> Backtest:
    """A back-test of the mails that fit, before the first one is compared."""
    return Backtest(app.mails.count_at_most(query, 0))


def compare_all(
    app: App, changed: Configuration, query: MailQuery, found: Backtest, listed: int = MAX_LISTED
) -> Iterator[StoredMail]:
    """Compare mail by mail, counting in `found`; yields each mail, so that a caller shows progress or stops."""
    in_force = app.directory.renew()
    for mail in _archived(app, query):
        try:
            difference = _difference(app, mail, in_force, changed)
        except Unavailable:
            raise
        except (PostroomError, Overdue, LookupError) as error:
            found.failed += 1
            if len(found.failures) < listed:
                found.failures.append((mail.id, str(error)))
        else:
            _count(found, difference, listed)
        found.done += 1
        yield mail


def _changed_values(line: str, before: Any, after: Any) -> Iterator[ChangedValue]:
    one, other = dict(_flat(before)), dict(_flat(after))
    for name in {**one, **other}:
        if one.get(name) != other.get(name):
            yield ChangedValue(f"{line}: {name}", _as_text(one.get(name)), _as_text(other.get(name)))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below a value, by its path."""
    match value:
        case dict():
            for key, each in value.items():
                yield from _flat(each, f"{name}.{key}" if name else str(key))
        case list() | tuple():
            for place, each in enumerate(value, 1):
                yield from _flat(each, f"{name} {place}")
        case _:
            yield name, value


def _as_text(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"


def _archived(app: App, query: MailQuery) -> Iterator[StoredMail]:
    """Every stored mail that fits, in the order of their ids, a page at a time."""
    after = ""
    while page := app.mails.page_by_id(query, after, PAGE):
        yield from page
        after = page[-1].id


def _difference(app: App, mail: StoredMail, in_force: Configuration, changed: Configuration) -> Difference | None:
    raw = app.mails.source(mail)
    read = cache(lambda: guarded.read(raw))
    before, after = (_result(dry_run_stored(app, mail, raw, each, read)) for each in (in_force, changed))
    kinds = tuple(kind for kind in KINDS if before.plan[kind] != after.plan[kind])
    return Difference(mail, kinds, before, after) if kinds else None


def _count(found: Backtest, difference: Difference | None, listed: int) -> None:
    if difference is None:
        return
    found.differing += 1
    found.kinds.update(difference.kinds)
    if "outcome" in difference.kinds:
        found.outcomes[difference.before.outcome, difference.after.outcome] += 1
    if len(found.differences) < listed:
        found.differences.append(difference)


def _result(run: DryRun) -> Result:
    planned = run.as_json()
    changes, mails = planned["changes"], planned["notifications"]
    return Result(
        run.outcome,
        run.reason,
        tuple(f"{each['action']} {each['type']} {each['number']}" for each in changes),
        tuple(f"to {', '.join(each['to'])}: {each['subject']}" for each in mails),
        {"outcome": (run.outcome, run.reason), "records": changes, "answers": mails},
    )
