"""The fairness stamp: where a job stands in its lane, and how that is written as a sort key.

Pure. Changing how tenants share hosts means changing `fair_stamp` and nothing else (queue protocol
section 1.8 compares six alternatives). Stamps are wall-clock based, so they compare across lanes.
"""

from datetime import datetime, timedelta

from chalicelib.clock import to_ms

__all__ = ["QUANTUM", "fair_stamp", "parse_sort_key", "sort_key"]

QUANTUM = timedelta(seconds=60)
"""What one slot in use costs its tenant at the next admission, at weight 1."""


def fair_stamp(*, now: datetime, priority_s: int, slots_in_use: int, weight: int) -> int:
    """Return the stamp in Unix milliseconds: `now + priority + slots in use x quantum / weight`.

    The smallest stamp is claimed first. A tenant that runs nothing goes before one that runs much,
    and since the stamp is a time, nobody starves. Priority is a credit in seconds, negative for
    earlier, and not a key prefix, so low priority cannot starve either.

    >>> from datetime import UTC
    >>> epoch = datetime(1970, 1, 1, tzinfo=UTC)
    >>> fair_stamp(now=epoch, priority_s=0, slots_in_use=3, weight=1)
    180000
    >>> fair_stamp(now=epoch, priority_s=0, slots_in_use=3, weight=2)
    90000
    >>> fair_stamp(now=epoch, priority_s=30, slots_in_use=0, weight=1)
    30000
    """
    handicap_ms = slots_in_use * (QUANTUM // timedelta(milliseconds=1)) // max(1, weight)
    return max(0, to_ms(now) + priority_s * 1000 + handicap_ms)


def sort_key(stamp: int, name: str) -> str:
    """Return the sort key `<zero-padded ms>#<name>`: text order is time order until the year 33658.

    >>> sort_key(180000, "abcdefghijklmnop")
    '000000000180000#abcdefghijklmnop'
    """
    return f"{stamp:015d}#{name}"


def parse_sort_key(key: str) -> tuple[int, str]:
    """Return (ms, name) of a key that `sort_key` made.

    >>> parse_sort_key("000000000180000#abcdefghijklmnop")
    (180000, 'abcdefghijklmnop')
    """
    stamp, _, name = key.partition("#")
    return int(stamp), name
