"""Notes on names and patterns that mean more, or less, than they seem to. Pure.

Numbers that two types share, patterns that match everything or nothing, and teams in two spellings: teams are not
configured, so that nobody can say which of them exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from shared import mapping_tokens
from shared.config.complaints import Complaint, Complaints, values_at
from shared.config.model import BUILT_IN_TYPES, Configuration, Rule, folded
from shared.config.problems import typo_of
from shared.config.values import Scalar
from shared.lazy_pattern import lazy_compile
from shared.patterns import PatternTime
from shared.subject_prefixes import is_prefixed, without_prefixes

MIN_WORD: Final = 5
"""Letters of a word of which another may be a misspelling."""
REPLIES: Final = ("Re: ", "Fwd: ")
_EVERY_FILE: Final = lazy_compile(r"\*+(?:\.\*+)?")


def find_lookalikes(config: Configuration) -> Complaints:
    """Every note of this module."""
    yield from _shared_prefixes(config)
    for index, pattern in enumerate(config.settings.restricted_attachments):
        if _EVERY_FILE.fullmatch(pattern):
            why = "matches every file, so that records get no attachment at all; name the types that are restricted"
            yield Complaint(f"settings.restricted_attachments[{index}]", f'"{pattern}" {why}')
    for path, rule in values_at(config, "rules"):
        yield from _reply_prefixes(f"{path}.match", rule)
    yield from _team_spellings(list(_teams(config)))


def _shared_prefixes(config: Configuration) -> Complaints:
    """Types whose records have the same numbers."""
    own = {folded(each.name) for each in config.record_types}
    owners = {each.prefix.casefold(): each.name for each in BUILT_IN_TYPES if each.name not in own}
    for path, each in values_at(config, "record_types"):
        if (owner := owners.setdefault(each.prefix.casefold(), each.name)) != each.name:
            why = f"a number such as {each.prefix}1 is one of {owner} too; write a prefix that no other type has"
            yield Complaint(f"{path}.prefix", why)


def _reply_prefixes(path: str, rule: Rule) -> Complaints:
    """Prefixes such as `Re:` that a rule names: no subject begins with them, and all replies contain them."""
    for text in rule.match.get("subject_begins", ()):
        if is_prefixed(text):
            rest = without_prefixes(text)
            remedy = f'write "{rest}"' if rest else "remove it"
            yield Complaint(f"{path}.subject_begins", f'"{text}" matches nothing: subjects count without it; {remedy}')
    if rule.enabled and len(rule.match) == 1 and (named := next(_of_replies(rule), "")):
        what = {"inbound": "rejects every reply or forwarded mail", "outbound": "keeps back every answer"}
        does = what.get(rule.direction, f"{what['inbound']}, and {what['outbound']}")
        yield Complaint(path, f'"{named}" {does}; add what else has to hold, or remove the rule')


def _of_replies(rule: Rule) -> Iterator[str]:
    """The texts and patterns for subjects that are there in every reply or in every forwarded mail."""
    headers = {name.casefold(): text for name, text in rule.match.get("header", {}).items()}
    texts = rule.match.get("subject", ()) or [text for text in headers.values() if list(headers) == ["subject"]]
    yield from (text for text in texts if is_prefixed(text) and not without_prefixes(text))
    patterns, time = rule.match.get("regex", {}), PatternTime()
    yield from (
        pattern
        for where, pattern in patterns.items()
        if where in {"subject", "any"} and len(patterns) == 1 and any(time.search(pattern, each) for each in REPLIES)
    )


def _teams(config: Configuration) -> Iterator[tuple[str, str]]:
    """Each team that is named, with its place."""
    for path, inbox in values_at(config, "inboxes"):
        if inbox.owner_team:
            yield f"{path}.owner_team", inbox.owner_team
        constants = {
            name: mapping_tokens.constant_of(text)
            for name, text in inbox.field_mapping.items()
            if not mapping_tokens.has_token(text)
        }
        yield from _named(f"{path}.field_mapping", constants)
    for section in ("templates", "quick_actions", "business_rules"):
        for path, each in values_at(config, section):
            yield from _named(f"{path}.set", each.set)
    for path, team in values_at(config, "people.teams"):
        yield path, team


def _named(path: str, stated: Mapping[str, Scalar]) -> Iterator[tuple[str, str]]:
    for name, value in stated.items():
        if name.casefold() == "ownerteam" and value:
            yield f"{path}.{name}", str(value)


def _team_spellings(teams: list[tuple[str, str]]) -> Complaints:
    """Teams whose names differ by spelling alone; the one that is named more often is right."""
    counted = Counter(team for _, team in teams)
    known: list[str] = []
    for team in sorted(counted, key=lambda each: -counted[each]):
        if other := _same_but_for_spelling(team, known):
            path = next(path for path, name in teams if name == team)
            why = f'the team "{team}" is another one than "{other}"; write one name everywhere if they are the same'
            yield Complaint(path, why)
        known.append(team)


def _same_but_for_spelling(team: str, known: Iterable[str]) -> str | None:
    words = folded(team).split("_")
    return next((each for each in known if _is_misspelt(words, folded(each).split("_"))), None)


def _is_misspelt(words: list[str], others: list[str]) -> bool:
    """Whether the words are the same but for capitals, or for a letter of one long word without digits."""
    pairs = [pair for pair in zip(words, others, strict=False) if pair[0] != pair[1]]
    if len(words) != len(others) or len(pairs) > 1:
        return False
    return all(
        min(map(len, pair)) >= MIN_WORD and "".join(pair).isalpha() and typo_of(pair[0], pair[1:]) for pair in pairs
    )
