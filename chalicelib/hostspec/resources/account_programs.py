"""How users and groups are added, changed and removed, with shadow's programs and with busybox's.

busybox has no `usermod`: what it lacks is done by awk on a copy of the file, which is then renamed
into its place.
"""

from chalicelib.shell import (
    Node,
    all_of,
    assign,
    command,
    document,
    env,
    for_lines,
    output,
    q,
    redirect,
    ref,
    script,
    script_function,
    write_to,
)

__all__ = [
    "add_group",
    "add_to_group",
    "add_user",
    "change_gid",
    "change_user",
    "delete_group",
    "delete_user",
    "group_exists",
    "leave_other_groups",
    "lock_password",
    "user_exists",
]

_EDIT = """
BEGIN { FS = OFS = ":" }
$1 == ENVIRON["berth_name"] {
    for (at = 2; at <= NF; at++) if (("berth_" at) in ENVIRON) $at = ENVIRON["berth_" at]
}
{ print }
"""
_GID_OF = '$1 == ENVIRON["berth_name"] { print $3; exit }'
_OTHERS = """
{
    count = split($4, members, ",")
    for (at = 1; at <= count; at++)
        if (members[at] == ENVIRON["berth_name"] && index(ENVIRON["berth_kept"], "," $1 ",") == 0)
            print $1
}
"""
_QUIET = write_to("/dev/null")
_EVERYWHERE: frozenset[str] = frozenset()


def group_exists(name: str) -> Node:
    """The host knows the group."""
    return redirect(q("getent group {name}", name=name), _QUIET)


def user_exists(name: str) -> Node:
    """The host knows the user."""
    return redirect(q("getent passwd {name}", name=name), _QUIET)


def _option(letter: str, value: object) -> list[object]:
    return [] if value is None or value == "" else [letter, value]


def _edited(path: str, name: str, **fields: object) -> Node:
    """Return the script that changes fields (by number: `field_3`) of the line of a name."""
    part = f"{path}.berth"
    values = {each.replace("field", "berth"): value for each, value in fields.items()}
    changed = env(command("awk", _EDIT, path), berth_name=name, **values)
    return all_of(
        q("cp -p {path} {part}", path=path, part=part),
        redirect(changed, write_to(part)),
        q("mv -f {part} {path}", part=part, path=path),
    )


def _gid_of(group: str) -> Node:
    return env(command("awk", "-F:", _GID_OF, "/etc/group"), berth_name=group)


add_group = script_function(
    "add_group",
    {
        _EVERYWHERE: lambda name, gid, system: command(
            "groupadd", ["-r"] if system else [], _option("-g", gid), name
        ),
        "alpine": lambda name, gid, system: command(
            "addgroup", ["-S"] if system else [], _option("-g", gid), name
        ),
    },
)
"""Add a group: name, number or None, whether it is the system's."""

change_gid = script_function(
    "change_gid",
    {
        _EVERYWHERE: lambda name, gid: q("groupmod -g {gid} {name}", gid=gid, name=name),
        "alpine": lambda name, gid: _edited("/etc/group", name, field_3=gid),
    },
)
"""Give a group its number. Its users keep it as their primary group."""

delete_group = script_function(
    "delete_group",
    {
        _EVERYWHERE: lambda name: q("groupdel {name}", name=name),
        "alpine": lambda name: q("delgroup {name}", name=name),
    },
)
"""Remove a group that is there."""


def _useradd(name: str, wanted: dict[str, object]) -> Node:
    return command(
        "useradd",
        ["-r"] if wanted["system"] else [],
        _option("-u", wanted["uid"]),
        _option("-c", wanted["comment"]),
        ["-N", "-M", "-g", wanted["group"], "-d", wanted["home"], "-s", wanted["shell"], name],
    )


def _adduser(name: str, wanted: dict[str, object]) -> Node:
    added = command(
        "adduser",
        ["-S"] if wanted["system"] else [],
        _option("-u", wanted["uid"]),
        _option("-g", wanted["comment"]),
        ["-D", "-H", "-G", wanted["group"], "-h", wanted["home"], "-s", wanted["shell"], name],
    )
    # busybox leaves "!", with which an sshd without PAM refuses keys as well.
    return all_of(added, redirect(q("chpasswd -e"), document(f"{name}:*")))


def _usermod(name: str, wanted: dict[str, object]) -> Node:
    return command(
        "usermod",
        _option("-u", wanted["uid"]),
        _option("-c", wanted["comment"]),
        ["-g", wanted["group"], "-d", wanted["home"], "-s", wanted["shell"], name],
    )


def _edit_user(name: str, wanted: dict[str, object]) -> Node:
    fields = {"field_3": wanted["uid"], "field_5": wanted["comment"] or None}
    cared_for = {key: value for key, value in fields.items() if value is not None}
    return script(
        assign("gid", output(_gid_of(str(wanted["group"])))),
        _edited(
            "/etc/passwd",
            name,
            field_4=ref("gid", fail_if_empty="no such group"),
            field_6=wanted["home"],
            field_7=wanted["shell"],
            **cared_for,
        ),
    )


add_user = script_function("add_user", {_EVERYWHERE: _useradd, "alpine": _adduser})
"""Add a user: name, and what is wanted of it (uid, comment, group, home, shell, system)."""

change_user = script_function("change_user", {_EVERYWHERE: _usermod, "alpine": _edit_user})
"""Give a user that is there its number, primary group, home, shell; arguments as `add_user`."""

delete_user = script_function(
    "delete_user",
    {
        _EVERYWHERE: lambda name: q("userdel {name}", name=name),
        "alpine": lambda name: q("deluser {name}", name=name),
    },
)
"""Remove a user that is there, but no file of it."""

add_to_group = script_function(
    "add_to_group",
    {
        _EVERYWHERE: lambda name, group: q("usermod -a -G {group} {name}", group=group, name=name),
        "alpine": lambda name, group: q("addgroup {name} {group}", name=name, group=group),
    },
)
"""Make a user a member of a group. Nothing happens where it is one."""


def _leave(name: str, kept: tuple[str, ...]) -> Node:
    """Return the script that takes a user out of all groups that are not kept."""
    listed = env(
        command("awk", "-F:", _OTHERS, "/etc/group"),
        berth_name=name,
        berth_kept=f",{','.join(kept)},",
    )
    return for_lines("group", listed, q("delgroup {name} {group}", name=name, group=ref("group")))


leave_other_groups = script_function(
    "leave_other_groups",
    {
        _EVERYWHERE: lambda name, kept: q(
            "usermod -G {kept} {name}", kept=",".join(kept), name=name
        ),
        "alpine": _leave,
    },
)
"""Take a user out of all additional groups but those."""

lock_password = script_function(
    "lock_password",
    {
        _EVERYWHERE: lambda name: q("usermod -L {name}", name=name),
        "alpine": lambda name: redirect(q("chpasswd -e"), document(f"{name}:*")),
    },
)
"""No password opens the account any more; keys still do."""
