"""Run Command's three requests for one host, tried again while that makes sense.

What an answer means for a run is the driver's business.
"""

import math
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config

from chalicelib.clock import Clock, SteadyClock
from chalicelib.transport.ssm_bucket import Bucket
from chalicelib.transport.ssm_errors import (
    FOREIGN,
    code_of,
    is_passing,
    may_have_arrived,
    translated,
)
from chalicelib.wait import Backoff, Randomness, WaitPolicy, did_not_raise

__all__ = ["LONGEST_S", "RunCommand", "SsmClient", "State", "Timing"]

# The retries are ours: a repeated SendCommand has to be noticed.
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1})
_DOCUMENT = "AWS-RunShellScript"
_PLUGIN = "awsrunShellScript/0.awsrunShellScript"
_SHORTEST_DELIVERY_S = 30
"""What TimeoutSeconds is at the least:
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html"""
_SHORTEST_S = 5
LONGEST_S = 172_800
"""The limits of executionTimeout; the agent takes an hour instead of what is outside:
https://github.com/aws/amazon-ssm-agent, agent/plugins/pluginutil/pluginutil.go."""
_GRACE_S = 60
"""By how much our own limit comes before the agent's, which does not end the whole tree."""
_COMMENT = "Berth"
_WAITING = {"Pending", "Delayed"}
_UNDER_WAY = {"InProgress", "Cancelling"}
_POLL = WaitPolicy(
    name="Run Command's result",
    sleep=Backoff(first=timedelta(seconds=0.2), rate=1.5, cap=timedelta(seconds=3)),
    tries=None,
)
_RETRY = WaitPolicy(
    name="Run Command's answer",
    sleep=Backoff(first=timedelta(seconds=0.4), cap=timedelta(seconds=10), jitter=True),
    tries=10,
    catch=is_passing,
    success=did_not_raise,
)


class SsmClient(Protocol):
    """What is used of boto3's SSM client."""

    def send_command(self, **request: Any) -> Any:
        """See the API."""
        ...

    def get_command_invocation(self, **request: Any) -> Any:
        """See the API."""
        ...

    def cancel_command(self, **request: Any) -> Any:
        """See the API."""
        ...


def _randomness() -> Randomness:
    return secrets.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long to wait for what.

    Attributes:
        poll: how often to ask for the state of a command, with `success` left open; without limit.
        retry: how to repeat a request that was throttled, or whose answer was lost.
        delivery: after this long a command that has not reached the host is given up.
        ending: how long ending a run may take.
        clock: tells the time of all these, and sleeps.
        random: where jitter is drawn from.
    """

    poll: WaitPolicy = _POLL
    retry: WaitPolicy = _RETRY
    delivery: timedelta = timedelta(minutes=2)
    ending: timedelta = timedelta(minutes=1)
    clock: Clock = field(default_factory=SteadyClock)
    random: Randomness = field(default_factory=_randomness)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What SSM knows of a command on the host.

    Attributes:
        status: `Pending`, `InProgress`, `Delayed`, `Success`, `Cancelled`, `TimedOut`, `Failed` or
            `Cancelling`.
        details: more of it, such as `DeliveryTimedOut`, `ExecutionTimedOut` or `Undeliverable`.
        started: whether the agent has said that it started it.
        stdout: the first 24,000 characters.
        stderr: the first 8,000 characters.
        key: of the whole stdout, in the bucket.
    """

    status: str
    details: str = ""
    started: bool = False
    stdout: str = field(default="", repr=False)
    stderr: str = field(default="", repr=False)
    key: str = ""

    @property
    def waiting(self) -> bool:
        """Whether it has not reached the host.

        `InProgress` does not tell: "Systems Manager is attempting to send the command to the managed
        node, or the command was received by SSM Agent and has started running".
        https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
        """
        return self.status in _WAITING

    @property
    def over(self) -> bool:
        """Whether it will not change any more."""
        return self.status not in _WAITING | _UNDER_WAY


