"""A push becomes a finished build: the whole way, on real containers."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.local.log_lines import read_lines
from tests.system.installation import Installation, config_of

pytestmark = [pytest.mark.lxd, pytest.mark.slow, pytest.mark.timeout(240)]

_ROOT = Path(__file__).resolve().parents[2]
_LINES = 200_000


def _berth(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {
        **os.environ,
        "BERTH_STATE_DIR": str(installation.places.home),
        "BERTH_PORT": str(installation.places.port),
    }
    command = [sys.executable, str(_ROOT / "berth"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


def test_the_example_builds_green_by_one_command(installation: Installation) -> None:
    done = _berth(installation, "build", str(_ROOT / "examples/python-app"))

    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode()
    assert "test_a_ship_waits_when_every_berth_is_taken" in shown
    assert "Harbour: Port of Berth" in shown  # exported by an earlier step through BASH_ENV
    assert "\x1b[32mberth 1\x1b[0m" in shown  # colours as the container wrote them


def test_one_job_can_be_asked_for(installation: Installation) -> None:
    folder = str(_ROOT / "examples/python-app")

    done = _berth(installation, "build", folder, "--job", "lint")

    assert done.returncode == 0, done.stderr.decode()
    assert b"Unit tests" not in done.stdout


def test_a_failing_step_gives_its_status_its_last_lines_and_the_outcome(
    installation: Installation,
) -> None:
    pipeline = installation.push(
        config_of(
            "echo before",
            "'echo the last words; exit 7'",
            "echo never",
            "{command: echo always, when: always}",
        )
    )

    ended = installation.wait_end(pipeline)

    job = ended["jobs"][0]
    assert (ended["outcome"], job["outcome"]) == ("failed", "failed")
    steps = installation.steps(job["id"])
    assert [step["state"] for step in steps] == ["succeeded", "failed", "skipped", "succeeded"]
    assert steps[1]["exit_status"] == 7
    assert installation.output(job["id"], step=1).endswith(b"the last words\n")
    assert "7" in job["reason"]


def test_the_failure_reaches_the_terminal_and_its_exit_status(installation: Installation) -> None:
    folder = installation.scratch / "failing"
    (folder / ".circleci").mkdir(parents=True)
    (folder / ".circleci/config.yml").write_text(config_of("'echo the last words; exit 7'"))

    done = _berth(installation, "build", str(folder))

    assert done.returncode == 1
    assert b"the last words" in done.stdout
    assert b"exit status 7" in done.stdout


def test_a_config_error_reaches_the_terminal_with_file_line_and_key(
    installation: Installation,
) -> None:
    folder = installation.scratch / "unsupported"
    (folder / ".circleci").mkdir(parents=True)
    (folder / ".circleci/config.yml").write_text("version: 2.1\norbs: {node: circleci/node@5}\n")

    done = _berth(installation, "build", str(folder))

    assert done.returncode == 1
    assert b".circleci/config.yml:2: orbs" in done.stderr
    assert b"not supported yet" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_step_that_hangs_is_cut_at_its_limit(installation: Installation) -> None:
    hang = "{command: 'echo hanging; (setsid sleep 600 &) ; sleep 600', no_output_timeout: 2s}"
    pipeline = installation.push(config_of(hang))

    ended = installation.wait_end(pipeline)

    job = ended["jobs"][0]
    assert ended["outcome"] == "failed"
    assert installation.steps(job["id"])[0]["state"] == "timed_out"
    assert "no output" in job["reason"]


def test_many_lines_arrive_whole_and_in_order(installation: Installation) -> None:
    pipeline = installation.push(config_of(f"seq 1 {_LINES}"))

    ended = installation.wait_end(pipeline, limit_s=120)

    assert ended["outcome"] == "succeeded"
    expected = "".join(f"{number}\n" for number in range(1, _LINES + 1)).encode()
    assert installation.output(ended["jobs"][0]["id"]) == expected


def test_binary_output_harms_nothing(installation: Installation) -> None:
    pipeline = installation.push(config_of("head -c 300000 /dev/urandom", "printf '\\377\\376ok'"))

    ended = installation.wait_end(pipeline)

    job = ended["jobs"][0]["id"]
    assert ended["outcome"] == "succeeded"
    assert len(installation.output(job, step=0)) == 300_000
    assert installation.output(job, step=1) == b"\xff\xfeok"


def test_a_killed_supervisor_is_noticed_and_the_job_runs_again(installation: Installation) -> None:
    pipeline = installation.push(config_of("'echo started; sleep 8; echo finished'"))
    job = installation.wait_running(pipeline)
    first = installation.containers()
    pid = int((installation.attempt_folder(job["id"], 1) / "pid").read_text())

    os.kill(pid, signal.SIGKILL)
    limit = time.monotonic() + 120
    while installation.client.pipeline(pipeline)["jobs"][0]["fence"] == 1:
        installation.sweep()
        assert time.monotonic() < limit
        time.sleep(1)
    ended = installation.wait_end(pipeline)

    job = ended["jobs"][0]
    assert (ended["outcome"], job["fence"]) == ("succeeded", 2)
    assert first == [f"berth-{job['id']}-1"]
    assert installation.output(job["id"]) == b"started\nfinished\n"
    assert installation.containers() == []


def test_a_cancelled_build_ends_soon_and_leaves_nothing(installation: Installation) -> None:
    pipeline = installation.push(config_of("'echo started; sleep 600'"))
    job = installation.wait_running(pipeline)

    installation.client.cancel(pipeline)
    ended = installation.wait_end(pipeline, limit_s=30)

    assert ended["outcome"] == "cancelled"
    assert not any(name.startswith(f"berth-{job['id']}") for name in installation.containers())
    assert installation.slots_taken() == {"H#local": {}, "T#local": {}}


def test_interrupting_the_command_cancels_the_build(installation: Installation) -> None:
    folder = installation.scratch / "interrupted"
    (folder / ".circleci").mkdir(parents=True)
    (folder / ".circleci/config.yml").write_text(config_of("'echo started; sleep 600'"))
    environment = {
        **os.environ,
        "BERTH_STATE_DIR": str(installation.places.home),
        "BERTH_PORT": str(installation.places.port),
    }
    command = [sys.executable, str(_ROOT / "berth"), "build", str(folder)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.strip() == b"started":
                break

        running.send_signal(signal.SIGINT)
        said = running.stdout.read()
        status = running.wait(timeout=60)

    assert status == 130
    assert b"cancelled" in said
    assert installation.containers() == []


def test_eight_builds_at_once_all_end_once(installation: Installation) -> None:
    pipelines = [
        installation.push(config_of(f"'echo build {number}; sleep 1'")) for number in range(8)
    ]

    ended = [installation.wait_end(pipeline, limit_s=120) for pipeline in pipelines]

    assert [each["outcome"] for each in ended] == ["succeeded"] * 8
    jobs = [each["jobs"][0] for each in ended]
    assert [job["fence"] for job in jobs] == [1] * 8
    outputs = [installation.output(job["id"]) for job in jobs]
    assert outputs == [f"build {number}\n".encode() for number in range(8)]
    assert installation.containers() == []
    assert installation.slots_taken() == {"H#local": {}, "T#local": {}}


_GRAPH = """\
version: 2.1
jobs:
  first: {docker: [{image: "debian:12"}], steps: [{run: "true"}]}
  broken: {docker: [{image: "debian:12"}], steps: [{run: "false"}]}
  after: {docker: [{image: "debian:12"}], steps: [{run: "true"}]}
  never: {docker: [{image: "debian:12"}], steps: [{run: "true"}]}
