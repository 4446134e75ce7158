"""Schema versions at the edge of the table: each write carries its writer's, each reader looks.

While a release is deployed, its functions and those of the one before work on the same items. See
docs/decisions/0011-schema-versions.md for what each may do with the other's.
"""

from collections.abc import Mapping
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib.errors import StoreUnavailableError

__all__ = ["ITEM_VERSION", "VERSION_NAME", "check_version", "not_newer"]

ITEM_VERSION = 2
"""Schema version of every item written. A reader accepts it and the one before.

2 brought shards and the outcome of a cancel to jobs; to a reader both are optional.
"""

VERSION_NAME = "v"


def check_version(raw: Mapping[str, Any], version: int) -> None:
    """Return when code of that version may read the item. Part of an item, without one, passes.

    Raises:
        StoreUnavailableError: it is of a newer release, or of one long gone. Whoever calls again
            comes to a newer function sooner or later.
    """
    found = int(raw["v"]["N"]) if VERSION_NAME in raw else version
    if not version - 1 <= found <= version:
        item = raw.get("pk", {}).get("S", "an item")
        reason = f"{item} has schema {found}; this release reads {version}"
        raise StoreUnavailableError(reason=reason)


def not_newer(version: int) -> Condition:
    """Return the condition that the item is not there, or of no newer version."""
    path = Path(VERSION_NAME)
    condition: Condition = path.does_not_exist() | (path <= version)
    return condition
