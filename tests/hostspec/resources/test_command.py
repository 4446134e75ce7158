from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, apply, audit
from chalicelib.hostspec.plan import everything
from chalicelib.hostspec.resources import Command, File
from chalicelib.hostspec.script import unattended_script
from chalicelib.hostspec.system import DEBIAN
from chalicelib.hostspec.text import plan_text, report_text
from chalicelib.shell import (
    Secret,
    append_to,
    not_,
    q,
    redirect,
    ref,
    render,
    script_function,
    write_to,
)
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, operation

FOLDER = "/srv/command"
MADE = f"{FOLDER}/made"
COUNTED = redirect(q("echo run"), append_to(f"{FOLDER}/runs"))
MAKES = q("touch {path}", path=MADE)
IS_MADE = q("test -e {path}", path=MADE)


@pytest.fixture
def host(machine: Transport) -> Iterator[Transport]:
    """The machine with a folder for the commands' traces."""
    machine.run(q("mkdir {folder}", folder=FOLDER))
    machine.run(q("chmod 777 {folder}", folder=FOLDER))
    yield machine
    machine.run(q("rm -rf {folder}", folder=FOLDER))


def _runs(host: Transport) -> int:
    return host.run(q("cat {path}", path=f"{FOLDER}/runs"), check=False).stdout.count(b"run")


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "made",
    [
        Command(id="make", run=[COUNTED, MAKES], creates=MADE),
        Command(id="make", run=[COUNTED, MAKES], unless=IS_MADE),
        Command(id="make", run=[COUNTED, MAKES], only_if=not_(IS_MADE)),
        Command(id="make", run=[COUNTED, MAKES], only_if="true", unless=IS_MADE),
        Command(id="make", run=[COUNTED, MAKES], only_if="true", creates=MADE, user="daemon"),
    ],
    ids=["creates", "unless", "only_if", "only_if and unless", "only_if and creates"],
)
def test_a_command_runs_once_and_again_when_its_work_is_gone(
    host: Transport, made: Command
) -> None:
    assert operation(host, made) is Operation.CREATE
    apply_well(host, made)
    assert _runs(host) == 1

    host.run(q("rm {path}", path=MADE))

    assert operation(host, made) is Operation.CREATE
    apply_well(host, made)
    assert _runs(host) == 2


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_command_is_undone(host: Transport) -> None:
    made = Command(id="make", run=MAKES, creates=MADE, undo=q("rm {path}", path=MADE))
    gone = replace(made, absent=True)
    apply_well(host, made)

    assert operation(host, gone) is Operation.REMOVE
    apply_well(host, gone)

    assert operation(host, gone) is Operation.NOTHING
    assert operation(host, made) is Operation.CREATE


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_command_that_need_not_run_does_not(host: Transport) -> None:
    apply_well(host, Command(id="make", run=COUNTED, only_if="false", creates=MADE))
    assert _runs(host) == 0


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_the_guard_is_asked_again_before_it_runs(host: Transport) -> None:
    spec = Spec(Command(id="make", run=[COUNTED, MAKES], creates=MADE))
    plan = everything(spec, audit(spec, host).system)
    host.run(MAKES)

    host.run(unattended_script(plan))

    assert _runs(host) == 0


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_reaction_runs_only_on_a_change(host: Transport) -> None:
    path = f"{FOLDER}/file"
    reload = Command(id="reload", run=COUNTED, on_change_of=(f"file {path}",))
    both = Command(id="both", run=[COUNTED, MAKES], creates=MADE, on_change_of=(f"file {path}",))

    apply_well(host, reload, both, File(path=path, content="a"))
    assert _runs(host) == 2
    apply_well(host, reload, both, File(path=path, content="b"))
    assert _runs(host) == 4


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("run", "words"),
    [
        (["ls /nowhere", MAKES], "No such file"),
        ("true", "still says that it has not"),
        (q("sh -c {text}", text="echo out of fish; exit 7"), "out of fish"),
    ],
    ids=["first of two", "no work", "status"],
)
def test_a_command_that_fails_says_why(host: Transport, run: object, words: str) -> None:
    made = Command(id="make", run=run, creates=MADE)  # type: ignore[arg-type]

    outcome = apply(Spec(made), host).outcomes[0]

    assert outcome.outcome is Outcome.FAILED
    assert words in outcome.tail
    assert operation(host, made) is Operation.CREATE


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize("user", ["", "daemon"])
def test_a_command_has_its_user_folder_and_environment(host: Transport, user: str) -> None:
    told = redirect(
        ["id -un", "pwd", q("printenv KEY"), q("echo {key}", key=ref("KEY")), "cat"],
        write_to(MADE),
    )
    key = Secret("sword 'fish'")
    made = Command(
        id="tell", run=told, creates=MADE, user=user, cwd="/usr", environment={"KEY": key}
    )

    report = apply(Spec(made), host)

    assert report.ok, report_text(report)
    who = user or "root"
    assert host.get(MADE).decode() == f"{who}\n/usr\nsword 'fish'\nsword 'fish'\n"


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize("user", ["", "daemon"])
def test_a_secret_is_in_no_process_list_and_no_text(host: Transport, user: str) -> None:
    listed = redirect(q("sh -c {text}", text="cat /proc/[0-9]*/cmdline"), write_to(MADE))
    made = Command(
        id="list",
        run=[listed, "false"],
        creates=MADE,
        user=user,
        environment={"KEY": Secret("swordfish")},
    )
    plan = audit(Spec(made), host)
    report = apply(Spec(made), host)

    assert b"/proc/[0-9]" in host.get(MADE)
    assert b"swordfish" not in host.get(MADE)
    for text in (repr(plan), plan_text(plan, host="h"), repr(report), report_text(report)):
        assert "swordfish" not in text
    assert "swordfish" in render(made.actions()[-1])


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_command_is_chosen_by_the_system(host: Transport) -> None:
    touch = script_function("make", {"debian": lambda: MAKES, "alpine": lambda: q("false")})

    apply_well(host, Command(id="make", run=touch(), creates=MADE))


