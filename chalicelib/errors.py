"""Every error of Berth, in one tree, grouped by what the caller can do.

    BerthError
    ├── RetryableError              try again: nothing was decided
    │   ├── StoreUnavailableError       the table or the bucket did not answer
    │   ├── GithubUnavailableError      GitHub did not answer, or asked us to slow down
    │   ├── HostUnreachableError        the host or its LXD did not answer
    │   │   └── ConnectionLostError         it went away while a command may have run
    │   ├── HostBusyError               somebody else changes the host now
    │   └── NotReadyError               what was waited for did not come in time
    ├── LostError                   stop: somebody else owns this now
    │   └── FenceLostError              the job has a newer attempt, or has ended
    ├── CommandError                look at what the command said
    │   ├── CommandFailedError          its exit status is not 0
    │   ├── CommandTimeoutError         it took too long, and was ended
    │   ├── CommandCancelledError       it was ended because the caller wanted that
    │   └── ResourceFailedError         a resource of a host spec could not be made as wanted
    ├── InputError                  fix what was sent
    │   ├── SignatureError              the delivery is not signed with a secret of ours
    │   ├── PayloadError                the request is not what this route takes
    │   ├── TicketError                 the attempt's bearer token is wrong or out of date
    │   ├── TokenError                  the page token is missing or wrong
    │   ├── ConfigError                 the build config cannot be compiled: file, line, key, reason
    │   ├── RepositoryNotFoundError     GitHub knows no such repository, or hides it from us
    │   ├── ShellError                  this cannot be said as a shell command
    │   ├── SpecError                   these resources cannot be one host's: twice, absent, a circle
    │   └── NotFoundError               no such pipeline, job or file
    └── OperatorError               somebody who runs Berth has to act
        ├── SettingError                a setting is missing or malformed
        ├── AuthenticationError         the host does not accept us
        ├── HostKeyError                the host is not the one that was expected
        ├── ImageMissingError           the host has no such image
        ├── HostSpecError               the host cannot be made what its spec says
        ├── TransportSettingError       the way to a host lacks what was asked of it; says the cure
        └── LocalStackError             the single-machine stack cannot do this; says the cure

Class names are API: the `Retry` and `Catch` fields of `stepfunctions/*.asl.json` name them, and a
test checks that each name there exists here. Nothing but error classes belongs in this file.
"""

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

__all__ = [
    "AuthenticationError",
    "BerthError",
    "CommandCancelledError",
    "CommandError",
    "CommandFailedError",
    "CommandTimeoutError",
    "ConfigError",
    "ConnectionLostError",
    "FenceLostError",
    "GithubUnavailableError",
    "HostBusyError",
    "HostKeyError",
    "HostSpecError",
    "HostUnreachableError",
    "ImageMissingError",
    "InputError",
    "LocalStackError",
    "LostError",
    "NotFoundError",
    "NotReadyError",
    "OperatorError",
    "PayloadError",
    "RepositoryNotFoundError",
    "ResourceFailedError",
    "RetryableError",
    "SettingError",
    "ShellError",
    "SignatureError",
    "SpecError",
    "StoreUnavailableError",
    "TicketError",
    "TokenError",
    "TransportSettingError",
]


_TOLD_BYTES = 4096
_TOLD_LINES = 5
_TOLD_COMMAND = 200


def _rebuild(cls: type["BerthError"], facts: dict[str, Any]) -> "BerthError":
    return cls(**facts)


@dataclass(eq=False, kw_only=True)
class BerthError(Exception):
    """The root. Raise a leaf, never this.

    Subclasses are keyword-only dataclasses whose fields are the facts; `__str__` makes the sentence.
    They are not frozen (Python assigns tracebacks) and compare by identity (so they stay hashable).
    """

    def facts(self) -> dict[str, Any]:
        """Return the fields by name, for a log line."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.facts().items())

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only dataclasses do not unpickle by position.
        return _rebuild, (type(self), self.facts())


@dataclass(eq=False, kw_only=True)
class RetryableError(BerthError):
    """Nothing was decided; the same call may be made again."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False, kw_only=True)
