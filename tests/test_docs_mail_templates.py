"""docs/mail-templates.md lists the built-in words and the variables; its example passes `config check`.

`python -m tests.test_docs_mail_templates` writes the tables anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from shared.config.reading import load_bytes
from shared.mail_text.built_in import BUILT_IN, BuiltIn
from shared.mail_text.variables import DESK, MAIL, OF_RULES, RECORD, VARIABLES

PAGE = Path(__file__).parents[1] / "docs/mail-templates.md"
BEGINNING = "## The mails\n"
GROUPS = {"record": RECORD, "desk": DESK, "mail": MAIL, "rule": OF_RULES}


def tables() -> str:
    """The end of the page, from `BEGINNING` on."""
    return "\n".join([BEGINNING, *_mails(), "", "## The variables", "", *_variables(), ""])


def _mails() -> Iterator[str]:
    yield "A variable group in the last column means all of its variables: record, desk, mail."
    yield ""
    yield "| name | sent when | subject | text | variables |"
    yield "|---|---|---|---|---|"
    for each in BUILT_IN.values():
        text = "<br>".join(f"`{line}`" for line in each.text.strip().split("\n") if line)
        yield f"| `{each.name}` | {each.when} | `{each.subject}` | {text} | {_variables_of(each)} |"


def _variables_of(each: BuiltIn) -> str:
    groups = [name for name, members in GROUPS.items() if set(members) <= set(each.variables)]
    covered = {member for name in groups for member in GROUPS[name]}
    return ", ".join([*groups, *(f"`{name}`" for name in each.variables if name not in covered)])


def _variables() -> Iterator[str]:
    yield "| variable | group | meaning | for |"
    yield "|---|---|---|---|"
    for name, variable in VARIABLES.items():
        group = next((group for group, members in GROUPS.items() if name in members), "")
        yield f"| `{name}` | {group} | {variable.meaning} | {'known senders' if variable.known_only else 'everybody'} |"
    yield "| `field.<name>` | record | the value of a field, such as `{field.Category}` | known senders |"
    yield "| `old.<name>` | record | the value before the change, such as `{old.Status}` | known senders |"


def test_the_page_lists_every_mail_and_every_variable() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page[page.index(BEGINNING) :] == tables()


def test_the_example_of_the_page_is_valid() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert [each.name for each in load_bytes(example.encode()).mail_templates] == ["created"]


def test_built_in_words_use_variables_that_they_declare() -> None:
    from shared.mail_text.render import names_in

    for each in BUILT_IN.values():
        texts = [each.subject, each.text, each.neutral_words.subject, each.neutral_words.text or ""]
        used = {name for text in texts for name in names_in(text)}
        assert used <= set(each.variables), each.name
        assert set(each.variables) <= set(VARIABLES), each.name


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(BEGINNING)] + tables(), encoding="utf-8")
