"""Each guard of the console's screens is missed by a test when it is taken out."""

from __future__ import annotations

import hmac
import re
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment

import services.console.identity
import services.console.screens.dead_letters
import services.console.screens.mail
import services.console.screens.sign_in
from services.console import rendering
from services.console.endpoints import Endpoint, all_endpoints
from services.console.guards import SECURITY_HEADERS
from services.console.sign_in_limit import SignInLimit
from services.operator.permissions.access import _RIGHTS, Right, Role, SignedInPerson
from services.operator.settings.form_kinds import INBOX
from shared.contracts.errors import Unavailable
from shared.store.access import Sessions, hash_of
from tests.services.console import (
    test_access,
    test_desk_screens,
    test_mail_screens,
    test_probes,
    test_sign_in_limit,
    test_store_away,
)
from tests.services.console.taken_out import Guard, assert_missed
from tests.services.console.test_desk_screens import full
from tests.services.console.test_probes import ask, figures
from tests.services.console.test_sign_in_limit import limit, time
from tests.services.console.test_store_away import leave
from tests.services.operator.settings import test_form_edits
from tests.services.operator.settings.test_form_edits import two

__all__ = ["ask", "figures", "full", "leave", "limit", "time", "two"]


def always(*_: object, **__: object) -> bool:
    return True


def never(*_: object, **__: object) -> bool:
    return False


def nothing(*_: object, **__: object) -> None:
    return None


def endpoint(method: str, path: str) -> dict[str, Endpoint]:
    return {"endpoint": next(each for each in all_endpoints() if (each.method, each.path) == (method, path))}


_environment, _render, _with_cookie = (
    rendering._environment,
    rendering.render,
    services.console.screens.sign_in._with_cookie,
)
_causes, _letters = services.console.screens.dead_letters.causes, services.console.screens.dead_letters.letters_of_cause
_counts = SignInLimit._counts
_person_of = services.console.identity.person_of


@cache
def without_escaping() -> Environment:
    return _environment().overlay(autoescape=False)


def without_sandbox(template: str, values: Any) -> str:
    return _render(template, values).replace(" sandbox ", " ")


def keeping_the_cookie(visit: Any, response: Any, secret: str) -> Any:
    """The session goes on under the secret that the browser had before."""
    from dataclasses import replace

    had = services.console.screens.sign_in.cookie_of(visit, visit.options.cookie)
    session = visit.app.access.sessions.get(secret)
    visit.app.access.sessions.add(replace(session, id=hash_of(had)))
    return _with_cookie(visit, response, had)


def whoever_has_ended(app: Any, secret: str) -> Any:
    session = app.access.sessions.get(secret)
    user = session and app.access.users.get(session.user)
    return (session, user) if user else None


def with_every_right(user: Any) -> SignedInPerson:
    found = _person_of(user)
    return SignedInPerson(found.name, found.role, _RIGHTS[found.role], found.inboxes)


def shown(content: bytes, _name: str, _type: str) -> Any:
    from starlette.responses import HTMLResponse

    return HTMLResponse(content)


