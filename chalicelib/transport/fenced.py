"""A transport that runs nothing for an actor that has been replaced.

The host keeps, for each key, the highest fence that came so far. A command carries its own; a lower
one is refused, and an equal one is welcome again. The fence is taken before the command, not held
during it: a command that is under way when a higher fence comes runs on.
"""

import secrets
from dataclasses import replace

from chalicelib.errors import CommandFailedError, FenceLostError, ShellError
from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    append_to,
    assign,
    command,
    duplicate,
    exit_,
    group,
    num_gt,
    output,
    print_lines,
    q,
    redirect,
    ref,
    script,
    stderr_to,
    subshell,
    when,
    write_to,
)
from chalicelib.transport.protocol import Call, Transport
from chalicelib.transport.result import Result
from chalicelib.transport.wrappers import Wrapper

__all__ = ["Fenced"]

_REFUSED = 75
"""EX_TEMPFAIL of sysexits.h; what tells a refusal from it is the word on the last line."""


class Fenced(Wrapper):
    """Commands run only while no higher fence has been seen on the host for the same key."""

    def __init__(self, inner: Transport, *, key: str, fence: int, folder: str) -> None:
        """Remember who we are.

        Args:
            inner: the host.
            key: what is fenced, such as a job; a file's name.
            fence: our number; 0 or more.
            folder: where the host keeps fences; made when missing.

        Raises:
            ShellError: the key is no name of a file, or the fence is negative.
        """
        super().__init__(inner)
        if not key or key.startswith(".") or "/" in key or fence < 0:
            raise ShellError(reason=f"no key and fence: {key!r}, {fence}")
        self._key, self._fence, self._folder = key, fence, folder

    def execute(self, call: Call) -> Result:
        """Run the call behind the fence.

        Raises:
            FenceLostError: the host has seen a higher fence; nothing was run.
        """
        word = f"fence-{secrets.token_hex(8)}"
        fenced = replace(call, command=script(self._take(word), subshell(call.command)))
        try:
            result = self.inner.execute(fenced)
        except CommandFailedError as error:
            if self._refused(error.exit_status, error.stderr, word):
                raise FenceLostError(job=self._key, fence=self._fence) from error
            raise
        if self._refused(result.exit_status, result.stderr, word):
            raise FenceLostError(job=self._key, fence=self._fence)
        return result

    def changed(self, call: Call) -> Call:
        """Return the call as it is: `execute` needs a word of its own for each."""
        return call

    def _refused(self, exit_status: int, stderr: bytes, word: str) -> bool:
        return exit_status == _REFUSED and stderr.rstrip().endswith(word.encode())

    def _take(self, word: str) -> Node:
        """Take the fence under a lock, which ends with the group; or leave."""
        path = f"{self._folder}/{self._key}"
        seen = redirect(command("cat", path), stderr_to("/dev/null"))
        part = f"{path}.{word}"
        taken = all_of(
            redirect(print_lines(self._fence), write_to(part)),
            q("mv -f {part} {path}", part=part, path=path),
        )
        return script(
            any_of(q("mkdir -p -m 0700 {folder}", folder=self._folder), exit_()),
            redirect(
                group(
                    any_of("flock 9", exit_()),
                    assign("seen", output(seen)),
                    when(
                        num_gt(ref("seen", if_empty="0"), self._fence),
                        redirect(print_lines(word), duplicate(1, 2)),
                        exit_(_REFUSED),
                    ),
                    any_of(taken, exit_()),
                ),
                append_to(f"{path}.lock", fd=9),
            ),
        )