class StoreUnavailableError(RetryableError):
    """DynamoDB, S3 or Secrets Manager did not answer, throttled, or gave up on a conflict."""


@dataclass(eq=False, kw_only=True)
class GithubUnavailableError(RetryableError):
    """GitHub did not answer, answered 5xx, or asked us to slow down."""


@dataclass(eq=False, kw_only=True)
class HostUnreachableError(RetryableError):
    """The host, or its LXD, did not answer. `host` names it."""

    host: str

    def __str__(self) -> str:
        return f"host {self.host}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class ConnectionLostError(HostUnreachableError):
    """The connection to the host ended. Whether a command ran to its end there is not known.

    Attributes:
        may_have_run: False when nothing had been sent, so that a repeat is safe in any case.
    """

    may_have_run: bool


@dataclass(eq=False, kw_only=True)
class HostBusyError(RetryableError):
    """Somebody else applies a spec to the host. `age` is since when, by the host's clock."""

    host: str
    owner: str
    age: timedelta

    def __str__(self) -> str:
        return f"{self.host} is busy: {self.reason}"


@dataclass(eq=False, kw_only=True)
class NotReadyError(RetryableError):
    """What was waited for did not come within the tries and the time.

    Attributes:
        reason: what was waited for, by the name of its policy.
        last_value: what the last try returned.
        last_error: what the last try that raised had raised; None when none did.
        tries: how often it was asked for.
        elapsed: from before the first try to after the last.
    """

    last_value: Any
    last_error: Exception | None
    tries: int
    elapsed: timedelta

    def __str__(self) -> str:
        said = f"{self.reason}: not ready after {self.tries} tries in {self.elapsed}"
        return said if self.last_error is None else f"{said}; last error: {self.last_error!r}"


@dataclass(eq=False, kw_only=True)
class LostError(BerthError):
    """Somebody else owns what this call wanted to change; the caller stops."""


@dataclass(eq=False, kw_only=True)
class FenceLostError(LostError):
    """The attempt (job, fence) is not, or no longer, the job's live attempt."""

    job: str
    fence: int

    def __str__(self) -> str:
        return f"attempt {self.job}-{self.fence} is no longer the current one"


@dataclass(eq=False, kw_only=True)
class CommandError(BerthError):
    """A command did not do what was wanted, and what it printed says why.

    Attributes:
        host: where it ran.
        command: what was run, secrets as stars.
        stdout: what it printed; at the most the last 64 KiB when it was streamed.
        stderr: the same of its errors.
        elapsed: from before it was sent to after its end.
    """

    host: str
    command: str
    stdout: bytes
    stderr: bytes
    elapsed: timedelta

    def __str__(self) -> str:
        said = (self.stderr or self.stdout)[-_TOLD_BYTES:].decode(errors="replace").strip()
        lines = said.splitlines()[-_TOLD_LINES:]
        taken = round(self.elapsed.total_seconds(), 1)
        sentence = f"{self.host}: {self.what()} after {taken} s: {_shortened(self.command)}"
        return "\n    ".join([sentence, *lines])

    def what(self) -> str:
        """Return what happened, as a few words of a sentence."""
        return "a command failed"


@dataclass(eq=False, kw_only=True)
class CommandFailedError(CommandError):
    """The command ended with an exit status other than 0; 128 + n means by signal n."""

    exit_status: int

    def what(self) -> str:
        """Return the exit status as words."""
        return f"exit status {self.exit_status}"


@dataclass(eq=False, kw_only=True)
class CommandTimeoutError(CommandError):
    """The command took longer than `timeout_s` seconds; it and all that it started was ended."""

    timeout_s: float

    def what(self) -> str:
        """Return the limit as words."""
        return f"ended at its limit of {self.timeout_s:g} s"


@dataclass(eq=False, kw_only=True)
class CommandCancelledError(CommandError):
    """The caller cancelled the command; it and all that it started was ended."""

    def what(self) -> str:
        """Return that as a word."""
        return "cancelled"


