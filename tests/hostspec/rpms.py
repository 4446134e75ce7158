"""dnf and rpm, which Debian has too, and tiny packages that are made with them on a machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.shell import all_of, command, env, q, redirect, unless, write_to
from chalicelib.transport import Transport

__all__ = ["Rpm", "install_dnf", "make_key", "put_repository"]

_PACKAGES = ("dnf", "dnf-plugins-core", "rpm", "createrepo-c", "gnupg")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_GPG = "/srv/rpm-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpm:
    """An empty package; `key` names what it is signed with, if it is."""

    name: str
    version: str
    needs: str = ""
    key: str = ""

    @property
    def spec(self) -> str:
        """The text from which rpmbuild makes it."""
        head = f"Name: {self.name}\nVersion: {self.version}\nRelease: 1\nSummary: test\n"
        needed = f"Requires: {self.needs}\n" if self.needs else ""
        rest = "License: MIT\nBuildArch: noarch\n%description\nof a test\n%files\n"
        return f"{head}{needed}{rest}"


def install_dnf(machine: Transport) -> None:
    """Install dnf from Debian, unless it is there."""
    got = env(
        all_of(
            q("apt-get -q update"),
            command("apt-get", "-qy", "--no-install-recommends", "install", _PACKAGES),
            # Debian's dnf comes with a plugin that copies each package into an unsigned repository.
            "sed -i s/true/false/ /etc/dnf/plugins/local.conf",
        ),
        DEBIAN_FRONTEND="noninteractive",
        PATH=_PATH,
    )
    machine.run(unless(redirect(q("dnf --version"), write_to("/dev/null")), got), timeout_s=120)


def put_repository(machine: Transport, rpms: Sequence[Rpm], folder: str) -> None:
    """Build packages in a folder of a machine, and make a repository of it."""
    defined = ["--define", f"_topdir {folder}/build", "--define", f"_rpmdir {folder}"]
    machine.run(command("rm", "-rf", folder))
    machine.run(command("mkdir", "-p", folder))
    for each in rpms:
        machine.put(each.spec.encode(), f"{folder}/test.spec")
        machine.run(command("rpmbuild", "--quiet", "-bb", defined, f"{folder}/test.spec"))
        if each.key:
            signed = (f"_gpg_name {each.key}", f"_gpg_path {_GPG}", "__gpg /usr/bin/gpg")
            by = [["--define", word] for word in signed]
            made = f"{folder}/noarch/{each.name}-{each.version}-1.noarch.rpm"
            machine.run(command("rpmsign", "--addsign", by, made))
    machine.run(command("createrepo_c", "-q", folder))


def make_key(machine: Transport, name: str) -> str:
    """Make a key on a machine, unless there is one of that name; return its public half, armored."""
    gpg = ["gpg", "--homedir", _GPG, "--batch"]
    made = command(gpg, "--passphrase", "", "--quick-gen-key", name, "ed25519", "sign", "never")
    known = command(gpg, "--list-keys", name)
    machine.run(command("mkdir", "-p", "-m", "700", _GPG))
    machine.run(unless(redirect(known, write_to("/dev/null")), made))
    return machine.run(command(gpg, "--armor", "--export", name)).stdout.decode()
