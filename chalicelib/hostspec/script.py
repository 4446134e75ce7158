"""A plan as one shell script, which says what becomes of each resource while it runs.

Frames (see `frames`), by the number of the resource in the plan's work:

    begin N         it is its turn
    at N K          its K-th command comes next
    end N STATUS    it is done, or failed with that exit status
    skip N          something that it depends on has failed
    busy TEXT       another apply holds the lock: who, since when, and the host's time now

The script holds a lock for as long as it runs. The kernel gives it back when the script ends, in
whatever way; what the commands start in the background does not inherit it.
"""

from collections.abc import Sequence

from chalicelib.hostspec.frames import announce, prologue
from chalicelib.hostspec.plan import OWED_FOLDER, Plan, PlannedChange, owed_mark
from chalicelib.hostspec.resource import Operation
from chalicelib.shell import (
    Item,
    Node,
    all_of,
    append_to,
    assign,
    close_fd,
    duplicate,
    equal,
    exit_,
    group,
    if_,
    last_status,
    output,
    println,
    q,
    q_or,
    read_from,
    redirect,
    ref,
    script,
    subshell,
    when,
    write_to,
)

__all__ = ["BUSY_STATUS", "LOCK", "apply_script", "commands_of", "unattended_script"]

BUSY_STATUS = 75
"""EX_TEMPFAIL of sysexits.h: try again later."""
LOCK = "/var/lib/berth/hostspec/lock"
_LOCK_FD = 9


def apply_script(plan: Plan, *, mark: str, owner: str) -> Node:
    """Return the script that does what is planned.

    Args:
        plan: what is to be done. With nothing to do, the script only takes the lock.
        mark: as in `gather_script`.
        owner: who applies, for whoever finds the lock taken.
    """
    steps = _steps(plan, mark)
    locked = redirect(group(_take_lock(mark, owner), *steps), append_to(LOCK, fd=_LOCK_FD))
    return script(
        *prologue(),
        q_or(q("mkdir -p -m 755 {folder}", folder=OWED_FOLDER), exit_()),
        locked,
    )


def unattended_script(plan: Plan) -> Node:
    """Return the script for a machine that nobody watches.

    It names each resource as it comes to it, and ends with the status of the first command that
    fails.
    """
    steps: list[Item] = []
    for change in plan.work:
        steps.append(println(f"berth: {change.operation.value} {change.resource.name}"))
        steps += [q_or(each, exit_()) for each in commands_of(change)]
    return script(*prologue(), *steps)


def commands_of(change: PlannedChange) -> tuple[Node, ...]:
    """Return the commands of a planned change, in order: what makes it so, then its reaction."""
    resource = change.resource
    actions = () if change.operation is Operation.REACT else resource.actions()
    return (*actions, *(resource.reactions() if change.because else ()))


def _take_lock(mark: str, owner: str) -> Node:
    """Take the lock or say who has it. The file's text is for people; the lock is the kernel's."""
    now = output("date +%s")
    told = announce(mark, "busy", now, output(q("cat {lock}", lock=LOCK)))
    taken = q("flock -n {fd}", fd=_LOCK_FD)
    return script(
        q_or(taken, group(told, exit_(BUSY_STATUS))),
        redirect(println(now, owner), write_to(LOCK)),
    )


def _steps(plan: Plan, mark: str) -> list[Item]:
    work = plan.work
    numbers = {change.resource.name: number for number, change in enumerate(work)}
    owing: dict[str, list[str]] = {}
    for change in plan.changes:
        if not change.resource.absent:
            for trigger in change.resource.on_change_of:
                owing.setdefault(trigger, []).append(owed_mark(change.resource.name))
    steps: list[Item] = []
    for change in work:
        number = numbers[change.resource.name]
        marks = owing.get(change.resource.name, [])
        tried = _step(change, number, mark=mark, owing=marks)
        guards = [equal(ref(f"done_{numbers[name]}", if_unset="0"), 1) for name in _named(change)]
        skipped = announce(mark, "skip", number)
        steps.append(if_(all_of(*guards), [tried], else_=[skipped]) if guards else tried)
    return steps


def _named(change: PlannedChange) -> Sequence[str]:
    return sorted(change.guards)


def _step(change: PlannedChange, number: int, *, mark: str, owing: list[str]) -> Node:
    owes = owed_mark(change.resource.name)
    before = [q("touch {mark}", mark=f"{OWED_FOLDER}/{each}") for each in owing]
    settled = (
        [q("rm -f {mark}", mark=f"{OWED_FOLDER}/{owes}")] if change.resource.on_change_of else []
    )
    tries: list[Item] = []
    for place, each in enumerate([*before, *commands_of(change), *settled]):
        at = place - len(before)
        tries += [announce(mark, "at", number, at), q_or(each, exit_())]
    apart = redirect(subshell(*tries), read_from("/dev/null"), duplicate(2, 1), close_fd(_LOCK_FD))
    return script(
        announce(mark, "begin", number),
        apart,
        assign("status", last_status()),
        announce(mark, "end", number, ref("status")),
        when(equal(ref("status"), 0), assign(f"done_{number}", 1)),
    )