A = "services.console.application"
SCREENS = "services.console.screens"
GUARDS = (
    Guard(
        "the allowed hosts",
        {f"{A}.is_allowed_host": always},
        test_access.test_no_endpoint_answers_under_another_name,
        "!= 421} == {}",
        {"host": "x/?"},
    ),
    *(
        Guard(
            f"the whole name of a host, {host}",
            {"services.console.guards._HOST": re.compile(r"([a-z0-9]+).*")},
            test_access.test_no_endpoint_answers_under_another_name,
            "!= 421} == {}",
            {"host": host},
        )
        for host in ("localhost/?", "localhost@evil.example", "localhost:80:80")
    ),
    Guard(
        "a first user exists",
        {f"{A}._Console.has_users": always},
        test_access.test_nothing_is_shown_before_a_user_exists,
        '== "/set-up"',
    ),
    Guard(
        "the token of the set-up page",
        {"shared.store.access.Sessions.is_set_up_token": always},
        test_access.test_nothing_is_shown_before_a_user_exists,
        "token=guessed",
    ),
    Guard(
        "the token of the set-up form",
        {"shared.store.access.Sessions.use_set_up": always},
        test_access.test_no_first_user_is_made_without_the_token_that_was_printed,
        "== (409, [])",
        {"token": "guessed"},
    ),
    Guard(
        "the token of the set-up form counts once",
        {"shared.store.access.Sessions.use_set_up": Sessions.is_set_up_token},
        test_access.test_of_two_who_use_the_token_at_once_one_becomes_a_user,
        'match="was used"',
    ),
    Guard(
        "a session",
        {f"{A}._Console._admitted": nothing},
        test_access.test_an_endpoint_answers_only_those_with_its_right,
        '"nobody is signed in"',
        endpoint("GET", "/access"),
    ),
    Guard(
        "the right of an endpoint, by role",
        {"services.operator.permissions.access.SignedInPerson.may": always},
        test_access.test_an_endpoint_answers_only_those_with_its_right,
        "without a form token",
        endpoint("GET", "/access"),
    ),
    Guard(
        "the right to read mail",
        {
            "services.operator.permissions.access._RIGHTS": {
                **_RIGHTS,
                Role.VIEWER: _RIGHTS[Role.VIEWER] | {Right.READ_MAIL},
            }
        },
        test_mail_screens.test_content_needs_the_right_to_read_mail,
        "not in viewer.get(path).text",
    ),
    Guard(
        "no administration by whoever is limited to inboxes",
        {"services.console.identity.person_of": with_every_right},
        test_desk_screens.test_email_settings_are_seen_and_changed_by_administrators_alone,
        "== {403}, role",
    ),
    Guard(
        "the origin of a write",
        {f"{A}.is_own_origin": always},
        test_access.test_a_write_needs_an_origin_and_the_token_of_its_session,
        "headers=foreign",
        endpoint("POST", "/access/users/{name}/remove"),
    ),
    Guard(
        "the form token of a write",
        {f"{A}.is_form_token": always},
        test_access.test_a_write_needs_an_origin_and_the_token_of_its_session,
        "access_token(other)",
        endpoint("POST", "/access/users/{name}/remove"),
    ),
    Guard(
        "the origin of the event stream",
        {f"{SCREENS}.live.is_own_page": always, f"{SCREENS}.live.STREAM_SECONDS": -1.0},
        test_access.test_an_event_stream_serves_no_page_of_another_origin,
        "== 403",
    ),
    Guard(
        "the policy of every answer",
        {
            f"{A}.SECURITY_HEADERS": {
                **SECURITY_HEADERS,
                "Content-Security-Policy": "default-src 'self' 'unsafe-inline'",
            }
        },
        test_access.test_every_answer_has_the_headers_that_keep_it_at_home,
        "default-src 'none'",
    ),
    Guard(
        "nothing that is loaded from elsewhere in the HTML of a mail",
        {"services.parser.html.sanitised": str},
        test_mail_screens.test_the_html_of_a_mail_has_a_policy_of_its_own,
        '"evil.example" not in',
    ),
    Guard(
        "the policy of the HTML of a mail",
        {f"{SCREENS}.mail.FRAME_POLICY": SECURITY_HEADERS["Content-Security-Policy"]},
        test_mail_screens.test_the_html_of_a_mail_has_a_policy_of_its_own,
        "sandbox; default-src 'none'",
    ),
    Guard(
        "the frame of the HTML of a mail",
        {"services.console.rendering.render": without_sandbox},
        test_mail_screens.test_the_frame_of_html_has_no_scripts_and_no_origin,
        "nothing is allowed",
    ),
    Guard(
        "a part of a mail is saved",
        {f"{SCREENS}.mail._file": shown},
        test_mail_screens.test_a_part_is_saved_and_never_shown,
        "application/octet-stream",
    ),
    *(
        Guard(
            f"text of a mail is text on {path}",
            {"services.console.rendering._environment": without_escaping},
            test_mail_screens.test_a_hostile_subject_is_text,
            "not in page",
            {"path": path},
        )
        for path in ("/mails", "/rejected", "/mails/{}", "/mails/{}/edit", "/try?mail={}")
    ),
    Guard(
        "inboxes of a person: one mail",
        {"services.operator.permissions.access.SignedInPerson.sees": always},
        test_mail_screens.test_mail_of_another_inbox_is_not_found,
        "== 404, path",
    ),
    Guard(
        "inboxes of a person: lists of mails",
        {f"{SCREENS}.mails.allowed_inboxes": nothing},
        test_mail_screens.test_mail_of_another_inbox_is_not_found,
        '"Out of office" not in',
    ),
    Guard(
        "inboxes of a person: rejected mail",
        {f"{SCREENS}.rejected.allowed_inboxes": nothing},
        test_mail_screens.test_mail_of_another_inbox_is_not_found,
        '"Out of office" not in',
    ),
    Guard(
        "inboxes of a person: one thing",
        {"services.console.visit.Visit.see": nothing},
        test_desk_screens.test_who_is_limited_to_an_inbox_sees_nothing_of_another,
        "== {404}",
    ),
    Guard(
        "inboxes of a person: writes",
        {"services.console.visit.Visit.see": nothing},
        test_desk_screens.test_what_belongs_to_another_inbox_is_as_what_does_not_exist,
        "== {404}, path",
    ),
    Guard(
        "inboxes of a person: people",
        {f"{SCREENS}.records._sees_person": always},
        test_desk_screens.test_who_is_limited_to_an_inbox_sees_nothing_of_another,
        "== {404}",
    ),
    Guard(
        "inboxes of a person: causes of dead letters",
        {f"{SCREENS}.dead_letters.causes": lambda app, _: _causes(app, None)},
        test_desk_screens.test_causes_are_those_of_letters_that_the_person_sees,
        '[["2"], ["1"]]',
    ),
    Guard(
        "inboxes of a person: causes on the overview",
        {f"{SCREENS}.overview.causes": lambda app, _, limit: _causes(app, None, limit)},
        test_desk_screens.test_the_overview_has_the_causes_of_letters_that_the_person_sees,
        '[["2"], ["1"]]',
    ),
    Guard(
        "inboxes of a person: letters of a cause",
        {f"{SCREENS}.dead_letters.letters_of_cause": lambda app, id_, _: _letters(app, id_, None)},
        test_desk_screens.test_causes_are_those_of_letters_that_the_person_sees,
        "not in of_cause",
    ),
    Guard(
        "inboxes of a person: stages",
        {f"{SCREENS}.queues._stage": lambda visit: visit.values["stage"]},
        test_desk_screens.test_a_stage_is_paused_with_a_reason_and_resumed,
        'inboxes=["sales"]',
    ),
    Guard(
        "inboxes of a person: allowed senders",
        {f"{SCREENS}.mail._require_every_inbox": nothing},
        test_mail_screens.test_who_is_limited_to_an_inbox_allows_no_sender_for_all,
        "/allow",
    ),
    Guard(
        "inboxes of a person: records of a mail that is tried",
        {"services.operator.trial.dry_run.DryRun.existing_records": lambda _: ()},
        test_mail_screens.test_who_is_limited_to_an_inbox_tries_no_mail_about_a_record_of_another,
        "about a record of an inbox",
    ),
    Guard(
        "inboxes of a person: jobs",
        {f"{SCREENS}.mails._may_see": always},
        test_mail_screens.test_a_job_of_somebody_else_is_not_found_by_who_is_limited_to_inboxes,
        "== (404, 404)",
    ),
    Guard(
        "the end of a session that was revoked",
        {"shared.store.access.Sessions.remove": never},
        test_access.test_a_session_ends_by_time_by_revocation_and_with_its_user,
        "(by_time, revoked, removed)",
    ),
    Guard(
        "the end of a session by time",
        {"services.console.identity.signed_in": whoever_has_ended},
        test_access.test_a_session_ends_by_time_by_revocation_and_with_its_user,
        "by_time.get",
    ),
    Guard(
        "the end of sessions with a new password",
        {"shared.store.access.Sessions.remove_of": never},
        test_access.test_a_new_password_ends_every_session,
        "== 303",
    ),
    Guard(
        "a new session for each sign-in",
        {f"{SCREENS}.sign_in._with_cookie": keeping_the_cookie},
        test_access.test_a_session_that_somebody_else_chose_is_not_signed_in,
        "chosen not in cookie",
    ),
    Guard(
        "refused sign-ins are counted",
        {"services.console.sign_in_limit.Refusals.are_too_many": never},
        test_access.test_after_five_refusals_a_name_has_to_wait,
        "== 429",
    ),
    Guard(
        "refused sign-ins of an address are counted",
        {"services.console.sign_in_limit.SignInLimit._counts": lambda *given: _counts(*given)[1:]},
        test_sign_in_limit.test_one_address_cannot_try_many_names,
        "is not None",
    ),
    Guard(
        "the mark of a known browser",
        {"services.console.sign_in_limit.hmac": SimpleNamespace(digest=hmac.digest, compare_digest=always)},
        test_sign_in_limit.test_a_mark_that_is_not_of_this_process_and_name_counts_for_nothing,
        "is not None",
        {"forged": "x.y"},
    ),
    Guard(
        "the peers that say whose request it is",
        {"services.console.guards.is_trusted_peer": always},
        test_sign_in_limit.test_a_listed_proxy_says_whose_request_it_is_and_nobody_else,
        "== address",
        {"peer": "192.0.2.1", "forwarded": "203.0.113.9", "address": "192.0.2.1"},
    ),
    Guard(
        "no file or variable of the server as a secret of a form",
        {"services.operator.settings.form_edits._is_reference": never},
        test_form_edits.test_a_form_takes_no_reference_to_a_file_or_variable_of_the_server,
        "saved.form is not None",
        {"kind": INBOX, "typed": "file:/etc/passwd", "shared": False},
    ),
    Guard(
        "no words of a dependency before sign-in",
        {f"{A}._words_for": lambda _, error: str(error)},
        test_store_away.test_before_sign_in_a_dependency_is_not_quoted,
        '"secret" not in',
        {"path": "/", "error": Unavailable(test_store_away.WORDS)},
    ),
    Guard(
        "passwords are hashed",
        {"services.operator.permissions.access.hashed_password": str},
        test_access.test_the_store_has_neither_passwords_nor_secrets,
        "if each in stored",
    ),
    Guard(
        "the peers whose header counts",
        {"services.console.identity.is_trusted_peer": always},
        test_access.test_the_header_of_a_proxy_counts_from_listed_peers_alone,
        "is signed_in",
        {"peer": "11.1.2.3", "header": "ann", "signed_in": False},
    ),
    Guard(
        "the session of whom the proxy names",
        {"services.console.identity.named_by_proxy": nothing},
        test_access.test_a_session_of_another_than_the_proxy_names_does_not_count,
        "== 303",
    ),
    Guard(
        "the declared length of a body",
        {f"{A}._declares_more": never},
        test_access.test_a_body_beyond_the_bound_is_refused_before_it_is_read,
        "== (413, [])",
        {"length": str(2 << 20)},
    ),
    Guard(
        "the length of a body",
        {f"{A}._bounded": lambda receive, _: receive},
        test_access.test_a_body_of_unknown_length_is_read_up_to_the_bound,
        "== 413",
    ),
    *(
        Guard(
            f"the parts of a form: {kind}",
            {f"{A}.MAX_FIELDS": 1 << 30, f"{A}.MAX_FILES": 1 << 30},
            test_access.test_a_form_of_too_many_parts_is_refused,
            "== (409, True)",
            {"form": form},
        )
        for kind, form in (("fields", test_access.MANY_FIELDS), ("files", test_access.MANY_FILES))
    ),
    Guard(
        "redirects to this console alone",
        {"services.console.visit.own_path": str, f"{SCREENS}.sign_in.own_path": str},
        test_access.test_a_sign_in_leads_to_this_console_alone,
        '== "/"',
        {"target": "//evil.example"},
    ),
    Guard(
        "the token of figures",
        {"services.console.probes.hmac": SimpleNamespace(compare_digest=always)},
        test_probes.test_figures_are_for_whoever_has_the_token,
        "== 401, headers",
    ),
)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_that_is_taken_out_is_missed(guard: Guard, request: pytest.FixtureRequest) -> None:
    assert_missed(guard, request)
