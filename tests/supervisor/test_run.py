import json
import signal
from datetime import timedelta

from chalicelib.model import Outcome, RunStep, StepState, When
from tests.supervisor.conftest import JOB, Rig


def _states(rig: Rig) -> list[StepState]:
    assert rig.plane.result is not None
    return [step.state for step in rig.plane.result.steps]


def _verdict(rig: Rig) -> tuple[Outcome, str]:
    assert rig.plane.result is not None
    return rig.plane.result.outcome, rig.plane.result.reason


def test_a_step_runs_and_its_output_arrives(rig: Rig) -> None:
    rig.run(RunStep(name="hello", command="echo hello; echo oops >&2"))

    assert sorted(rig.output().splitlines()) == ["hello", "oops"]
    assert _verdict(rig) == (Outcome.SUCCEEDED, "")
    assert rig.plane.steps[0].exit_status == 0
    assert not rig.directory.exists()


def test_the_container_is_gone_before_the_result(rig: Rig) -> None:
    rig.run(RunStep(name="hello", command="true"))

    assert rig.plane.events == ["stopped", "deleted", "result"]


def test_a_failing_step_stops_the_job_but_for_those_that_run_anyway(rig: Rig) -> None:
    rig.run(
        RunStep(name="breaks", command="echo before; false | true; echo never"),
        RunStep(name="after", command="echo skipped"),
        RunStep(name="tell", command="exit 7", when=When.ON_FAIL),
        RunStep(name="tidy", command="echo tidied", when=When.ALWAYS),
    )

    assert _states(rig) == [
        StepState.FAILED,
        StepState.SKIPPED,
        StepState.FAILED,
        StepState.SUCCEEDED,
    ]
    assert rig.output(0) == "before\n"
    assert rig.output(3) == "tidied\n"
    assert _verdict(rig) == (Outcome.FAILED, "step 'breaks' exited with 1")


def test_exports_reach_later_steps_through_bash_env(rig: Rig) -> None:
    rig.run(
        RunStep(name="set", command='echo \'export COLOUR="dark blue"\' >> "$BASH_ENV"'),
        RunStep(name="get", command='echo "$COLOUR"'),
    )

    assert rig.output(1) == "dark blue\n"


def test_a_step_sees_its_variables_unexpanded_and_starts_in_its_directory(rig: Rig) -> None:
    rig.run(
        RunStep(name="make", command="mkdir sub"),
        RunStep(
            name="look",
            command='pwd; echo "$CIRCLE_BRANCH $A $B"; test ! -t 0; cat',
            environment={"B": "$HOME"},
            working_directory="sub",
        ),
        environment={"A": "of the job", "B": "weaker"},
    )

    assert rig.output(1) == f"{rig.workspace}/sub\nmain of the job $HOME\n"
    arguments = [command["command"] for command in rig.lxd.commands]
    assert not any("of the job" in word for words in arguments for word in words)


def test_a_missing_directory_fails_the_step_in_words(rig: Rig) -> None:
    rig.run(RunStep(name="look", command="pwd", working_directory="nowhere"))

    outcome, reason = _verdict(rig)
    assert outcome is Outcome.FAILED
    assert reason == f"step 'look': working directory {rig.workspace}/nowhere does not exist"
    assert "does not exist" in rig.output()


def test_without_bash_the_plain_shell_runs_the_step(rig: Rig) -> None:
    rig.lxd.hidden.add("/bin/bash")

    rig.run(RunStep(name="hello", command="echo hello"))

    assert rig.lxd.commands[0]["command"][:3] == ["/bin/sh", "-eo", "pipefail"]


def test_a_signal_shows_as_128_and_its_number(rig: Rig) -> None:
    rig.run(RunStep(name="dies", command="kill -9 $$"))

    assert rig.plane.steps[0].exit_status == 128 + signal.SIGKILL


def test_200_000_lines_arrive_whole_and_in_order_though_one_request_in_three_fails(
    rig: Rig,
) -> None:
    rig.plane.trouble = lambda number, _body: (200, 503, 200, 0, 200, 429)[number % 6]

    rig.run(RunStep(name="count", command="seq 200000"))

    assert rig.output() == "".join(f"{number}\n" for number in range(1, 200_001))


def test_binary_output_arrives_as_it_was(rig: Rig) -> None:
    rig.run(
        RunStep(name="bytes", command="printf '\\377\\376\\000\\303'; head -c 700000 /dev/zero")
    )

    assert rig.plane.output(0) == b"\xff\xfe\x00\xc3" + bytes(700_000)


