"""A wrapper whose commands run in the root of another system that lies in a folder."""

from dataclasses import replace

from chalicelib.shell import command
from chalicelib.transport.invocation import invocation
from chalicelib.transport.protocol import Call, Transport
from chalicelib.transport.scripts import as_words
from chalicelib.transport.wrappers import Wrapper

__all__ = ["InRoot"]


class InRoot(Wrapper):
    """Commands run as in a system whose root is a folder, such as an image that is being made.

    They have process ids and mounts of their own: what they mount is gone with them, and so is what
    they leave running. Network and devices are the machine's. Needs root and util-linux's `unshare`.
    """

    def __init__(self, inner: Transport, root: str) -> None:
        """Remember the folder."""
        super().__init__(inner)
        self._root = root

    def changed(self, call: Call) -> Call:
        """Return the call with the folder as its root."""
        made = invocation(call, self.facts)
        apart = ("--mount", "--pid", "--fork", "--kill-child", f"--root={self._root}")
        inside = command(
            "unshare", *apart, "--mount-proc=/proc", "--", *as_words(call.command, made)
        )
        return replace(call, command=inside, stdin=made.stdin)
