"""Any documents, any filters: the store answers what the reference of the vocabulary answers.

On the stand-in for MongoDB the values are such as it is known to treat like MongoDB (see its DIFFERENCES).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.store.documents import Index
from shared.store.vocabulary import apply, check_change, check_document, check_filter, matches, sort_documents

if TYPE_CHECKING:
    from shared.store.documents import Documents

TIMES = st.integers(0, 5).map(lambda days: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days))
NUMBERS = st.integers(-2, 3) | st.sampled_from([0.5, 1.0, 2.5, 2**40])
TEXTS = st.sampled_from(["a", "ab", "abc", "B", "b", "é", "zz", "a.b", "(a", "12"])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | TIMES
ROWS = st.fixed_dictionaries(
    {}, optional={"plain": SCALARS, "second": SCALARS, "tags": st.lists(TEXTS | st.integers(0, 2), max_size=3)}
)
BOUNDS = NUMBERS | TEXTS | TIMES
CONDITIONS = (
    SCALARS
    | st.fixed_dictionaries({"$in": st.lists(SCALARS, max_size=3)})
    | st.tuples(st.sampled_from(["$gte", "$lt"]), BOUNDS).map(lambda pair: {pair[0]: pair[1]})
    | st.fixed_dictionaries({"$prefix": TEXTS})
)
FILTERS = st.dictionaries(
    st.sampled_from(["plain", "second", "tags", "missing", "plain.inner"]), CONDITIONS, max_size=3
)
SORTS = st.lists(
    st.tuples(st.sampled_from(["plain", "second"]), st.sampled_from([1, -1])), max_size=2, unique_by=lambda s: s[0]
)
FIELDS = st.sampled_from(["plain", "tags", "new", "new.inner"])
CHANGES = st.dictionaries(
    st.sampled_from(["$set", "$unset", "$inc", "$push", "$addToSet"]),
    st.dictionaries(FIELDS, st.integers(0, 3), min_size=1, max_size=2),
    min_size=1,
    max_size=2,
) | st.fixed_dictionaries({"$pull": st.dictionaries(FIELDS, st.just({"inner": 1}), min_size=1, max_size=2)})
quickly = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.parametrize("indexed", [False, True], ids=["without indexes", "with indexes"])
def test_the_store_finds_and_orders_as_the_reference_does(documents: Documents, indexed: bool) -> None:
    if indexed:
        documents.ensure(
            [Index("things", ("plain",)), Index("things", ("second", "plain")), Index("things", ("tags",), array=True)]
        )

    @quickly
    @given(st.lists(ROWS, min_size=1, max_size=8), st.lists(FILTERS, min_size=1, max_size=8), SORTS)
    def agrees(rows: list[dict[str, Any]], filters: list[dict[str, Any]], sort: list[tuple[str, int]]) -> None:
        stored = [check_document({"_id": f"{n:02}", **row}) for n, row in enumerate(rows)]
        documents.delete("things", {})
        assert documents.insert_many("things", stored) == len(stored)
        order = (*sort, ("_id", 1))
        for where in map(check_filter, filters):
            expected = sort_documents((row for row in stored if matches(row, where)), order)
            assert list(documents.find("things", where, sort=order)) == expected
            assert list(documents.find("things", where, sort=order, skip=1, limit=2)) == expected[1:3]
            assert documents.count("things", where) == len(expected)

    agrees()


def test_the_store_changes_as_the_reference_does(documents: Documents) -> None:
    documents.ensure([Index("things", ("tags",), array=True)])

    @quickly
    @given(st.lists(st.tuples(ROWS, CHANGES), min_size=1, max_size=6))
    def agrees(cases: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        documents.delete("things", {})
        for n, (row, change) in enumerate(cases):
            before = check_document({"_id": str(n), **{key: value for key, value in row.items() if value is not None}})
            documents.insert("things", before)
            try:
                expected = apply(before, check_change(change))
            except ValueError:
                with pytest.raises(ValueError, match=r"."):
                    documents.update("things", {"_id": str(n)}, change)
                expected = before
            else:
                assert documents.update("things", {"_id": str(n)}, change)
            assert documents.get("things", str(n)) == expected

    agrees()
