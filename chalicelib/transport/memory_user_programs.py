"""The programs of a host in memory that tell or change the user, and the shell; see `memory_programs`.

`sudo`, `su` and `sh` are known in the form in which `wrappers` writes them, and in no other.
"""

from collections.abc import Mapping

from chalicelib.transport.memory_state import Process, Program
from chalicelib.transport.memory_words import absent

__all__ = ["USER_PROGRAMS"]

_FAILED = 1
_HOMES = {"root": "/root", "nobody": "/nonexistent"}
_KEPT_BY_SUDO = ("LANG", "PATH")


def _id(process: Process) -> int:
    if process.arguments != ("-un",):
        raise absent("id, but for id -un")
    process.write(f"{process.user}\n")
    return 0


def _whoami(process: Process) -> int:
    if process.arguments:
        raise absent("whoami with arguments")
    process.write(f"{process.user}\n")
    return 0


def _sudo(process: Process) -> int:
    """Everybody may, without a password."""
    match process.arguments:
        case ("-n", "-H", "-u", user, "--", _, *_):
            pass
        case _:
            raise absent("sudo, but for sudo -n -H -u user -- program")
    if user not in process.users:
        process.complain(f"unknown user {user}")
        return _FAILED
    kept = {
        name: process.environment[name] for name in _KEPT_BY_SUDO if name in process.environment
    }
    environment = {**kept, **_of(user), "USER": user, "LOGNAME": user}
    return process.start(process.arguments[5:], environment, user=user)


def _su(process: Process) -> int:
    """Root may; anybody else would be asked for a password."""
    match process.arguments:
        case ("-s", "/bin/sh" as shell, "-c", text, user):
            pass
        case _:
            raise absent("su, but for su -s /bin/sh -c script user")
    if user not in process.users:
        process.complain(f"user {user} does not exist")
        return _FAILED
    if process.user != "root":
        process.complain("Authentication failure")
        return _FAILED
    named = {} if user == "root" else {"USER": user, "LOGNAME": user}
    environment = {**process.environment, **_of(user), **named, "SHELL": shell}
    return process.start((shell, "-c", text), environment, user=user)


def _of(user: str) -> dict[str, str]:
    return {"HOME": _HOMES.get(user, f"/home/{user}")}


def _sh(process: Process) -> int:
    match process.arguments:
        case ("-c", text):
            return process.run_script(text)
        case _:
            raise absent("a shell, but for sh -c script")


USER_PROGRAMS: Mapping[str, Program] = {
    "bash": _sh,
    "id": _id,
    "sh": _sh,
    "su": _su,
    "sudo": _sudo,
    "whoami": _whoami,
}