workflows:
  main:
    jobs:
      - never: {requires: [after, broken]}
      - after: {requires: [first]}
      - broken: {requires: [first]}
      - first
"""


def test_jobs_run_after_those_they_need_and_not_after_a_failed_one(
    installation: Installation,
) -> None:
    ended = installation.wait_end(installation.push(_GRAPH))

    jobs = {job["name"]: job for job in ended["jobs"]}
    outcomes = {name: job["outcome"] for name, job in jobs.items()}
    assert outcomes == {
        "first": "succeeded", "after": "succeeded", "broken": "failed", "never": "cancelled",
    }  # fmt: skip
    assert jobs["first"]["hops"]["finished"] < jobs["after"]["hops"]["claimed"]
    assert jobs["never"]["reason"] == "needs broken, which failed"
    assert jobs["never"]["fence"] == 0
    assert ended["outcome"] == "failed"


def test_an_unknown_repository_is_accepted_and_its_pipeline_says_so(
    installation: Installation,
) -> None:
    payload = {
        "ref": "refs/heads/main",
        "after": "b" * 40,
        "before": "0" * 40,
        "repository": {
            "id": 99,
            "name": "nowhere",
            "full_name": "local/nowhere",
            "owner": {"login": "local"},
            "clone_url": f"{installation.places.forge_url}/local/nowhere.git",
        },
        "head_commit": {"id": "b" * 40, "message": "lost"},
    }

    answer = installation.client.deliver("push", payload)
    ended = installation.wait_end(answer["pipeline"])

    assert ended["outcome"] == "failed"
    assert "local/nowhere" in ended["reason"]


def test_the_container_keeps_to_itself(installation: Installation) -> None:
    """No root, no host, no metadata service, none of our credentials."""
    pipeline = installation.push(
        config_of(
            "id --user --name",
            "\"env | grep -c -E 'AWS_|BERTH_API|TICKET' || true\"",
            f"'curl --silent --max-time 3 {installation.places.url}/health || echo unreachable'",
            "'curl --silent --max-time 3 http://169.254.169.254/ || echo unreachable'",
        )
    )

    ended = installation.wait_end(pipeline)

    job = ended["jobs"][0]["id"]
    outputs = [installation.output(job, step=step) for step in range(4)]
    assert outputs == [b"circleci\n", b"0\n", b"unreachable\n", b"unreachable\n"]


def test_no_secret_is_in_a_log_or_a_process_list(installation: Installation) -> None:
    pipeline = installation.push(config_of("'echo started; sleep 3'"))
    job = installation.wait_running(pipeline)
    ticket = (installation.attempt_folder(job["id"], 1) / "ticket").read_text().strip()
    processes = b"\n".join(
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )
    installation.wait_end(pipeline)

    keys = installation.stack.keys()
    secrets = [secret.reveal() for secret in (*keys.webhook, keys.ticket, keys.page)]
    token = json.loads(base64.urlsafe_b64decode(ticket.partition(".")[0] + "=="))["task"]
    files = [*installation.places.logs.rglob("*"), *installation.places.host.rglob("*.log")]
    logged = b"\n".join(path.read_bytes() for path in files if path.is_file())
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    lines = read_lines(installation.stack.session, installation.places.host, since=long_ago)
    logged += "\n".join(json.dumps(dict(line.fields), default=str) for line in lines).encode()
    found = [
        secret
        for secret in (*secrets, ticket, token)
        if secret.encode() in logged or secret.encode() in processes
    ]
    assert job["id"].encode() in logged
    assert found == []


def test_each_line_of_a_function_says_whose_work_it_is(installation: Installation) -> None:
    pipeline = installation.push(config_of("echo hello"))
    ended = installation.wait_end(pipeline)
    job = ended["jobs"][0]["id"]

    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    lines = read_lines(installation.stack.session, installation.places.host, since=long_ago)

    tasks = {"plan_pipeline", "dispatch_attempt", "finish_job"}
    said = [line.fields for line in lines if line.fields.get("task") in tasks]
    ours = [each for each in said if pipeline == each.get("pipeline") or job == each.get("job")]
    assert {each["task"] for each in ours} == tasks
    for each in ours:
        assert each["delivery"] == ended["delivery"]
        assert each["pipeline"] == pipeline
        if each["task"] != "plan_pipeline":
            assert (each["job"], each["fence"]) == (job, 1)
    assert any(line.source == "supervisor" and line.fields.get("job") == job for line in lines)


def test_uncommitted_changes_are_named_and_not_built(installation: Installation) -> None:
    folder = installation.scratch / "dirty"
    (folder / ".circleci").mkdir(parents=True)
    config = folder / ".circleci/config.yml"
    config.write_text(config_of("echo committed"))
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run([*git, *command], check=True)
    config.write_text(config_of("echo changed"))

    done = _berth(installation, "build", str(folder))

    assert done.returncode == 0
    assert b"not committed" in done.stderr
    assert b"committed\n" in done.stdout
    assert b"changed" not in done.stdout
