"""The script that is sent to a host, run by a real shell: once, and never after its end."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from chalicelib.shell import render
from chalicelib.transport.ssm_script import Report, Script, inline, read_report

_RUN = "0123456789abcdef"


def _script(folder: Path, *arguments: str, stdin: bytes | None = None) -> Script:
    given = None if stdin is None else inline(stdin)
    return Script(arguments=arguments, token=_RUN, base=str(folder / "runs"), stdin=given)


def _ran(text: str, folder: Path, *shell: str) -> Report:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        [*(shell or ("/bin/sh",)), "-c", text],
        capture_output=True,
        check=True,
        text=True,
        env=environment,
    )
    report = read_report(done.stdout, _RUN)
    assert report is not None
    return report


@pytest.mark.parametrize("shell", [("dash",), ("bash",), ("busybox", "sh")], ids=" ".join)
def test_a_second_delivery_reports_what_the_first_one_did(
    tmp_path: Path, shell: tuple[str, ...]
) -> None:
    said = "echo x >>ran; echo out; echo err >&2; cat; exit 7"
    text = render(_script(tmp_path, "sh", "-c", said, stdin=b"in").starting())

    reports = [_ran(text, tmp_path, *shell), _ran(text, tmp_path, *shell)]

    assert reports[0] == reports[1]
    assert reports[0] == Report(word="7", stdout=b"out\nin", stderr=b"err\n", whole=True)
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_run_that_was_ended_does_not_start_when_it_comes_late(tmp_path: Path) -> None:
    """Nothing takes a command back that is on its way; so its place on the host is taken."""
    starting = render(_script(tmp_path, "touch", "ran").starting())
    ending = render(_script(tmp_path, "true").ending())

    first = _ran(ending, tmp_path)
    late = _ran(starting, tmp_path)

    assert (first.word, late.word) == ("0", "ended")
    assert not (tmp_path / "ran").exists()


def test_a_run_that_was_ended_while_it_began_does_not_start(tmp_path: Path) -> None:
    """Its folder is taken, and it fetches its input: the end finds no process, but leaves word."""
    starting = render(_script(tmp_path, "touch", "ran").starting())
    run = tmp_path / "runs" / _RUN
    begun = starting.replace("if mkdir", f"if mkdir -p {run} && touch {run}/ended && mkdir -p", 1)

    report = _ran(begun, tmp_path)

    assert report.word == "143"
    assert not (tmp_path / "ran").exists()


def test_the_end_reports_what_was_printed_so_far(tmp_path: Path) -> None:
    run = tmp_path / "runs" / _RUN
    run.mkdir(parents=True)
    (run / "stdout").write_bytes(b"so far")

    report = _ran(render(_script(tmp_path, "true").ending()), tmp_path)

    assert report == Report(word="0", stdout=b"so far", stderr=b"", whole=True)


def test_input_is_bytes_and_is_gone_when_the_program_runs(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20
    script = _script(
        tmp_path, "sh", "-c", "cat; ls $0 >&2", str(tmp_path / "runs" / _RUN), stdin=content
    )

    report = _ran(render(script.starting()), tmp_path)

    assert report.stdout == content
    assert b"input" not in report.stderr


def test_folders_of_old_runs_are_removed(tmp_path: Path) -> None:
    old, recent = tmp_path / "runs" / "old", tmp_path / "runs" / "recent"
    for folder in (old, recent):
        folder.mkdir(parents=True)
        (folder / "stdout").write_text("x")
    os.utime(old, (0, 0))

    _ran(render(_script(tmp_path, "true").starting()), tmp_path)

    assert not old.exists()
    assert recent.exists()


def test_a_host_that_cannot_keep_runs_refuses(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("no folder")

    report = _ran(render(_script(tmp_path, "touch", "ran").starting()), tmp_path)

    assert report.word == "refused"
    assert not (tmp_path / "ran").exists()


def test_what_a_run_left_is_its_users_alone(tmp_path: Path) -> None:
    _ran(render(_script(tmp_path, "touch", "ran").starting()), tmp_path)

    run = tmp_path / "runs" / _RUN
    assert [path.stat().st_mode & 0o777 for path in (run.parent, run)] == [0o700, 0o700]
    assert (run / "stdout").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ran").stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.parametrize("text", ["{{ssm:name}}", "{{{{", "{{{x}}}", "a{ {b", "{"])
def test_ssm_finds_nothing_to_fill_in_and_the_program_sees_it_all(
    tmp_path: Path, text: str
) -> None:
    script = render(_script(tmp_path, "printf", "%s", text).starting())

    assert "{{" not in script
    assert _ran(script, tmp_path).stdout == text.encode()


@pytest.mark.parametrize(
    "text", ["", "berth-run", "berth-run other 0 0 0\n", "x\nberth-run 0123456789abcdef 0 0 0\n"]
)
def test_what_is_no_report_is_none(text: str) -> None:
    assert read_report(text, _RUN) is None


def test_a_report_that_was_cut_is_not_whole() -> None:
    text = f"berth-run {_RUN} 0 300 0\n" + base64.encodebytes(b"x" * 300).decode()

    reports = [read_report(text[:cut] + "--output truncated--", _RUN) for cut in (50, 200, 400)]

    assert [report and report.whole for report in reports] == [False, False, False]
    assert read_report(text, _RUN) == Report(word="0", stdout=b"x" * 300, stderr=b"", whole=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
