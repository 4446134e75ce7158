"""What became of each resource: told while an apply runs, and kept as its report."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from chalicelib.errors import ResourceFailedError
from chalicelib.hostspec.resource import Operation

__all__ = ["Outcome", "Report", "ResourceOutcome"]


class Outcome(StrEnum):
    """How it went with one resource."""

    UNCHANGED = "unchanged"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceOutcome:
    """What became of one resource.

    Attributes:
        name: of the resource.
        operation: what was to be done.
        outcome: how it went. `SKIPPED`: what it depends on has failed, see `because`.
        elapsed: how long it took, as seen from here.
        because: the failed resources that it depends on; or those whose change it reacted to.
        command: the command that failed, secrets as stars; else empty.
        exit_status: that command's; None where the script ended before it could be told.
        tail: the last that the resource's commands printed.
    """

    name: str
    operation: Operation
    outcome: Outcome
    elapsed: timedelta = timedelta(0)
    because: tuple[str, ...] = ()
    command: str = ""
    exit_status: int | None = 0
    tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a whole spec on one host.

    Attributes:
        host: its name.
        outcomes: one for each resource, in the spec's order.
        elapsed: of all, the looking included.
    """

    host: str
    outcomes: tuple[ResourceOutcome, ...]
    elapsed: timedelta = field(default=timedelta(0), compare=False)

    def of(self, outcome: Outcome) -> tuple[ResourceOutcome, ...]:
        """Return the resources with that outcome."""
        return tuple(each for each in self.outcomes if each.outcome is outcome)

    @property
    def changed(self) -> bool:
        """Something was done, or tried."""
        return any(each.outcome is not Outcome.UNCHANGED for each in self.outcomes)

    @property
    def ok(self) -> bool:
        """The host is now as it should be."""
        return not self.of(Outcome.FAILED) and not self.of(Outcome.SKIPPED)

    def check(self) -> "Report":
        """Return the report if all went well.

        Raises:
            ResourceFailedError: about the first resource that failed.
        """
        for each in self.of(Outcome.FAILED):
            raise ResourceFailedError(
                host=self.host,
                resource=each.name,
                command=each.command,
                exit_status=each.exit_status,
                stdout=each.tail.encode(),
                stderr=b"",
                elapsed=each.elapsed,
            )
        return self
