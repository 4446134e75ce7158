"""`berth queue` over the whole application in this process: what it prints, and what it changes."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest

from chalicelib import wiring
from chalicelib.cli.client import Client
from chalicelib.cli.queue import WHATS, queue
from chalicelib.errors import NotFoundError, PayloadError
from chalicelib.model import JobState, Outcome, Pipeline
from tests.entrypoints.browser import PAGE_TOKEN, Application
from tests.services.installation import Site, make_site
from tests.services.pipelines import DIAMOND, end, found, planned, states

Berth = Callable[..., str]
"""Runs `berth queue …` and returns what it printed."""


class Direct(Client):
    """A client whose requests go to the application without a network between."""

    def __init__(self, application: Application) -> None:
        super().__init__("http://berth.test", token=PAGE_TOKEN)
        self._application = application

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        answer = self._application.ask(method, path, body=body or b"", headers=headers)
        return answer.status_code, answer.body


@pytest.fixture
def site() -> Iterator[Site]:
    """An installation with one host of two slots, used by the application."""
    made = make_site()
    with wiring.using(made.berth):
        yield made


@pytest.fixture
def berth(site: Site, capsys: pytest.CaptureFixture[str]) -> Berth:
    application = Application(site=site)

    def run(*words: str) -> str:
        assert queue(words, lambda: Direct(application)) == 0
        return capsys.readouterr().out

    return run


def _id(pipeline: Pipeline, name: str) -> str:
    return next(ref.id for ref in pipeline.jobs if ref.name == name)


@pytest.mark.parametrize("name", WHATS)
def test_each_part_explains_itself_without_a_stack(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        queue([name, "--help"])

    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"usage: berth queue {name}" in told
    assert "--json" in told
    assert "examples:" in told


@pytest.mark.parametrize("words", [[], ["lst"], ["--json"]])
def test_what_it_cannot_do_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        queue(words)

    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_ls_shows_hosts_with_bars_and_tenants_at_n_of_m(site: Site, berth: Berth) -> None:
    for _ in range(4):
        site.plan()

    lines = berth("ls").splitlines()

    assert lines == [
        "pool default  1 lane, 1 ready",
        "  h1  up  ██  2 of 2 slots",
        "",
        "tenant  slots   weight  waiting",
        "7       3 of 3  1       1",
    ]


def test_ls_shows_what_is_stopped_and_why(site: Site, berth: Berth) -> None:
    for _ in range(3):
        site.queue.note_failure("default", reason="no image", now=site.clock.now())
    berth("pause", "--pool", "default", "a new disk")
    one = berth("ls")
    berth("pause", "a flood")

    assert "1 lane, 0 ready  paused: a new disk  no claims until" in one
    assert "everything is paused: a flood" in berth("ls")


def test_show_puts_each_job_below_those_that_it_needs(site: Site, berth: Berth) -> None:
    pipeline = planned(site, DIAMOND)
    end(site, pipeline, "build")

    title, state, *rows = berth("show", pipeline.id).splitlines()

    assert title == "o/r main aaaaaaaaaa"
    assert state == "running"
    cells = [row.rstrip().split(None, 2) for row in rows]
    assert [cell[1] for cell in cells] == ["build", "lint", "unit", "deploy"]
    assert [len(row) - len(row.lstrip()) for row in rows] == [0, 2, 2, 4]
    assert rows[3].endswith("needs lint (leased) and unit (leased)")


def test_show_takes_a_job_too_and_prints_the_time_between_its_hops(
    site: Site, berth: Berth
) -> None:
    pipeline = planned(site, DIAMOND)
    site.pass_time(timedelta(seconds=7))
    end(site, pipeline, "build", outcome=Outcome.FAILED)

    lines = berth("show", _id(pipeline, "build")).splitlines()

    assert lines[0] == "build has ended: failed: made up"
    hops = {line.split()[1]: line.split("+ ")[-1] for line in lines[-6:]}
    assert list(hops) == ["received", "planned", "admitted", "ready", "claimed", "finished"]
    assert hops["finished"] == "7.0 s"


def test_why_is_one_sentence_and_the_facts(site: Site, berth: Berth) -> None:
    pipeline = planned(site, DIAMOND)

    sentence, *facts = berth("why", _id(pipeline, "deploy")).splitlines()

    assert sentence == "deploy is waiting: needs lint (waiting) and unit (waiting)"
    assert {"needs": "lint, unit", "pool": "default", "tenant": "7"}.items() <= dict(
        fact.split(None, 1) for fact in facts
    ).items()


def test_cancel_takes_a_job_and_a_pipeline(site: Site, berth: Berth) -> None:
    pipeline = planned(site, DIAMOND)

    job = berth("cancel", _id(pipeline, "unit"))
    whole = berth("cancel", pipeline.id)

    assert (job, whole) == ("unit is cancelled\n", "2 jobs cancelled\n")
    assert states(site, pipeline)["build"] == JobState.CANCELLING.value


def test_rerun_prints_the_id_of_the_new_pipeline(site: Site, berth: Berth) -> None:
    pipeline = planned(site, DIAMOND)
    end(site, pipeline, "build", outcome=Outcome.FAILED)

    whole, failed, one = (
        berth("rerun", pipeline.id, *more).strip() for more in ([], ["--failed"], ["--job", "unit"])
    )

    assert found(site, whole).only_job is None
    assert found(site, failed).failed_of == pipeline.id
    assert found(site, one).only_job == "unit"


def test_limits_lanes_drains_and_pauses_are_set_and_told(site: Site, berth: Berth) -> None:
    told = [
        berth("limit", "7", "5", "--weight", "3"),
        berth("lanes", "default", "4"),
        berth("drain", "h1"),
        berth("resume", "--host", "h1"),
        berth("pause", "a flood"),
    ]
    site.plan()

    assert [*told, berth("resume")] == [
        "tenant 7 holds 0 of 5 slots, weight 3\n",
        "pool default has 4 lanes\n",
        "host h1 is draining, 0 of 2 slots taken\n",
        "host h1 is up, 0 of 2 slots taken\n",
        "everything paused: a flood\n",
        "everything resumed; 1 claimed at once\n",
    ]


def test_each_answer_can_be_had_as_json(site: Site, berth: Berth) -> None:
    pipeline = planned(site, DIAMOND)
    job = _id(pipeline, "lint")

    answers = [
        json.loads(berth(*words, "--json"))
        for words in (
            ["ls"],
            ["show", pipeline.id],
            ["show", job],
            ["why", job],
            ["limit", "7", "5"],
            ["pause", "x"],
            ["resume"],
            ["drain", "h1"],
            ["lanes", "default", "2"],
            ["cancel", job],
            ["cancel", pipeline.id],
            ["rerun", pipeline.id],
        )
    ]

    assert all(isinstance(answer, dict) for answer in answers)


@pytest.mark.parametrize(
    "words", [["show", "nope"], ["cancel", "../x y"], ["show", ".."], ["show", "a" * 16]]
)
def test_an_id_of_nothing_is_told_as_it_was_typed(berth: Berth, words: list[str]) -> None:
    with pytest.raises(NotFoundError, match="there is no pipeline and no job") as caught:
        berth(*words)

    assert words[1] in str(caught.value)


def test_what_the_api_refuses_is_told(berth: Berth) -> None:
    with pytest.raises(PayloadError, match="a limit is 0 to 4000 slots, not 5000"):
        berth("limit", "7", "5000")
    with pytest.raises(NotFoundError, match="no pool gpu; there are: default"):
        berth("pause", "--pool", "gpu", "x")
    with pytest.raises(NotFoundError, match="no host h9"):
        berth("drain", "h9")
    with pytest.raises(NotFoundError, match="nothing is named 'a/b'"):
        berth("drain", "a/b")
