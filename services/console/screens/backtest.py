"""Back-test: a changed configuration against mail of the archive, side by side; the page shows how far it is.

Part of the screen Try. Whoever may change the configuration may try a changed one; nothing is written. Files that
the configuration names are not read: they would be files of this machine, chosen by a browser.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound
from services.operator.errors import NotAvailable
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write
from services.operator.settings.configuration import stored_configuration
from services.operator.trial.backtest import changed_configuration
from services.operator.trial.backtest_runs import Run, Runs
from shared.config.problems import InvalidConfiguration
from shared.config.reading import read_bytes
from shared.config.writing import to_yaml
from shared.store.mails import MailQuery

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit
    from shared.app import App

PATH: Final = "/try/backtest"
DAYS, MOST_DAYS = 30, 3650
MAX_BYTES: Final = 2 << 20
_RUNS: Final = WeakKeyDictionary["App", Runs]()


def runs_of(app: App) -> Runs:
    """The back-tests of this process."""
    return _RUNS.setdefault(app, Runs())


def form(visit: Visit) -> Response:
    """The form, with the configuration in force to be changed, and the back-tests so far."""
    return _form(visit, to_yaml(stored_configuration(visit.app)), ())


def _form(visit: Visit, written: str, problems: tuple[str, ...]) -> Response:
    return visit.page(
        "backtest.html",
        422 if problems else 200,
        written=written,
        problems=problems,
        runs=runs_of(visit.app).every(),
        inboxes=[each.name for each in visit.app.directory.current().inboxes],
        days=visit.number("days", DAYS, MOST_DAYS),
        chosen=visit.text("inbox"),
    )


def start(visit: Visit) -> Response:
    """Begin a back-test, or show what is wrong with the configuration."""
    app, written = visit.app, visit.text("configuration")
    days, inbox = visit.number("days", DAYS, MOST_DAYS), visit.text("inbox") or None
    try:
        _, stated = read_bytes(written.encode("utf-8", "replace"), source="configuration", base=None)
        changed = changed_configuration(app, stated, prune=bool(visit.text("prune")))
    except InvalidConfiguration as error:
        return _form(visit, written, tuple(map(str, error.problems)))
    query = MailQuery(inbox, since=app.clock.now() - timedelta(days=days))
    words = f"the last {days} days" + (f", inbox {inbox}" if inbox else "")
    try:
        run = runs_of(app).start(app, changed, query, visit.who.name, words)
    except NotAvailable as error:
        return _form(visit, written, (str(error),))
    visit.note(Write.BEGAN_BACKTEST, run.id, words)
    return visit.back(f"{PATH}/{run.id}")


def show(visit: Visit) -> Response:
    """How far a back-test has come, and what would differ."""
    run = _run(visit)
    return visit.page("backtest_result.html", run=run, outcomes=run.found.outcomes.most_common())


def stop(visit: Visit) -> Response:
    """Stop a back-test; what was compared stays."""
    run = _run(visit)
    run.stop.set()
    visit.note(Write.STOPPED_BACKTEST, run.id)
    return visit.back(f"{PATH}/{run.id}", "The back-test stops.")


def _run(visit: Visit) -> Run:
    if (run := runs_of(visit.app).get(visit.values["run"])) is None:
        raise PageNotFound
    return run


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", PATH, Right.ADMINISTER, form, "Back-test"),
    Endpoint("POST", PATH, Right.ADMINISTER, start, max_body=MAX_BYTES),
    Endpoint("GET", f"{PATH}/{{run}}", Right.ADMINISTER, show),
    Endpoint("POST", f"{PATH}/{{run}}/stop", Right.ADMINISTER, stop),
)
