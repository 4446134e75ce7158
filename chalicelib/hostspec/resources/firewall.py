"""A firewall: one table of nftables, replaced as a whole; all other tables stay."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.firewall_rules import CHAINS, SETS, Policy, Rule, ruleset
from chalicelib.hostspec.system import SYSTEM
from chalicelib.shell import (
    Node,
    all_of,
    assign,
    command,
    document,
    env,
    exit_,
    for_each,
    group,
    is_directory,
    is_file,
    join,
    output,
    pipe,
    print_text,
    println,
    q,
    q_chain,
    q_or,
    redirect,
    ref,
    script,
    when,
    write_to,
)
from chalicelib.transport.files import place_script

__all__ = ["FIREWALLS", "Firewall", "FirewallState"]

_RECORDS = "/var/lib/berth/hostspec/firewall"
_RULES = "/etc/nftables.d"
_UNITS = "/etc/systemd/system"
_WANTS = f"{_UNITS}/sysinit.target.wants"
_UNIT_START = "berth-firewall-"
_NAME = re.compile(r"berth[a-z0-9_]{0,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallState:
    """A table of nftables, and what was noted when it was last replaced.

    Attributes:
        listing: the table as nft prints it, without what is in its sets; empty if there is none.
        given: SHA-256 of the script that was given to nft, in hexadecimal; or empty.
        listed: SHA-256 of the listing just after that; or empty.
        kept: SHA-256 of the script that is loaded at boot; or empty.
        unit: SHA-256 of the unit that loads it; or empty.
        enabled: systemd starts that unit at boot.
    """

    listing: str
    given: str
    listed: str
    kept: str
    unit: str
    enabled: bool


def _gather(tables: tuple[str, ...]) -> Node:
    table = ref("table")
    unit = join(_UNIT_START, table, ".service")
    files = [join(_RULES, "/", table, ".nft"), join(_UNITS, "/", unit)]
    return for_each(
        "table",
        tables,
        println("table", table),
        q_or(q("cat {record}", record=join(_RECORDS, "/", table)), println("")),
        [println(output(pipe(q("sha256sum {file}", file=each), "cut -c 1-64"))) for each in files],
        println(output(q("readlink {link}", link=join(_WANTS, "/", unit)))),
        pipe(_list(table), "sed -e 's/^/|/'"),
    )


def _read(said: bytes, tables: tuple[str, ...]) -> Mapping[str, FirewallState]:
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in said.decode(errors="replace").splitlines():
        word, _, table = line.partition(" ")
        if word == "table" and table in tables:
            lines = parts.setdefault(table, [])
        else:
            lines.append(line)
    return {table: _state(parts.get(table, [])) for table in tables}


def _state(lines: list[str]) -> FirewallState:
    noted = [line for line in lines if line[:1] != "|"]
    record, kept, unit, enabled = [*noted, "", "", "", ""][:4]
    given, _, listed = record.partition(" ")
    return FirewallState(
        listing="".join(f"{line[1:]}\n" for line in lines if line[:1] == "|"),
        given=given,
        listed=listed,
        kept=kept,
        unit=unit,
        enabled=bool(enabled),
    )


FIREWALLS = Fact(name="firewalls", gather=_gather, read=_read)
"""A table of nftables by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall(Resource):
    """A table `inet` of nftables with typed rules.

    The whole of it is checked, then replaced in one transaction, and loaded again at boot, after
    the distribution's own rules. What `runtime_rules` has opened or blocked outlives that. Other
    tables, and the distribution's files, stay as they are; mind that a packet must be accepted by
    all tables.

    First in `input` come, always: what is blocked for some time; connections that are established;
    the loopback interface; what is opened for some time; the neighbours of IPv6. So an apply does
    not cut its own connection. New ones need a rule, unless the policy accepts them.

    Attributes:
        table: its name, beginning with `berth`.
        rules: in order.
        input_policy: for what comes to this host and no rule decides. Default: drop.
        forward_policy: for what goes through. Default: accept.
        output_policy: for what it sends. Default: accept.
    """

    kind: ClassVar[str] = "firewall"

    table: str = "berth"
    rules: tuple[Rule, ...] = ()
    input_policy: Policy = "drop"
    forward_policy: Policy = "accept"
    output_policy: Policy = "accept"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(
            self,
            _NAME.fullmatch(self.table),
            f"table: {self.table!r} is not berth, then a-z, 0-9 or _",
        )
        for policy in self._policies.values():
            check(self, policy in {"accept", "drop"}, f"{policy!r} is no policy")

    @property
    def subject(self) -> str:
        """The table's name."""
        return self.table

    @property
    def wants(self) -> tuple[str, ...]:
        """The program."""
        return (names.package("nftables"),)

    @property
    def _policies(self) -> Mapping[str, Policy]:
        return {
            "input": self.input_policy,
            "forward": self.forward_policy,
            "output": self.output_policy,
        }

    @property
    def _script(self) -> str:
        return ruleset(self.table, self.rules, self._policies)

    def asks(self) -> tuple[Ask[object], ...]:
        """The table, and what was noted of it."""
        return (SYSTEM(), FIREWALLS(self.table))

    def wanted(self) -> Fields:
        """The rules, and that they are loaded at boot."""
        return {"rules": self._script, "at boot": "loaded"}

    def found(self, facts: Facts) -> Fields | None:
        """The same; rules that somebody else changed are shown as nft lists them."""
        there = facts[FIREWALLS(self.table)]
        if not (there.listing or there.kept or there.unit):
            return None
        own = (there.given, there.listed) == (_digest(self._script), _digest(there.listing))
        kept = (there.kept, there.unit) == (_digest(self._script), _digest(_unit_text(self.table)))
        enabled = there.enabled or not facts[SYSTEM()].systemd
        return {
            "rules": self._script if own else there.listing,
            "at boot": "loaded" if kept and enabled else "something else",
        }

    def actions(self) -> tuple[Node, ...]:
        """Check and replace the table, keep the script for the next boot, note what was done."""
        if self.absent:
            return self._removal()
        new, whole = f"{_RECORDS}/{self.table}.new", f"{_RECORDS}/{self.table}.whole"
        combined = group(_drop_foreign(self.table), q("cat {new}", new=new))
        return (
            q("mkdir -p -m 755 {records} {rules}", records=_RECORDS, rules=_RULES),
            place_script(new, content=print_text(self._script), mode=0o600),
            redirect(combined, write_to(whole)),
            q("nft -c -f {whole}", whole=whole),
            q("nft -f {whole}", whole=whole),
            place_script(self._kept, content=print_text(self._script), mode=0o644),
            place_script(self._unit, content=print_text(_unit_text(self.table)), mode=0o644),
            self._enable(),
            self._note(),
            q("rm -f {new} {whole}", new=new, whole=whole),
        )

    def _note(self) -> Node:
        """Return the script that notes how nft lists what it was given: it says it otherwise."""
        listed = output(pipe(_list(self.table), "sha256sum", "cut -c 1-64"))
        noted = println(_digest(self._script), ref("listed"))
        return script(
            assign("listed", listed),
            place_script(f"{_RECORDS}/{self.table}", content=noted, mode=0o644),
        )

    def _enable(self) -> Node:
        """Return the script that has the unit started at boot, and now, so that it is followed."""
        unit = f"{_UNIT_START}{self.table}.service"
        started = q_chain("systemctl daemon-reload", q("systemctl start {unit}", unit=unit))
        return when(
            _have("systemctl"),
            q_or(q("systemctl enable --quiet {unit}", unit=unit), exit_()),
            when(is_directory("/run/systemd/system"), started),
        )

    def _removal(self) -> tuple[Node, ...]:
        unit = f"{_UNIT_START}{self.table}.service"
        both = f"add table inet {self.table}\ndelete table inet {self.table}\n"
        disabled = q("systemctl disable --quiet {unit}", unit=unit)
        stopped = when(is_directory("/run/systemd/system"), q("systemctl stop {unit}", unit=unit))
        return (
            when(_have("nft"), redirect("nft -f -", document(both))),
            when(all_of(is_file(self._unit), _have("systemctl")), q_chain(disabled, stopped)),
            command("rm", "-f", self._kept, self._unit, f"{_RECORDS}/{self.table}"),
            when(is_directory("/run/systemd/system"), "systemctl daemon-reload"),
        )

    @property
    def _kept(self) -> str:
        return f"{_RULES}/{self.table}.nft"

    @property
    def _unit(self) -> str:
        return f"{_UNITS}/{_UNIT_START}{self.table}.service"


