"""A machine on which any spec can be applied, and which is left as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.shell import command, println, q, redirect, write_to
from chalicelib.transport import Transport
from tests.hostspec.anything.choices import DEBS, MORE_DEBS, REPOSITORIES
from tests.hostspec.anything.specs import everything_gone
from tests.hostspec.anything.system import SYSCTLS
from tests.hostspec.debs import put_repository
from tests.hostspec.life import apply_well

__all__ = ["prepared"]

_SOURCE = "/etc/apt/sources.list.d/any-debs.list"
_LISTS = "/etc/apt/sources.list"
_FILES = ("/etc/hosts", "/etc/hostname", "/etc/timezone", "/etc/localtime")


@contextmanager
def prepared(machine: Transport) -> Iterator[None]:
    """Have tiny packages and no others on the machine: nothing comes from the network."""
    name = machine.run("cat /proc/sys/kernel/hostname").text
    values = {key: machine.run(command("cat", _path(key))).text for key in SYSCTLS}
    for debs, folder in zip((DEBS, MORE_DEBS), REPOSITORIES, strict=True):
        put_repository(machine, debs, folder)
    for path in (_LISTS, *_FILES):
        machine.run(q("cp -Pp {path} {kept}", path=path, kept=f"{path}.any"), check=False)
    listed = f"deb [trusted=yes] file:{REPOSITORIES[0]} ./"
    machine.run(redirect(println(listed), write_to(_SOURCE)))
    machine.run(command("rm", "-f", _LISTS))
    try:
        yield
    finally:
        apply_well(machine, *everything_gone())
        for path in (_LISTS, *_FILES):
            machine.run(command("rm", "-f", path))
            machine.run(q("mv -T {kept} {path}", path=path, kept=f"{path}.any"), check=False)
        machine.run(command("hostname", name))
        for key, value in values.items():
            machine.run(redirect(println(value), write_to(_path(key))))
        machine.run(command("rm", "-rf", _SOURCE, *REPOSITORIES))
        # apt goes on with lists that it has checked once.
        machine.run(command("find", "/var/lib/apt/lists", "-name", "_srv_any*", "-delete"))


def _path(key: str) -> str:
    return f"/proc/sys/{key.replace('.', '/')}"