def test_the_log_limit_cuts_once_and_the_steps_run_on(rig: Rig) -> None:
    rig.run(
        RunStep(name="loud", command="head -c 300000 /dev/zero | tr '\\0' x; echo done"),
        RunStep(name="quiet", command="echo more"),
        log_limit_bytes=1000,
    )

    notice = "\n[berth] log limit of 1000 bytes reached: output cut here\n"
    assert rig.output(0) == "x" * 1000 + notice
    assert rig.output(1) == ""
    assert _states(rig) == [StepState.SUCCEEDED, StepState.SUCCEEDED]


def test_a_process_left_in_the_background_does_not_hold_the_step(tree_rig: Rig) -> None:
    rig = tree_rig
    server = "(while :; do sleep 0.1; echo tick; done) &"

    rig.run(
        RunStep(name="serve", command=f"echo up\n{server}\necho started; exit 3"),
        RunStep(name="report", command="echo next", when=When.ALWAYS),
    )

    assert rig.plane.steps[0].exit_status == 3
    assert rig.output(0).startswith("up\nstarted\n")
    assert rig.output(1) == "next\n"


def test_a_server_of_one_step_lives_on_for_the_next_and_its_output_is_kept(tree_rig: Rig) -> None:
    rig = tree_rig
    wait = "for n in $(seq 100); do test -e {0} && {1}; sleep 0.05; done"
    served = wait.format("second", "break")
    used = wait.format("answered", "exit 0")

    rig.run(
        RunStep(name="serve", command=f"({served}; echo served; touch answered) &"),
        RunStep(name="use", command=f"touch second; {used}; exit 9"),
        RunStep(name="late", command="sleep 0.2"),
    )

    assert _verdict(rig) == (Outcome.SUCCEEDED, "")
    assert rig.output(0) == "served\n"


def test_silence_beyond_its_limit_ends_the_step_and_all_it_started(tree_rig: Rig) -> None:
    rig = tree_rig
    escape = "(trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 999' &)"

    rig.run(
        RunStep(
            name="hang",
            command=f"echo begun; {escape}; sleep 998",
            no_output_timeout=timedelta(seconds=0.5),
        ),
        RunStep(
            name="look", command="ps -eo args | grep -x 'sleep 99[89]' || true", when=When.ALWAYS
        ),
    )

    assert _states(rig) == [StepState.TIMED_OUT, StepState.SUCCEEDED]
    assert _verdict(rig) == (Outcome.FAILED, "step 'hang': no output for 0.5 s")
    assert "[berth] no output for 0.5 s: stopped" in rig.output()
    assert rig.output(1) == ""


def test_output_beyond_the_log_limit_still_counts_as_output(rig: Rig) -> None:
    rig.run(
        RunStep(
            name="chatty",
            command="for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.2; done",
            no_output_timeout=timedelta(seconds=1),
        ),
        log_limit_bytes=1,
    )

    assert _states(rig) == [StepState.SUCCEEDED]


def test_the_jobs_time_limit_ends_it_as_timed_out(rig: Rig) -> None:
    rig.run(
        RunStep(name="long", command="sleep 60"),
        RunStep(name="tidy", command="true", when=When.ALWAYS),
        time_limit_s=0.5,
    )

    assert _verdict(rig) == (Outcome.TIMED_OUT, "the job reached its time limit of 0.5 s")
    assert _states(rig) == [StepState.TIMED_OUT, StepState.SKIPPED]


def test_a_missing_container_is_infrastructure(rig: Rig) -> None:
    rig.lxd.alive = False

    rig.run(RunStep(name="hello", command="true"))

    outcome, reason = _verdict(rig)
    assert outcome is Outcome.INFRASTRUCTURE
    assert reason == "LXD answered 404: Instance not found"
    assert _states(rig) == [StepState.SKIPPED]


def test_a_missing_lxd_is_infrastructure(rig: Rig) -> None:
    rig.run(RunStep(name="hello", command="true"), lxd_socket=str(rig.tmp_path / "none"))

    outcome, reason = _verdict(rig)
    assert outcome is Outcome.INFRASTRUCTURE
    assert "LXD does not answer" in reason


def test_its_own_log_names_the_attempt_and_holds_no_ticket(rig: Rig) -> None:
    rig.run(RunStep(name="hello", command="true"))

    lines = rig.log()
    assert {(line["job"], line["fence"]) for line in lines} == {(JOB, 1)}
    assert rig.plane.ticket not in json.dumps(lines)
    assert not list((rig.state / "attempts").iterdir())
