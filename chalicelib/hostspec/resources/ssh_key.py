"""A key by which somebody may log in as a user: a line of authorized_keys, known by the key itself.

Keys of others in the same file stay. Folder and file get the owner and modes that sshd insists on.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.account_facts import check_account_name
from chalicelib.hostspec.resources.path_facts import CONTENTS, PATHS, check_path
from chalicelib.shell import (
    Node,
    any_of,
    command,
    duplicate,
    env,
    exit_,
    if_,
    is_directory,
    is_file,
    is_symlink,
    not_,
    print_lines,
    println,
    q,
    redirect,
    when,
)
from chalicelib.transport.files import place_script

__all__ = ["SshKey"]

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_TYPE = re.compile(r"[a-z0-9][a-z0-9@.-]+")
_OPTION = re.compile(r'[A-Za-z-]+(="[^"\\]*")?')
_OTHERS = """
{
    for (at = 1; at <= NF; at++) if ($at == ENVIRON["berth_body"]) next
    print
}
END { if (ENVIRON["berth_line"] != "") print ENVIRON["berth_line"] }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey(Resource):
    """An authorized key.

    Attributes:
        user: as whom one may log in.
        key: the public key as ssh-keygen(1) writes it: type, base64, and a comment or none.
        options: of sshd(8), such as `no-pty` or `command="/bin/true"`. Default: none.
        home: the user's home, which must be there or be a resource too. Default: `/root` for root,
            else `/home/` and the name.
    """

    kind: ClassVar[str] = "SSH key"

    user: str
    key: str
    options: tuple[str, ...] = ()
    home: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_account_name(self, self.user, "user")
        check_path(self, self._home, "home")
        words = self.key.split(maxsplit=2)
        good = len(words) > 1 and _TYPE.fullmatch(words[0]) and _is_key(*words[:2])
        check(self, good and self.key.isprintable(), "key: that is no public key")
        for each in self.options:
            plain = _OPTION.fullmatch(each) and each.isprintable()
            check(self, plain, f"options: {each!r} is no option")

    @property
    def subject(self) -> str:
        """The user, and the end of the key."""
        return f"{self.user} {self._body[-12:]}"

    @property
    def wants(self) -> tuple[str, ...]:
        """The user, and what is above the file."""
        return (names.user(self.user), *names.under(self._file))

    def asks(self) -> tuple[Ask[object], ...]:
        """The file and its folder."""
        return (PATHS(self._folder), PATHS(self._file), CONTENTS(self._file))

    def wanted(self) -> Fields:
        """Its line, and who may change the file."""
        return {
            "line": self._line,
            "folder": f"directory {_FOLDER_MODE:04o} {self.user}",
            "file": f"file {_FILE_MODE:04o} {self.user}",
        }

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        lines = (facts[CONTENTS(self._file)] or b"").decode(errors="replace").splitlines()
        ours = [line for line in lines if self._body in line.split()]
        if not ours:
            return None
        shown = {"line": "\n".join(ours)}
        for field, path in (("folder", self._folder), ("file", self._file)):
            there = facts[PATHS(path)]
            shown[field] = f"{there.kind} {there.mode} {there.owner}" if there else "missing"
        return shown

    def actions(self) -> tuple[Node, ...]:
        """Put the line in the place of all lines with the key, or remove these."""
        # The user may have made a link to a file of root's, which is not to be written.
        refused = redirect(println(f"{self._folder}: links are not followed"), duplicate(1, 2))
        no_link = when(any_of(*map(is_symlink, (self._folder, self._file))), refused, exit_(1))
        line = "" if self.absent else self._line
        edited = env(command("awk", _OTHERS, self._file), berth_body=self._body, berth_line=line)
        whole = place_script(
            self._file,
            content=if_(is_file(self._file), [edited], else_=[print_lines(line)]),
            mode=_FILE_MODE,
            owner=self._owner,
        )
        if self.absent:
            return (no_link, when(is_file(self._file), whole))
        return (
            no_link,
            when(not_(is_directory(self._folder)), q("mkdir {folder}", folder=self._folder)),
            q("chown {owner} {folder}", owner=self._owner, folder=self._folder),
            q("chmod {mode} {folder}", mode=f"{_FOLDER_MODE:o}", folder=self._folder),
            whole,
        )

    @property
    def _owner(self) -> str:
        """The user, and with a colon its primary group."""
        return f"{self.user}:"

    @property
    def _home(self) -> str:
        return self.home or ("/root" if self.user == "root" else f"/home/{self.user}")

    @property
    def _folder(self) -> str:
        return f"{self._home}/.ssh"

    @property
    def _file(self) -> str:
        return f"{self._folder}/authorized_keys"

    @property
    def _body(self) -> str:
        return [*self.key.split(maxsplit=2), "", ""][1]

    @property
    def _line(self) -> str:
        return " ".join([*([",".join(self.options)] if self.options else []), self.key.strip()])


def _is_key(kind: str, body: str) -> bool:
    """Whether the base64 begins with the name of the key's type, as RFC 4253 6.6 says."""
    try:
        blob = base64.b64decode(body, validate=True)
    except binascii.Error:
        return False
    return blob.startswith(len(kind).to_bytes(4, "big") + kind.encode())
