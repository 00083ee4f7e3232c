"""Saving an inbox from a form: one history with `config apply`, and secrets that go one way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.operator.errors import NotAvailable
from services.operator.settings.configuration import configuration_changes
from services.operator.settings.form_edits import (
    CHANGED_TOO,
    ChangeAuthor,
    TypedSecrets,
    delete_stored,
    new_form,
    refilled_form,
    save_form,
    stored_form,
)
from services.operator.settings.form_kinds import INBOX, MAIL_SERVER, FormKind
from services.operator.settings.settings_form import form_of, stated_keys
from shared.config.model import Configuration, Inbox, MailServer, Settings
from shared.config.problems import InvalidConfiguration
from shared.config.values import Secret
from shared.contracts.errors import Unavailable
from shared.store import configuration as store
from shared.store.configuration_changes import ConfigurationChange
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.services.operator.settings.test_settings_form import filled_as, filled_from

SALES = {
    "name": ["sales"],
    "address": ["sales@example.com"],
    "protocol": ["imap"],
    "host": ["imap.example.com"],
    "username": ["sales"],
    "password": ["correct horse"],
    "enabled": ["true"],
}


def inbox(desk: Desk, name: str) -> Inbox:
    """The stored inbox."""
    found = desk.app.directory.renew().inbox(name)
    assert found is not None
    return found


def change_of(desk: Desk, by: str = "anna") -> ConfigurationChange:
    """The last change that somebody made."""
    return next(each for each in configuration_changes(desk.app, 0) if each.by == by)


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A desk with two inboxes."""
    desk.configure(a_configuration(an_inbox("support"), an_inbox("help", address="help@example.com")))
    return desk


@pytest.mark.req("VS-12")
def test_a_new_inbox_is_stored_behind_the_others_with_who_and_why(two: Desk) -> None:
    saved = save_form(two.app, INBOX, None, SALES, ChangeAuthor("anna", "a new team"))
    assert (saved.name, saved.form, saved.changed) == ("sales", None, True)
    assert [each.name for each in two.app.directory.current().inboxes] == ["support", "help", "sales"]
    change = change_of(two)
    assert (change.by, change.reason, change.created) == ("anna", "a new team", ("inboxes/sales",))


def test_a_typed_secret_lies_in_a_file_of_its_own_and_nowhere_else(two: Desk, tmp_path: Path) -> None:
    save_form(two.app, INBOX, None, SALES, ChangeAuthor("anna"))
    password = inbox(two, "sales").password
    assert password is not None
    assert password.reveal() == "correct horse"
    path = Path(password.file or "")
    assert path.parent == tmp_path / "data" / "secrets"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    others = [each for each in (tmp_path / "data").rglob("*") if each.is_file() and each != path]
    assert not any(b"correct horse" in each.read_bytes() for each in others)


def test_a_typed_secret_of_a_save_that_fails_leaves_no_file(two: Desk, tmp_path: Path) -> None:
    saved = save_form(two.app, INBOX, None, {**SALES, "mail_server": ["nowhere"]}, ChangeAuthor("anna"))
    assert saved.form is not None
    assert "there is no mail server" in saved.form.form.fields["mail_server"].problem
    assert list((tmp_path / "data").glob("secrets/*")) == []