_UNIT_TEXT = Template("""\
[Unit]
Description=Firewall of Berth, table $table
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# The distribution's rules begin with "flush ruleset": ours are loaded after them, each time.
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f $rules/$table.nft
ExecReload=/usr/sbin/nft -f $rules/$table.nft

[Install]
WantedBy=sysinit.target
""")


def _unit_text(table: str) -> str:
    return _UNIT_TEXT.substitute(table=table, rules=_RULES)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _have(program: str) -> Node:
    return redirect(command("command", "-v", program), write_to("/dev/null"))


def _list(table: object) -> Node:
    """Return the command that lists a table without counters and without what is in its sets."""
    return q("nft -s -t list table inet {table}", table=table)


# All chains are emptied before any is deleted: one may jump to another. Elements of a map, too.
_FOREIGN = """
BEGIN { table = ENVIRON["BERTH_TABLE"]; split(ENVIRON["BERTH_OWN"], own, " ")
        for (i in own) mine[own[i]] = 1 }
$1 == "chain" { print "flush chain inet", table, $2; if (!($2 in mine)) chains[$2] = 1 }
$1 == "set" || $1 == "map" { if (!($2 in mine)) sets[$2] = $1 }
END { for (name in sets) print "delete", sets[name], "inet", table, name
      for (name in chains) print "delete chain inet", table, name }
"""


def _drop_foreign(table: str) -> Node:
    """Return the command that prints how nft drops what others have put into the table."""
    quiet = redirect(_list(table), write_to("/dev/null", fd=2))
    own = " ".join([*CHAINS, *SETS])
    return pipe(quiet, env(command("awk", _FOREIGN), BERTH_TABLE=table, BERTH_OWN=own))
