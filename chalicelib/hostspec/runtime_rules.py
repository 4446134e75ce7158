"""What a firewall lets in or keeps out for some time only, while the host runs.

These rules are elements of sets in the table of a `Firewall`, which must have been applied. The
kernel lets them expire. An apply of the firewall, at the same time or later, leaves them; a boot
does not. Each call is one transaction of nft, or two.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Literal, cast

from chalicelib.errors import HostSpecError, SpecError
from chalicelib.hostspec.frames import prologue
from chalicelib.hostspec.resources.firewall_rules import BLOCKED, OPENED, SETS
from chalicelib.shell import document, q, redirect, script
from chalicelib.transport import Result, Transport

__all__ = ["Effect", "Port", "RuntimeRule", "block_for", "close", "open_for", "runtime_rules"]

Effect = Literal["opened", "blocked"]
_NUMBERS = {"6": "tcp", "17": "udp"}
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(days=365)
_TABLE = re.compile(r"berth[a-z0-9_]{0,20}")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Who may, or may not, reach what.

    Attributes:
        port: 1 to 65535.
        protocol: `tcp` or `udp`. Default: tcp.
        source: the address from which. Default: anybody.
    """

    port: int
    protocol: Literal["tcp", "udp"] = "tcp"
    source: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            SpecError: says what.
        """
        try:
            scoped = "%" in str(ip_address(self.source or "::"))
        except ValueError as error:
            raise SpecError(reason=f"nobody to open or block: {error}") from None
        if scoped or self.protocol not in {"tcp", "udp"} or not 1 <= self.port <= _LAST_PORT:
            raise SpecError(reason=f"nothing to open or block: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRule:
    """What is opened or blocked, and for how long still, to a second; None: until it is closed."""

    effect: Effect
    port: Port
    remaining: timedelta | None


def open_for(
    transport: Transport, port: Port, duration: timedelta, *, table: str = "berth"
) -> None:
    """Let in what no rule of the firewall would, for so long from now. Safe to repeat.

    Connections that are open when the time is over stay open.

    Args:
        transport: reaches the host, as root.
        port: what; if it is opened already its time begins anew.
        duration: 1 s to 365 days.
        table: of the firewall.

    Raises:
        SpecError: the duration or the table's name cannot be.
        HostSpecError: the host has no such firewall.
        RetryableError, OperatorError: as `Transport.run`.
    """
    _put(transport, OPENED, port, duration, table)


def block_for(
    transport: Transport, port: Port, duration: timedelta, *, table: str = "berth"
) -> None:
    """Keep out what the firewall would let in, for so long from now, also what is connected.

    Arguments and errors as `open_for`. What is both opened and blocked is blocked.
    """
    _put(transport, BLOCKED, port, duration, table)


def close(
    transport: Transport, port: Port, *, effect: Effect = "opened", table: str = "berth"
) -> None:
    """End what `open_for` (or, by its effect, `block_for`) began. Safe to repeat.

    Raises:
        HostSpecError: the host has no such firewall.
        RetryableError, OperatorError: as `Transport.run`.
    """
    element = _element(effect, port, table)
    result = _nft(transport, f"delete element {element} }}\n")
    if result.exit_status:
        # It is not there, or has expired meanwhile; otherwise nft said why.
        there = runtime_rules(transport, table=table)
        if any(_element(each.effect, each.port, table) == element for each in there):
            raise _failure(transport, result)


def runtime_rules(transport: Transport, *, table: str = "berth") -> tuple[RuntimeRule, ...]:
    """Return what is opened and blocked now.

    Raises:
        HostSpecError: the host has no such firewall, or its answer cannot be understood.
        RetryableError, OperatorError: as `Transport.run`.
    """
    listings = [
        q("nft -j list set inet {table} {name}", table=_named(table), name=name) for name in SETS
    ]
    result = transport.run(script(*prologue(), "set -e", *listings), check=False)
    if result.exit_status:
        raise _failure(transport, result)
    try:
        return tuple(_rules(result.stdout.decode()))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = f"nft lists what is opened in a way that is not known: {error!r}"
        raise HostSpecError(host=transport.host, reason=reason) from error


def _put(transport: Transport, effect: Effect, port: Port, duration: timedelta, table: str) -> None:
    if not _SHORTEST <= duration <= _LONGEST:
        raise SpecError(reason=f"a rule for {duration}: 1 s to 365 days")
    element = _element(effect, port, table)
    timeout = f"timeout {duration // timedelta(milliseconds=1)}ms"
    # To add what is there keeps its old time, and to delete what is not there is an error: so both.
    result = _nft(
        transport,
        f"add element {element} }}\ndelete element {element} }}\nadd element {element} {timeout} }}\n",
    )
    if result.exit_status:
        raise _failure(transport, result)


def _nft(transport: Transport, text: str) -> Result:
    giving = redirect("nft -f -", document(text))
    return transport.run(script(*prologue(), giving), check=False)


def _failure(transport: Transport, result: Result) -> HostSpecError:
    said = result.stderr.decode(errors="replace").strip()
    return HostSpecError(host=transport.host, reason=f"the firewall was not changed: {said}")


def _named(table: str) -> str:
    if not _TABLE.fullmatch(table):
        raise SpecError(reason=f"{table!r} is no table of Berth")
    return table


def _element(effect: Effect, port: Port, table: str) -> str:
    """Return an element up to its end, where its time can stand."""
    address = ip_address(port.source) if port.source else None
    name = f"{effect}{address.version if address else ''}"
    source = f"{address} . " if address else ""
    return f"inet {_named(table)} {name} {{ {source}{port.protocol} . {port.port}"


def _rules(listings: str) -> Iterator[RuntimeRule]:
    for line in filter(str.strip, listings.splitlines()):
        for part in json.loads(line)["nftables"]:
            listed = part.get("set", {})
            for each in listed.get("elem", []):
                yield _rule(listed["name"], each.get("elem", {"val": each}))


def _rule(name: str, element: dict[str, object]) -> RuntimeRule:
    value = cast("dict[str, list[object]]", element["val"])
    *source, protocol, number = value["concat"]
    word = _NUMBERS.get(str(protocol), str(protocol))
    port = Port(
        port=int(cast("int", number)),
        protocol=cast("Literal['tcp', 'udp']", word),
        source=str(source[0]) if source else None,
    )
    effect = cast("Effect", name.rstrip("46"))
    left = cast("int | None", element.get("expires"))
    remaining = None if left is None else timedelta(seconds=left)
    return RuntimeRule(effect=effect, port=port, remaining=remaining)
