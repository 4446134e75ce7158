"""What a job is asked to do: the compiled form of a build config, one value per job.

Specs are immutable and travel as JSON (`to_json`, `from_json`): to the store at planning, to the
host at dispatch. A reader accepts the version it knows and the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

__all__ = [
    "DEFAULT_NO_OUTPUT_TIMEOUT",
    "SPEC_VERSION",
    "CheckoutStep",
    "JobSpec",
    "RunStep",
    "Step",
    "When",
]

SPEC_VERSION = 1

DEFAULT_NO_OUTPUT_TIMEOUT = timedelta(minutes=10)
"""CircleCI's default: <https://circleci.com/docs/configuration-reference/#run>."""


class When(StrEnum):
    """In which case a step runs, given how the job went so far."""

    ON_SUCCESS = "on_success"
    ON_FAIL = "on_fail"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutStep:
    """Put the commit into a directory.

    Attributes:
        name: shown to people.
        path: where to, absolute, `~/…`, or relative to the job's working directory; None means the
            working directory itself.
    """

    name: str = "Checkout code"
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """Run the user's shell text as one script in a new process.

    Attributes:
        name: shown to people.
        command: the script, as written in the config.
        environment: added to the job's, and stronger. Values are not expanded.
        working_directory: relative to the job's; None means the job's.
        when: in which case it runs.
        no_output_timeout: it is killed after that long without a byte of output.
    """

    name: str
    command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    when: When = When.ON_SUCCESS
    no_output_timeout: timedelta = DEFAULT_NO_OUTPUT_TIMEOUT


Step = CheckoutStep | RunStep


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One job of a compiled config.

    Attributes:
        name: unique in its pipeline.
        image: name of the image its container is copied from.
        steps: in order, at least one.
        environment: the job's `environment` over the config's global one.
        working_directory: absolute or `~/…`.
        needs: names of jobs of the same pipeline that have to succeed first.
    """

    name: str
    steps: tuple[Step, ...]
    image: str = "base"
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "~/project"
    needs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON values, with its schema version."""
        return {
            "version": SPEC_VERSION,
            "name": self.name,
            "image": self.image,
            "environment": dict(self.environment),
            "working_directory": self.working_directory,
            "needs": list(self.needs),
            "steps": [_step_to_json(step) for step in self.steps],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "JobSpec":
        """Return the spec that `to_json` wrote.

        Raises:
            ValueError: the version is not one this code reads.
        """
        if value["version"] != SPEC_VERSION:
            msg = f"job spec version {value['version']} is not supported"
            raise ValueError(msg)
        return cls(
            name=value["name"],
            image=value["image"],
            environment=dict(value["environment"]),
            working_directory=value["working_directory"],
            needs=tuple(value.get("needs", ())),
            steps=tuple(_step_from_json(step) for step in value["steps"]),
        )


def _step_to_json(step: Step) -> dict[str, Any]:
    match step:
        case CheckoutStep():
            return {"kind": "checkout", "name": step.name, "path": step.path}
        case RunStep():
            return {
                "kind": "run",
                "name": step.name,
                "command": step.command,
                "environment": dict(step.environment),
                "working_directory": step.working_directory,
                "when": step.when.value,
                "no_output_timeout_s": step.no_output_timeout.total_seconds(),
            }


def _step_from_json(value: Mapping[str, Any]) -> Step:
    if value["kind"] == "checkout":
        return CheckoutStep(name=value["name"], path=value["path"])
    return RunStep(
        name=value["name"],
        command=value["command"],
        environment=dict(value["environment"]),
        working_directory=value["working_directory"],
        when=When(value["when"]),
        no_output_timeout=timedelta(seconds=value["no_output_timeout_s"]),
    )
