"""`postroom token`: the tokens of HTTP intake, and the keys of mail services that post to it.

A new token is shown once; the store keeps its hash.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, is_all, note, opened, page_options, who
from services.cli.listing import Listing, Page
from services.operator.permissions.intake_keys import SERVICES, Service, key_as_json, remove_key, set_key
from services.operator.permissions.intake_tokens import DEFAULT_RATE, SHORT_ID, add_token, revoke_tokens, token_as_json
from services.operator.permissions.writes import Write
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from shared.store.intake_tokens import IntakeToken


@click.group(cls=Group)
def token() -> None:
    """Tokens of HTTP intake: add, list, revoke; keys of mail services."""


@token.command(cls=Command)
@click.argument("inbox")
@click.option("--note", "note_", default="", metavar="TEXT", help="Who or what uses the token.")
@click.option(
    "--rate", type=click.IntRange(1), default=DEFAULT_RATE, show_default=True, help="Mails a minute, at most."
)
def add(inbox: str, note_: str, rate: int) -> None:
    """Make a token that may hand in mail to INBOX, and show it: this is the only time."""
    with opened() as app:
        made = add_token(app, inbox, who(), note=note_, rate=rate)
        note(app, Write.MADE_TOKEN, f"{inbox}: {made.row.id[:SHORT_ID]}", note_)
    output.result(made.as_json(), made.secret)
    if not as_json():
        click.echo(f"token {made.row.id[:SHORT_ID]} for {inbox}; it is not shown again", err=True)


@token.command("list", cls=Command)
@click.argument("inbox", required=False)
@page_options
def list_tokens(inbox: str | None, limit: int, skip: int) -> None:
    """List tokens, the oldest first, or those of one INBOX; never the tokens themselves."""
    with opened(store_only=True) as app:
        listing = Listing(
            token_as_json,
            ("token", "inbox", "note", "rate", "added", "by", "revoked", "by"),
            partial(_row, timezone=timezone_of(app.documents)),
            "no tokens; postroom token add INBOX makes one",
        )
        page = Page(limit, skip)
        found = list(app.intake_tokens.every(inbox))
        listing.show_page(found[skip:], page)


def _row(found: IntakeToken, timezone: str) -> tuple[object, ...]:
    added = output.local(found.added_at, timezone)
    revoked = output.local(found.revoked_at, timezone) if found.revoked_at else None
    return found.id[:SHORT_ID], found.inbox, found.note, found.rate, added, found.added_by, revoked, found.revoked_by


@token.command(cls=Command)
@click.argument("inbox")
@click.argument("token_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All tokens of the inbox.")
def revoke(inbox: str, token_ids: tuple[str, ...], *, everything: bool) -> None:
    """Revoke tokens of INBOX by their ids, as `token list` shows them. Workers know it within two seconds."""
    is_all(token_ids, everything=everything, what="the tokens")
    with opened() as app:
        revoked = revoke_tokens(app, inbox, token_ids, who())
        for each in revoked:
            note(app, Write.REVOKED_TOKEN, f"{inbox}: {each.id[:SHORT_ID]}")
    for each in revoked:
        output.result(token_as_json(each), f"revoked {each.id[:SHORT_ID]}")
    if not revoked and not as_json():
        click.echo("no valid token was revoked", err=True)


@token.command(cls=Command)
@click.argument("inbox")
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("value", metavar="KEY", required=False)
@click.option("--remove", is_flag=True, help="Remove the key: forms of the service are refused.")
def key(inbox: str, service: Service, value: str | None, *, remove: bool) -> None:
    """Set the KEY by which a mail service signs what it posts to INBOX.

    Mailgun: a reference to the account's signing key, ${NAME} or file:PATH. SendGrid: the public verification key.
    """
    if remove == (value is not None):
        raise click.UsageError("give the key, or --remove")
    with opened() as app:
        if value is None:
            remove_key(app, inbox, service)
            note(app, Write.REMOVED_KEY, f"{inbox}: {service}")
            return
        row = set_key(app, inbox, service, value, who())
        note(app, Write.SET_KEY, f"{inbox}: {service}")
        output.result(key_as_json(row), f"{service} may post to {inbox}")


@token.command(cls=Command)
@click.argument("inbox", required=False)
@page_options
def keys(inbox: str | None, limit: int, skip: int) -> None:
    """List the keys of mail services, the oldest first, or those of one INBOX."""
    with opened(store_only=True) as app:
        timezone = timezone_of(app.documents)
        listing = Listing(
            key_as_json,
            ("inbox", "service", "key", "added", "by"),
            lambda each: (each.inbox, each.service, each.key, output.local(each.added_at, timezone), each.added_by),
            "no keys; postroom token key INBOX SERVICE KEY sets one",
        )
        listing.show_page(list(app.intake_keys.every(inbox))[skip:], Page(limit, skip))
