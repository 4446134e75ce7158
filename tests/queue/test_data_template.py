"""The template that makes the table, against the names that the code uses."""

from pathlib import Path
from typing import Any

import yaml

from chalicelib.queue.dynamodb_items import Item
from chalicelib.queue.dynamodb_table import _INDEX, _meta_table

TEMPLATE = Path(__file__).parents[2] / "cloudformation" / "data.yaml"


def declared() -> dict[str, Any]:
    """Return the properties of the table."""
    properties: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text())["Resources"]["QueueTable"][
        "Properties"
    ]
    return properties


def test_the_tables_key_is_the_one_the_code_uses() -> None:
    meta = _meta_table("berth")

    names = [key["AttributeName"] for key in declared()["KeySchema"]]
    assert [meta.hash_keyname, meta.range_keyname] == names
    assert [Item.pk.attr_name, Item.sk.attr_name] == names


def test_the_index_is_the_one_the_code_uses_and_carries_keys_only() -> None:
    [index] = declared()["GlobalSecondaryIndexes"]

    assert index["IndexName"] == _INDEX
    names = [key["AttributeName"] for key in index["KeySchema"]]
    assert names == [Item.partition.attr_name, Item.order.attr_name]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_the_table_forgets_by_the_attribute_the_code_writes() -> None:
    ttl = declared()["TimeToLiveSpecification"]

    assert ttl == {"AttributeName": Item.ttl.attr_name, "Enabled": True}
