"""How apt installs, holds and removes packages, whatever state it and dpkg were left in."""

from collections.abc import Sequence

from chalicelib.shell import (
    Item,
    Node,
    all_of,
    any_of,
    any_text,
    assign,
    branch,
    case,
    command,
    compute,
    duplicate,
    env,
    exit_,
    group,
    is_empty,
    is_not_empty,
    join,
    not_,
    num,
    num_eq,
    otherwise,
    output,
    pipe,
    println,
    q,
    redirect,
    ref,
    script,
    split,
    stderr_to,
    until,
    when,
    write_to,
)

__all__ = ["hold", "install", "prepare", "remove", "unhold"]

_LOCK_WAIT_S = 300
_PAUSE_S = 2
_FRESH_MINUTES = 24 * 60
_LISTS = "/var/lib/apt/lists"
_FOLDER = "/var/lib/berth/hostspec"
_STAMP = f"{_FOLDER}/apt-lists"
"""When the lists were last brought up to date by us: what apt keeps has the server's times."""
_SOURCES = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d",
    "/etc/apt/keyrings",
    "/etc/apt/trusted.gpg.d",
)
_KEEP = ("--force-confdef", "--force-confold")
"""Settings files that were changed on the host stay as they are; no question is asked."""
_NULL = "/dev/null"
_THERE = '$1 !~ /^.n/ && (ENVIRON["berth_purge"] == "yes" || $1 !~ /^.c/) { print $2 }'
_OTHERS = """
BEGIN {
    count = split(ENVIRON["berth_ours"], names, /[ \\n]+/)
    for (at = 1; at <= count; at++) {
        ours[names[at]]
        sub(/:.*/, "", names[at])  # apt leaves out the host's own architecture, dpkg does not
        ours[names[at]]
    }
}
/^(Remv|Purg) / && !($2 in ours) { print $2 }
"""


def _apt_get(*words: object) -> Node:
    options = [
        f"DPkg::Lock::Timeout={_LOCK_WAIT_S}",
        *(f"Dpkg::Options::={each}" for each in _KEEP),
    ]
    return env(
        command("apt-get", "-q", "-y", [["-o", each] for each in options], words),
        DEBIAN_FRONTEND="noninteractive",
        NEEDRESTART_MODE="l",  # Ubuntu's needrestart would ask, or restart sshd under us
        UCF_FORCE_CONFFOLD="1",
    )


def prepare(wanted: Sequence[str]) -> Node:
    """Return the script after which apt can install these (`name` or `name=version`).

    It waits for whoever installs now, finishes what an install that was cut short has left, and
    brings the lists up to date where they are missing, older than a day, older than a change of the
    repositories, or do not know what is wanted.
    """
    finished = env(command("dpkg", _KEEP, "--configure", "-a"), DEBIAN_FRONTEND="noninteractive")
    # `check` waits for the lock, which dpkg does not; it fails where dpkg was cut short.
    settled = any_of(redirect(_apt_get("check"), write_to(_NULL)), finished)
    return all_of(settled, when(_is_stale(wanted), _update())) if wanted else settled


def _is_stale(wanted: Sequence[str]) -> Node:
    fresh = command("find", _STAMP, "-mmin", f"-{_FRESH_MINUTES}")
    changed = redirect(command("find", _SOURCES, "-newer", _STAMP), stderr_to(_NULL))
    known = _apt_get("-s", "--allow-downgrades", "--allow-change-held-packages", "install", wanted)
    return any_of(
        is_empty(output(command("find", _LISTS, "-maxdepth", 1, "-name", "*Release"))),
        is_empty(output(redirect(fresh, stderr_to(_NULL)))),
        is_not_empty(output(changed)),
        not_(redirect(known, write_to(_NULL), stderr_to(_NULL))),
    )


def _update() -> Node:
    """Return the update of the lists. No option of apt makes it wait for their lock."""
    updated = redirect(_apt_get("update"), duplicate(2, 1))
    failed: list[Item] = [redirect(println(ref("said")), duplicate(1, 2)), exit_(100)]
    busy = join(any_text(), "Could not get lock", any_text())
    return script(
        command("mkdir", "-p", _FOLDER),
        q("touch {began}", began=f"{_STAMP}.began"),
        assign("tries", _LOCK_WAIT_S // _PAUSE_S),
        until(
            assign("said", output(updated)),
            case(ref("said"), branch(busy, "true"), otherwise(*failed)),
            assign("tries", compute(num("tries") - 1)),
            when(num_eq(ref("tries"), 0), *failed),
            command("sleep", _PAUSE_S),
        ),
        println(ref("said")),
        # What changes while it runs is newer than its beginning.
        q("mv -f {began} {stamp}", began=f"{_STAMP}.began", stamp=_STAMP),
    )


def install(plain: Sequence[str], pinned: Sequence[str]) -> Node:
    """Return the install of packages in any version, those that are there stay; and of pinned ones."""
    common = ("--fix-broken", "--no-install-recommends", "install")
    names = [each.partition("=")[0] for each in (*pinned, *plain)]
    steps = [_known(name) for name in names if {".", "+"} & set(name)]
    if pinned:
        steps.append(_apt_get("--allow-downgrades", "--allow-change-held-packages", common, pinned))
    if plain:
        steps.append(_apt_get("--no-upgrade", common, plain))
    return all_of(*steps)


def _known(name: str) -> Node:
    """Return the refusal of a name that apt does not know: it would take it for a pattern.

    `apt-get install python3.99` installs all whose names match. Its option
    `APT::Cmd::Pattern-Only` did not hinder that (apt 2.6.1).
    """
    same = command("grep", "-qFx", "-e", name.partition(":")[0])
    refused = redirect(println("Unable to locate package", name), duplicate(1, 2))
    return any_of(
        pipe(command("apt-cache", "pkgnames", name.partition(":")[0]), same),
        group(refused, exit_(100)),
    )


def hold(names: Sequence[str]) -> Node:
    """Return the holding of packages."""
    return command("apt-mark", "hold", names)


def unhold(names: Sequence[str]) -> Node:
    """Return the release of packages that may be held, and may not be there."""
    known = redirect(
        command("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\\n", "--", names),
        stderr_to(_NULL),
    )
    held = output(pipe(known, command("awk", "/^h/ { print $2 }")))
    return script(
        assign("held", held),
        when(is_not_empty(ref("held")), command("apt-mark", "unhold", split(ref("held")))),
    )


def remove(names: Sequence[str], *, purge: bool) -> Node:
    """Return the removal of packages that may be there; refused if others would go with them."""
    known = redirect(
        command("dpkg-query", "-W", "-f", "${db:Status-Abbrev}|${binary:Package}\\n", "--", names),
        stderr_to(_NULL),
    )
    listed = env(command("awk", "-F|", _THERE), berth_purge="yes" if purge else "no")
    verb = "purge" if purge else "remove"
    there = split(ref("there"))
    simulated = _apt_get("-s", "--allow-change-held-packages", verb, there)
    others = env(command("awk", _OTHERS), berth_ours=ref("there"))
    printed = redirect(println(ref("said")), duplicate(1, 2))
    refused = println("they are needed by what would be removed with them:", ref("others"))
    removed = script(
        any_of(assign("said", output(simulated)), group(printed, exit_(1))),
        assign("others", output(pipe(println(ref("said")), others))),
        when(is_not_empty(ref("others")), redirect(refused, duplicate(1, 2)), exit_(1)),
        _apt_get("--allow-change-held-packages", verb, there),
    )
    return script(
        assign("there", output(pipe(known, listed))),
        when(is_not_empty(ref("there")), removed),
    )