def test_a_guard_that_leaves_the_shell_spoils_no_other_answer(here: Transport) -> None:
    commands = [Command(id=each, run="true", unless=["exit 3"]) for each in ("a", "b")]

    plan = audit(Spec(*commands, Command(id="c", run="true", unless="exit 0")), here)

    wanted = [Operation.CREATE, Operation.CREATE, Operation.NOTHING]
    assert [each.operation for each in plan.changes] == wanted


def test_the_unattended_plan_runs_it_once() -> None:
    made = Command(id="a", run=COUNTED, unless="false", on_change_of=("file /a",))
    plan = everything(Spec(made, File(path="/a")), DEBIAN)

    assert "just_ran" in render(unattended_script(plan))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Command(id="a", run="true"), "guard"),
        (lambda: Command(id="a", creates="/a"), "nothing to run"),
        (lambda: Command(id="a;b", run="true", creates="/a"), "id"),
        (lambda: Command(id="a", run="true", creates="a"), "creates"),
        (lambda: Command(id="a", run="true", creates="/a", unless="true"), "two guards"),
        (lambda: Command(id="a", run="true", creates="/a", user="-x"), "user"),
        (lambda: Command(id="a", run="true", creates="/a", cwd="x"), "cwd"),
        (lambda: Command(id="a", run="true", creates="/a", environment={"a b": "c"}), "environ"),
        (lambda: Command(id="a", run="true", creates="/a", absent=True), "undo"),
        (lambda: Command(id="a", undo="true", only_if="true", absent=True), "undo"),
        (
            lambda: Command(
                id="a", run="true", unless=script_function("x", {"alpine": lambda: q("true")})()
            ),
            "no implementation",
        ),
    ],
    ids=count(),
)
def test_what_is_no_command_is_refused(make: Callable[[], Command], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        make()
