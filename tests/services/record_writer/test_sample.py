"""The sample mail of an inbox is one that the writer understands."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_string
from typing import Any

import pytest

from services.record_writer.decide.content import body
from services.record_writer.sample import sample_mail
from shared.config.model import BUILT_IN_TYPES, Inbox, RecordType
from shared.typed import typed

INBOX = Inbox("box", "box@example.com", field_separator="$")
ORDER = RecordType("order", prefix="ORD", fields={"Item": "text", "Count": "number", "Due": "date", "Paid": "boolean"})


@pytest.mark.req("IV-43")
@pytest.mark.parametrize("type_", [*BUILT_IN_TYPES[1:], ORDER], ids=lambda each: str(each.name))
@pytest.mark.parametrize("separator", ["$", ":", " = ", "::"])
def test_every_field_of_a_sample_is_read_with_a_value_of_its_kind(type_: RecordType, separator: str) -> None:
    mail = message_from_string(sample_mail(replace(INBOX, field_separator=separator.strip()), type_))
    block = body.read(str(mail.get_payload()), separator.strip(), body.form_of(type_))
    values = {value.name: value.value for value in typed(type_, block.fields)}
    assert set(values) == {"Status", *type_.fields}
    assert mail["To"] == "box@example.com"
    assert block.text.strip()


@pytest.mark.req("IV-43")
@pytest.mark.parametrize(
    ("keys", "written"),
    [
        ({"record_marker": "%%"}, "\n%%\n"),
        ({"unique_key": "OrderNumber"}, "OrderNumber$ORD12\n"),
        ({"update_only": True}, "Subject: [Order - ORD12]\n"),
        ({"field_separator": None}, "this inbox has no separator for fields"),
        ({"record_marker": "-"}, "Due$20261120\n"),
    ],
)
def test_a_sample_shows_what_the_inbox_asks_for(keys: dict[str, Any], written: str) -> None:
    assert written in sample_mail(replace(INBOX, **keys), ORDER)
