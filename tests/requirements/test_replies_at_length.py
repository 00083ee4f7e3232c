"""How many lines of the sender's own are lost from 500 made replies and from real ones, and how many old ones stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from services.parser import mime
from services.record_writer.decide.plan import decide
from tests.builders import an_outgoing_mail
from tests.harness import real
from tests.harness.replies import made
from tests.plain import PlainLookups, a_record, facts

LOST = 30
"""Lines below an old mail that ends nowhere, with text above it: the activity says that text was left out."""


def measured(raw: bytes, own: Sequence[str], old: Sequence[str], sent: str = "") -> Counter[str]:
    """What becomes of the lines of one reply: own ones are kept, or lost with or without a note; old ones stay."""
    mail = mime.read(raw).mail
    asked = facts(in_reply_to=mail.in_reply_to, text=mail.text, new_text=mail.new_text, passages=mail.passages)
    thread = PlainLookups((a_record(),), sent_mails=(an_outgoing_mail(record_id="incident-1", to=(), text=sent),))
    entry = decide(asked, thread).changes[0].activities[0]
    shown, lost = squashed(entry.text), "lost with a note" if entry.shortened else "lost unnoticed"
    kept = ("kept" if squashed(line) in shown else lost for line in own)
    return Counter([*kept, *("stayed" for line in old if squashed(line) in shown)])


def squashed(text: str) -> str:
    return "".join(text.replace(">", " ").split())


@pytest.mark.req("PR-19", "VF-12")
@pytest.mark.parametrize(("is_known", "stay"), [(True, 162), (False, 300)], ids=["sent by the desk", "never seen"])
def test_of_500_replies_no_own_line_is_lost_unnoticed(is_known: bool, stay: int) -> None:
    """Of 1,000 old lines most that stay have answers inside, or nothing above; the others announce nothing."""
    total = Counter[str]()
    for reply in made(500):
        total += measured(reply.raw, reply.own, reply.old, "\n".join(reply.old) if is_known else "")
    assert total["kept"] > 1700
    assert total["lost unnoticed"] == 0
    assert total["lost with a word"] <= LOST
    assert total["stayed"] <= stay


@pytest.mark.req("PR-19")
def test_of_real_replies_no_own_line_is_lost_unnoticed() -> None:
    """Those that are lost are two quoted lines that are announced, and four of signatures."""
    total = Counter[str]()
    for raw, written in real.replies():
        total += measured(raw, [line for line in written.splitlines() if line.strip()], ())
    assert total["lost unnoticed"] == 0
    assert total["lost with a word"] <= 6