def test_a_typed_secret_stays_when_nobody_knows_whether_the_save_was_stored(
    two: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store takes the change, and does not answer when it is asked for the configuration again."""
    renew = two.app.directory.renew

    def renew_once() -> Configuration:
        def unavailable() -> Configuration:
            raise Unavailable("no store")

        monkeypatch.setattr(two.app.directory, "renew", unavailable)
        return renew()

    monkeypatch.setattr(two.app.directory, "renew", renew_once)
    with pytest.raises(Unavailable):
        save_form(two.app, INBOX, None, SALES, ChangeAuthor("anna"))
    monkeypatch.setattr(two.app.directory, "renew", renew)
    password = inbox(two, "sales").password
    assert password is not None
    assert password.reveal() == "correct horse"


def test_a_shared_store_has_no_place_for_a_typed_secret(two: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two.app, "location", replace(two.app.location, store_url="mongodb://store"))
    saved = save_form(two.app, INBOX, None, SALES, ChangeAuthor("anna"))
    assert saved.form is not None
    problem = saved.form.form.fields["password"].problem
    assert problem.startswith("cannot be kept: a store that several machines share")


@pytest.mark.parametrize("kind", [INBOX, MAIL_SERVER], ids=lambda each: each.section)
@pytest.mark.parametrize("shared", [False, True], ids=["embedded", "shared"])
@pytest.mark.parametrize(
    "typed",
    ["file:/etc/passwd", " file:secrets/x", "${HOME}", " ${HOME} ", "${POSTROOM_STORE_URL}x", "${POSTROOM_SECRET_A}x"],
)
def test_a_form_takes_no_reference_to_a_file_or_variable_of_the_server(
    two: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: FormKind, typed: str, *, shared: bool
) -> None:
    if shared:
        monkeypatch.setattr(two.app, "location", replace(two.app.location, store_url="mongodb://store"))
    filled = SALES if kind is INBOX else {"protocol": ["smtp"], "name": ["out"], "host": ["mail.example"]}
    for sent in ([typed], ["", typed], [" ", typed, "x"]):
        saved = save_form(two.app, kind, None, {**filled, "password": sent}, ChangeAuthor("anna"))
        assert saved.form is not None
        assert saved.form.form.fields["password"].problem.startswith("is a reference, and a form takes those alone")
    assert list((tmp_path / "data").glob("secrets/*")) == []
    assert store.read(two.store).mail_servers == ()


@pytest.mark.parametrize("shared", [False, True], ids=["embedded", "shared"])
def test_a_form_takes_a_reference_to_a_variable_that_is_named_for_it(
    two: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, shared: bool
) -> None:
    """Where several machines share a store, each of them gets its secrets from whoever runs it."""
    if shared:
        monkeypatch.setattr(two.app, "location", replace(two.app.location, store_url="mongodb://store"))
    filled = {**SALES, "password": [" ${POSTROOM_SECRET_SALES} "]}
    assert save_form(two.app, INBOX, None, filled, ChangeAuthor("anna")).form is None
    password = inbox(two, "sales").password
    assert password == Secret("${POSTROOM_SECRET_SALES}")
    assert password.reveal(environ={"POSTROOM_SECRET_SALES": "correct horse"}) == "correct horse"
    assert list((tmp_path / "data").glob("secrets/*")) == []


def test_a_form_keeps_a_reference_that_a_configuration_file_has_set(two: Desk) -> None:
    kept = an_inbox("help", address="help@example.com", protocol="imap", host="x", password=Secret("${HELP}"))
    two.configure(a_configuration(an_inbox("support"), kept))
    filled = {**filled_as(inbox(two, "help")), "owner_team": ["Second Line"]}
    assert save_form(two.app, INBOX, "help", filled, ChangeAuthor("anna")).changed
    assert inbox(two, "help").password == Secret("${HELP}")


def test_saving_changes_one_inbox_and_not_the_places_of_the_others(two: Desk) -> None:
    filled = {**filled_as(inbox(two, "help")), "owner_team": ["Second Line"], "name": ["renamed"]}
    assert save_form(two.app, INBOX, "help", filled, ChangeAuthor("anna")).name == "help"
    assert inbox(two, "help").owner_team == "Second Line"
    assert [each.name for each in two.app.directory.current().inboxes] == ["support", "help"]
    change = change_of(two)
    assert change.updated == ("inboxes/help",)
    assert [each.key for each in change.keys] == ["owner_team"]
    assert not save_form(two.app, INBOX, "help", filled, ChangeAuthor("anna")).changed


@pytest.mark.req("VS-12")
def test_a_reason_is_asked_for_where_the_desk_requires_one(two: Desk) -> None:
    two.configure(a_configuration(an_inbox("support"), settings=Settings(require_change_reason=True)))
    filled = {**filled_as(inbox(two, "support")), "owner_team": ["Second Line"]}
    saved = save_form(two.app, INBOX, "support", filled, ChangeAuthor("anna", " "))
    assert saved.form is not None
    assert saved.form.reason_problem == "say why: settings.require_change_reason is on"
    assert inbox(two, "support").owner_team is None
    assert save_form(two.app, INBOX, "support", filled, ChangeAuthor("anna", "moved")).changed


def opened(desk: Desk) -> tuple[int, dict[str, list[str]]]:
    """The form of the inbox `help` as a browser has it: its revision and its values."""
    return stored_form(desk.app, INBOX, "help").revision, filled_as(inbox(desk, "help"))


@pytest.mark.req("VS-12")
def test_of_two_who_change_the_same_setting_the_second_is_asked_and_keeps_his_values(two: Desk) -> None:
    revision, filled = opened(two)
    first = {**filled, "owner_team": ["First"], "folder": ["Other"]}
    save_form(two.app, INBOX, "help", first, ChangeAuthor("ben", "moved"), revision=revision)
    mine = {**filled, "owner_team": ["Second"], "signature": ["Regards"]}
    late = save_form(two.app, INBOX, "help", mine, ChangeAuthor("anna"), revision=revision)
    assert late.form is not None
    assert late.form.form.problems[0].startswith("somebody else has changed the same settings")
    fields = late.form.form.fields
    assert (fields["owner_team"].problem, fields["owner_team"].value) == (CHANGED_TOO, "Second")
    assert fields["signature"].value == "Regards"
    (change,) = late.form.changes
    assert (change.by, change.reason, [each.after for each in change.keys]) == ("ben", "moved", ['"First"'])
    assert inbox(two, "help").owner_team == "First"
    again = filled_from(late.form.form)
    assert save_form(two.app, INBOX, "help", again, ChangeAuthor("anna"), revision=late.form.revision).changed
    assert (inbox(two, "help").owner_team, inbox(two, "help").signature) == ("Second", "Regards")


@pytest.mark.req("VS-12")
def test_of_two_who_change_different_settings_both_are_kept(two: Desk) -> None:
    revision, filled = opened(two)
    save_form(two.app, INBOX, "help", {**filled, "owner_team": ["First"]}, ChangeAuthor("ben"), revision=revision)
    late = save_form(
        two.app, INBOX, "help", {**filled, "signature": ["Regards"]}, ChangeAuthor("anna"), revision=revision
    )
    assert (late.form, late.changed) == (None, True)
    assert (inbox(two, "help").owner_team, inbox(two, "help").signature) == ("First", "Regards")


def test_a_form_that_is_older_than_the_versions_that_are_kept_is_asked_for_every_difference(two: Desk) -> None:
    revision, filled = opened(two)
    save_form(two.app, INBOX, "help", {**filled, "owner_team": ["First"]}, ChangeAuthor("ben"), revision=revision)
    two.store.delete("configuration_versions", {})
    late = save_form(
        two.app, INBOX, "help", {**filled, "signature": ["Regards"]}, ChangeAuthor("anna"), revision=revision
    )
    assert late.form is not None
    assert {name for name, each in late.form.form.fields.items() if each.problem} == {"owner_team", "signature"}
    assert inbox(two, "help").owner_team == "First"


def test_two_who_save_at_the_same_moment_lose_nothing(two: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second save reads, then the first one is stored, then the second one writes."""
    revision, filled = opened(two)
    written = TypedSecrets.written

    @contextmanager
    def overtaken(typed: TypedSecrets) -> Iterator[None]:
        monkeypatch.setattr(TypedSecrets, "written", written)
        save_form(two.app, INBOX, "help", {**filled, "owner_team": ["First"]}, ChangeAuthor("ben"), revision=revision)
        with written(typed):
            yield

    monkeypatch.setattr(TypedSecrets, "written", overtaken)
    save_form(two.app, INBOX, "help", {**filled, "signature": ["Regards"]}, ChangeAuthor("anna"), revision=revision)
    assert (inbox(two, "help").owner_team, inbox(two, "help").signature) == ("First", "Regards")


def test_an_inbox_that_somebody_has_just_changed_is_not_deleted_unseen(two: Desk) -> None:
    revision, filled = opened(two)
    save_form(two.app, INBOX, "help", {**filled, "owner_team": ["First"]}, ChangeAuthor("ben"), revision=revision)
    with pytest.raises(NotAvailable, match="somebody else has changed it since"):
        delete_stored(two.app, INBOX, "help", ChangeAuthor("anna"), revision=revision)
    delete_stored(two.app, INBOX, "help", ChangeAuthor("anna"), revision=stored_form(two.app, INBOX, "help").revision)


def test_a_new_inbox_takes_no_name_that_is_taken(two: Desk) -> None:
    saved = save_form(two.app, INBOX, None, {**SALES, "name": ["help"]}, ChangeAuthor("anna"))
    assert saved.form is not None
    assert saved.form.form.fields["name"].problem == "there is another inbox of this name; choose another"


@pytest.mark.req("TI-13")
def test_the_form_shows_what_is_missing(two: Desk) -> None:
    two.configure(a_configuration(an_inbox("support", protocol="imap", host="x", password=Secret("${NOT_SET_HERE}"))))
    form = stored_form(two.app, INBOX, "support").form
    assert "NOT_SET_HERE is not set" in form.fields["password"].problem
    new = save_form(two.app, INBOX, None, {"protocol": ["imap"], "name": ["a"]}, ChangeAuthor("anna")).form
    assert new is not None
    assert [each.name for each in new.form.missing] == ["address"]
    saved = save_form(
        two.app, INBOX, None, {"protocol": ["imap"], "name": ["a"], "address": ["a@x.org"]}, ChangeAuthor("anna")
    ).form
    assert saved is not None
    assert [each.name for each in saved.form.missing] == ["host", "password"]


def test_an_empty_form_marks_nothing_as_missing_and_another_protocol_shows_its_fields(two: Desk) -> None:
    assert new_form(two.app, INBOX, "imap").form.missing == ()
    shown = refilled_form(two.app, INBOX, None, {**SALES, "protocol": ["graph"]}, 1).form
    assert "host" not in shown.fields
    assert shown.fields["address"].value == "sales@example.com"
    assert form_of(stated_keys(inbox(two, "help"))).fields["protocol"].value == "none"


@pytest.mark.req("IV-10")
def test_deleting_an_inbox_loses_no_mail(two: Desk) -> None:
    two.receive(a_mail(), inbox="help")
    delete_stored(two.app, INBOX, "help", ChangeAuthor("anna", "closed"))
    assert [each.name for each in two.app.directory.current().inboxes] == ["support"]
    assert len(two.mails()) == 1
    assert len(two.records()) == 1
    assert change_of(two).deleted == ("inboxes/help",)
    with pytest.raises(NotAvailable, match="the only inbox"):
        delete_stored(two.app, INBOX, "support", ChangeAuthor("anna"))
    with pytest.raises(NotAvailable):
        delete_stored(two.app, INBOX, "help", ChangeAuthor("anna"))


def test_an_inbox_that_is_needed_is_not_deleted(two: Desk) -> None:

    server = MailServer("out", host="x", from_address="help@example.com")
    two.configure(
        a_configuration(an_inbox("support"), an_inbox("help", address="help@example.com"), mail_servers=(server,))
    )
    with pytest.raises(InvalidConfiguration, match=r"help@example\.com is not the address of an inbox"):
        delete_stored(two.app, INBOX, "help", ChangeAuthor("anna"))
