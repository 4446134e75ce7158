"""Ends all that a run has started on a Linux host: the processes with its mark, and their children.

The mark is a variable in the environment that drivers give to each run, so that a process that left
its parent and its session is found all the same; a child that cleared its environment is found
below its parent. Only one that did both, after its parents had ended, is not.
"""

from chalicelib.shell import (
    Node,
    any_text,
    assign,
    command,
    exit_,
    export,
    for_each,
    if_,
    is_empty,
    join,
    num,
    num_lt,
    output,
    pipe,
    q,
    redirect,
    ref,
    script,
    split,
    stderr_to,
    while_,
)

__all__ = ["MARK", "end_tree", "marked"]

MARK = "BERTH_RUN"
_GRACE_TENTHS = 20
"""Two seconds between SIGTERM and SIGKILL."""
_ROUNDS = 100
"""Killing goes on for ten seconds: a fork bomb makes new ones as fast as they are found."""
# Reads the process table (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html) and prints the
# given processes and all below them. A name may hold blanks and brackets, so all up to the last ") "
# is cut off.
_CLOSURE = """
{ pid = $1; sub(/^.*\\) /, ""); parent[pid] = $2; state[pid] = $1 }
END {
    count = split(marked, given, " ")
    for (each = 1; each <= count; each++) below[given[each]] = 1
    do {
        more = 0
        for (pid in parent)
            if (!(pid in below) && (parent[pid] in below)) { below[pid] = 1; more = 1 }
    } while (more)
    for (pid in below) if (pid in parent && state[pid] != "Z") print pid
}
"""


def marked(token: str) -> Node:
    """Return the setting of the mark, for drivers that give the environment by a shell."""
    return export(MARK, token)


def end_tree(token: str) -> Node:
    """Return the command that ends every process of the run, and succeeds when none is left.

    SIGTERM to all, SIGKILL two seconds later to what is left, again until none is. A run that is
    gone is a success, so it is safe to repeat. Sees the processes that its own user may see.
    """
    found = script(
        assign("mark", MARK),
        assign("marked", _marked(token)),
        assign("found", ""),
        if_(is_empty(ref("marked")), exit_(0)),
        assign("found", _below()),
        if_(is_empty(ref("found")), exit_(0)),
    )
    return script(
        found,
        _signal("TERM"),
        _rounds(_GRACE_TENTHS, found),
        _rounds(_ROUNDS, script(found, _signal("KILL"))),
        exit_(1),
    )


def _marked(token: str) -> object:
    """The numbers of the marked processes; a process that ends meanwhile is no matter.

    The mark is nowhere in the script as it is looked for: sudo puts the script that it runs into
    that script's environment (`SUDO_COMMAND`), and this one would find and end itself.
    """
    environments = join("/proc/", any_text(), "/environ")
    grep = command("grep", "-lsF", "-e", join(ref("mark"), f"={token}"), environments)
    return output(pipe(grep, "cut -d / -f 3", "grep -v self", "tr '\\n' ' '"))


def _below() -> object:
    table = pipe(
        redirect(
            command("cat", join("/proc/", any_text(), "/stat")),
            stderr_to("/dev/null"),
        ),
        command("awk", "-v", join("marked=", ref("marked")), _CLOSURE),
    )
    return output(table)


def _signal(name: str) -> Node:
    kill = redirect(q("kill -s {name} {pid}", name=name, pid=ref("pid")), stderr_to("/dev/null"))
    return for_each("pid", [split(ref("found"))], kill)


def _rounds(count: int, body: Node) -> Node:
    step = assign("round", num("round") + num(1))
    return script(
        assign("round", "0"),
        while_(num_lt(ref("round"), count), body, step, "sleep 0.1"),
    )