class RunCommand:
    """Sends commands to one host and asks what became of them. Safe to use from several threads."""

    def __init__(self, instance: str, *, client: SsmClient | None, timing: Timing) -> None:
        """Remember whom to ask; without a client, one is made when it is needed."""
        self.instance = instance
        self._client = client
        self._timing = timing

    def send(self, text: str, *, limit_s: float | None, bucket: Bucket | None, clock: Clock) -> str:
        """Send a script and return the command's id.

        Only for a script that may be delivered twice: there is no telling whether a request whose
        answer was lost has been taken, so it is sent again.

        Args:
            text: the script.
            limit_s: how long it is going to be let run; None is without limit.
            bucket: where the agent puts all that it prints.
            clock: sleeps between tries.

        Raises:
            ConnectionLostError: the last answers were lost, and it may be on its way.
            BerthError: what SSM said, see `ssm_errors`.
        """
        limit = LONGEST_S if limit_s is None else math.ceil(limit_s) + _GRACE_S
        delivery = math.ceil(self._timing.delivery.total_seconds())
        request: dict[str, Any] = {
            "InstanceIds": [self.instance],
            "DocumentName": _DOCUMENT,
            "Comment": _COMMENT,
            "TimeoutSeconds": max(_SHORTEST_DELIVERY_S, delivery),
            "Parameters": {
                "commands": [text],
                "executionTimeout": [str(min(max(_SHORTEST_S, limit), LONGEST_S))],
            },
        }
        if bucket is not None:
            request |= {"OutputS3BucketName": bucket.name, "OutputS3KeyPrefix": bucket.prefix}
        answer = self._asked("send_command", request, clock=clock, sent=False)
        return str(answer["Command"]["CommandId"])

    def state(self, command: str, *, bucket: Bucket | None, clock: Clock) -> State:
        """Return what became of a command. One that SSM does not know yet is pending.

        Raises:
            ConnectionLostError: SSM did not answer.
            BerthError: what SSM said, see `ssm_errors`.
        """
        request = {"CommandId": command, "InstanceId": self.instance}
        answer = self._asked("get_command_invocation", request, clock=clock, sent=True)
        if answer is None:
            return State(status="Pending")
        return State(
            status=answer["Status"],
            # The API says `DeliveryTimedOut`, its documentation `Delivery Timed Out`.
            details=answer.get("StatusDetails", "").replace(" ", ""),
            started=bool(answer.get("ExecutionStartDateTime")),
            stdout=answer.get("StandardOutputContent", ""),
            stderr=answer.get("StandardErrorContent", ""),
            key="" if bucket is None else self._key(answer, command, bucket),
        )

    def cancel(self, command: str, *, clock: Clock) -> None:
        """Ask that the command is not delivered, or that its script is killed. Promises nothing.

        Raises:
            ConnectionLostError: SSM did not answer.
            BerthError: what SSM said, see `ssm_errors`.
        """
        request = {"CommandId": command, "InstanceIds": [self.instance]}
        self._asked("cancel_command", request, clock=clock, sent=True)

    def _key(self, answer: Any, command: str, bucket: Bucket) -> str:
        """The key is as the URL says: documents of another schema name their steps otherwise."""
        begin = f"{bucket.prefix}/{command}/{self.instance}"
        _, found, rest = unquote(urlsplit(answer.get("StandardOutputUrl", "")).path).partition(
            begin
        )
        return f"{begin}{rest}" if found else f"{begin}/{_PLUGIN}/stdout"

    def _asked(self, operation: str, request: dict[str, Any], *, clock: Clock, sent: bool) -> Any:
        arrived = sent

        def ask() -> Any:
            nonlocal arrived
            try:
                return getattr(self._ssm(), operation)(**request)
            except FOREIGN as error:
                # It has not heard of the command yet: https://github.com/boto/boto3/issues/2701
                if code_of(error) == "InvocationDoesNotExist":
                    return None
                arrived = arrived or may_have_arrived(error)
                raise

        try:
            return self._timing.retry.wait(ask, clock=clock, random=self._timing.random)
        except FOREIGN as error:
            raise translated(error, host=self.instance, sent=arrived) from error

    def _ssm(self) -> SsmClient:
        if self._client is None:
            self._client = boto3.client("ssm", config=_CONFIG)
        return self._client
