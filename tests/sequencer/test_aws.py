"""Executions of Step Functions, on the emulator."""

import json
from collections.abc import Mapping

import boto3
import pytest

from chalicelib.sequencer.aws import AwsSequencer

pytestmark = pytest.mark.stack

JOB = "abcdefghijklmnop"


@pytest.fixture
def sequencer(aws_account: Mapping[str, str]) -> AwsSequencer:
    """A sequencer whose executions wait for an hour."""
    assert aws_account
    boto3.setup_default_session()  # the one before keeps its account
    waits = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    client = boto3.client("stepfunctions")
    role = "arn:aws:iam::000000000000:role/berth"
    made = client.create_state_machine(name="run-job", definition=json.dumps(waits), roleArn=role)
    return AwsSequencer(plan_function="", run_job_arn=made["stateMachineArn"])


def test_open_executions_are_those_that_were_started_and_not_stopped(
    sequencer: AwsSequencer,
) -> None:
    for fence in (1, 2, 2, 3):
        sequencer.start(JOB, fence)
    sequencer.stop(JOB, 1, reason="over")

    assert sorted(sequencer.open_executions()) == [(JOB, 2), (JOB, 3)]


def test_open_executions_are_read_page_by_page(sequencer: AwsSequencer) -> None:
    for fence in range(1, 106):
        sequencer.start(JOB, fence)

    assert len(set(sequencer.open_executions())) == 105
