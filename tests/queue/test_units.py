"""Sizes and units add up, whatever the item."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.queue.units import (
    element_bytes,
    index_units,
    item_bytes,
    read_units,
    value_bytes,
    write_units,
)

TEXTS = st.text(max_size=8)
VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        TEXTS.map(lambda text: {"S": text}),
        st.integers(-(10**20), 10**20).map(lambda number: {"N": str(number)}),
        st.binary(max_size=8).map(lambda content: {"B": content}),
        st.booleans().map(lambda flag: {"BOOL": flag}),
        st.just({"NULL": True}),
        st.just({"NS": ["1", "250"]}),
        st.just({"BS": [b"1", b"23"]}),
    ),
    lambda inner: st.one_of(
        st.dictionaries(TEXTS, inner, max_size=3).map(lambda content: {"M": content}),
        st.lists(inner, max_size=3).map(lambda content: {"L": content}),
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=4)
PLACED = {"pk": {"S": "J#1"}, "sk": {"S": "S"}, "q": {"S": "lane"}, "o": {"S": "1"}}


@given(item=ITEMS)
def test_an_item_is_as_large_as_its_attributes_together(item: dict[str, Any]) -> None:
    parts = [element_bytes(name, value) for name, value in item.items()]

    assert item_bytes(item) == sum(parts)
    assert all(value_bytes(value) >= 0 for value in item.values())


@given(item=ITEMS)
def test_an_element_of_a_map_takes_a_byte_more_than_an_attribute(item: dict[str, Any]) -> None:
    assert value_bytes({"M": item}) == 3 + item_bytes(item) + len(item)


@given(number=st.integers(0, 10**37))
def test_a_number_takes_a_byte_for_two_digits_and_one_more(number: int) -> None:
    digits = len(str(number).rstrip("0")) if number else 0

    assert digits / 2 <= value_bytes({"N": str(number)}) - 1 <= digits / 2 + 1
    assert value_bytes({"N": f"-{number}"}) == value_bytes({"N": str(number)}) + bool(number)
    assert value_bytes({"N": f"{number}.0"}) == value_bytes({"N": f"00{number}"})


@given(before=st.integers(0, 400_000), after=st.integers(0, 400_000))
def test_a_write_costs_by_the_larger_item(before: int, after: int) -> None:
    units = write_units(before, after)

    assert units == write_units(after, before)
    assert (units - 1) * 1024 <= max(before, after, 1) <= units * 1024


@given(size=st.integers(0, 400_000))
def test_a_consistent_read_costs_double(size: int) -> None:
    assert read_units(size, consistent=True) == 2 * read_units(size, consistent=False)


def test_an_item_without_both_index_keys_is_not_in_the_index() -> None:
    unplaced = {name: value for name, value in PLACED.items() if name != "o"}

    assert index_units(None, unplaced) == 0
    assert index_units(unplaced, PLACED) == 1
    assert index_units(PLACED, None) == 1


def test_what_is_not_projected_costs_nothing_in_the_index() -> None:
    assert index_units(PLACED, {**PLACED, "st": {"S": "running"}}) == 0
