"""What a command did."""

from dataclasses import dataclass, field
from datetime import timedelta

__all__ = ["Result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A command that has ended.

    Attributes:
        command: as it was asked for, secrets as stars.
        host: where it ran.
        exit_status: 0 to 255; 128 + n when signal n ended it.
        stdout: all that it printed; the last 64 KiB when it was streamed.
        stderr: the same of its errors.
        elapsed: from before it was sent to after its end.
    """

    command: str
    host: str
    exit_status: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    elapsed: timedelta

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.exit_status == 0

    @property
    def text(self) -> str:
        """What it printed, as UTF-8 (U+FFFD for what is not), less its final newlines."""
        return self.stdout.decode(errors="replace").rstrip("\n")

    @property
    def lines(self) -> list[str]:
        """The lines of `text`; none when it printed nothing."""
        return self.text.split("\n") if self.text else []