@dataclass(eq=False, kw_only=True)
class ResourceFailedError(CommandError):
    """A resource of a host spec failed. `exit_status` is None where the script was cut short."""

    resource: str
    exit_status: int | None

    def what(self) -> str:
        """Return the resource and how it ended."""
        how = "cut short" if self.exit_status is None else f"exit status {self.exit_status}"
        return f"{self.resource}: {how}"


def _shortened(command: str) -> str:
    first, *more = command.splitlines() or [""]
    return f"{first[:_TOLD_COMMAND]} …" if more or len(first) > _TOLD_COMMAND else first


@dataclass(eq=False, kw_only=True)
class InputError(BerthError):
    """What was sent is wrong; sending it again will not help."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False, kw_only=True)
class SignatureError(InputError):
    """The delivery carries no valid `X-Hub-Signature-256`. Never holds the expected value."""


@dataclass(eq=False, kw_only=True)
class PayloadError(InputError):
    """The request body is not what this route takes. `status` is the HTTP answer."""

    status: int = 400


@dataclass(eq=False, kw_only=True)
class TicketError(InputError):
    """The bearer token of an attempt is malformed, forged, for another attempt, or expired."""


@dataclass(eq=False, kw_only=True)
class TokenError(InputError):
    """The page token is missing or wrong."""


@dataclass(eq=False, kw_only=True)
class ConfigError(InputError):
    """The build config cannot be compiled.

    Attributes:
        file: path in the repository, such as `.circleci/config.yml`.
        line: 1-based line in that file; 0 when the whole file is meant.
        key: dotted path of the offending key, such as `jobs.build.docker`; may be empty.
    """

    file: str
    line: int
    key: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.reason}" if self.key else f"{where}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class RepositoryNotFoundError(InputError):
    """GitHub knows no such repository, or hides it from this installation."""


@dataclass(eq=False, kw_only=True)
class ShellError(InputError):
    """A value cannot be part of a shell command, or cannot be rendered as asked. Holds no secret."""


@dataclass(eq=False, kw_only=True)
class SpecError(InputError):
    """The resources of a host spec contradict each other. Names those that do."""


@dataclass(eq=False, kw_only=True)
class NotFoundError(InputError):
    """No such pipeline, job, step or file."""


@dataclass(eq=False, kw_only=True)
class OperatorError(BerthError):
    """Somebody who runs Berth has to act."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False, kw_only=True)
class SettingError(OperatorError):
    """A setting is missing or malformed. `name` is the environment variable."""

    name: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class AuthenticationError(OperatorError):
    """The host does not accept our keys, or we may not reach it. Never holds a key."""

    host: str

    def __str__(self) -> str:
        return f"host {self.host} does not let us in: {self.reason}"


@dataclass(eq=False, kw_only=True)
class HostKeyError(OperatorError):
    """The host's key is none of those that it is known by: another machine, or someone between.

    Attributes:
        host: the host's name.
        offered: the fingerprint of the key that it showed, `SHA256:…`; empty when it showed none.
        expected: the fingerprints of the keys that it is known by.
    """

    host: str
    offered: str
    expected: tuple[str, ...]

    def __str__(self) -> str:
        known = ", ".join(self.expected) or "no key"
        return f"host {self.host} is known by {known}, and showed {self.offered or 'none of these'}"


@dataclass(eq=False, kw_only=True)
class ImageMissingError(OperatorError):
    """The host has no image of that name."""

    host: str
    image: str

    def __str__(self) -> str:
        return f"host {self.host} has no image {self.image}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class HostSpecError(OperatorError):
    """A host cannot be looked at or made what its spec says."""

    host: str

    def __str__(self) -> str:
        return f"{self.host}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class TransportSettingError(OperatorError):
    """The way to a host is not set up for what was asked of it. `reason` says the cure."""

    host: str

    def __str__(self) -> str:
        return f"host {self.host}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class LocalStackError(OperatorError):
    """The single-machine stack cannot do what was asked. `cure` is what to type or change."""

    cure: str

    def __str__(self) -> str:
        return f"{self.reason}\n  cure: {self.cure}"
