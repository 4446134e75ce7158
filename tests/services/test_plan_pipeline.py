from chalicelib.model import JobState, Outcome, PipelineState
from chalicelib.services.plan_pipeline import plan_pipeline
from tests.services.installation import CONFIG, Site

_TWO = b"""\
version: 2.1
jobs:
  a: {steps: [checkout]}
  b: {steps: [checkout]}
workflows:
  main: {jobs: [a, b]}
"""


def test_a_planned_job_is_claimed_and_its_execution_started(site: Site) -> None:
    job = site.plan()

    assert job.state is JobState.LEASED
    assert job.fence == 1
    assert site.sequencer.started == [(job.id, 1)]


def test_planning_twice_starts_nothing_twice(site: Site) -> None:
    pipeline = site.receive(config=_TWO)

    plan_pipeline(site.berth, pipeline.id)
    plan_pipeline(site.berth, pipeline.id)

    assert len(site.sequencer.started) == 2
    assert [job.name for job in site.jobs(pipeline.id)] == ["a", "b"]


def test_a_planner_killed_before_admission_is_repeated_from_the_stored_jobs(site: Site) -> None:
    pipeline = site.receive()
    plan_pipeline(site.berth, pipeline.id)
    site.put_file(".circleci/config.yml", b"changed: since")

    again = plan_pipeline(site.berth, pipeline.id)

    assert again.ready == ()
    assert site.jobs(pipeline.id)[0].state is JobState.LEASED


def test_a_config_error_ends_the_pipeline_with_file_line_and_key(site: Site) -> None:
    pipeline = site.receive(config=b"version: 2.1\njobs:\n  build:\n    macos: {xcode: 15}\n")

    plan_pipeline(site.berth, pipeline.id)

    ended = site.pipelines.get_pipeline(pipeline.id)
    assert ended is not None
    assert ended.state is PipelineState.ENDED
    assert ended.outcome is Outcome.FAILED
    assert ".circleci/config.yml:4" in ended.reason
    assert "jobs.build.macos" in ended.reason


def test_a_config_that_compiles_to_more_than_can_be_stored_ends_the_pipeline(site: Site) -> None:
    names = ["é" * 190 + f"{number:03d}" for number in range(400)]
    jobs = "".join(f"  {name}: {{steps: [checkout]}}\n" for name in names)
    listed = "".join(f"      - {name}\n" for name in names)
    config = f"version: 2.1\njobs:\n{jobs}workflows:\n  main:\n    jobs:\n{listed}"
    pipeline = site.receive(config=config.encode())

    plan_pipeline(site.berth, pipeline.id)

    ended = site.pipelines.get_pipeline(pipeline.id)
    assert ended is not None
    assert ended.outcome is Outcome.FAILED
    assert "size" in ended.reason.lower()


def test_a_commit_without_a_config_ends_the_pipeline(site: Site) -> None:
    pipeline = site.receive(config=None)
    site.put_file("README", b"no config here")

    planned = plan_pipeline(site.berth, pipeline.id)

    assert "there is no config at this commit" in planned.reason


def test_an_unknown_repository_ends_the_pipeline_and_says_so(site: Site) -> None:
    pipeline = site.receive(config=None)

    plan_pipeline(site.berth, pipeline.id)

    ended = site.pipelines.get_pipeline(pipeline.id)
    assert ended is not None
    assert ended.outcome is Outcome.FAILED
    assert "o/r" in ended.reason


def test_only_the_asked_job_is_planned(site: Site) -> None:
    pipeline = site.receive(config=_TWO, only_job="b")

    plan_pipeline(site.berth, pipeline.id)

    assert [job.name for job in site.jobs(pipeline.id)] == ["b"]


def test_an_unknown_job_name_says_which_there_are(site: Site) -> None:
    pipeline = site.receive(config=_TWO, only_job="c")

    planned = plan_pipeline(site.berth, pipeline.id)

    assert "no job named c; there are: a, b" in planned.reason


def test_the_config_of_berth_wins_over_circlecis(site: Site) -> None:
    pipeline = site.receive(config=b"not even yaml: [")
    site.put_file(".berth/config.yml", CONFIG)

    plan_pipeline(site.berth, pipeline.id)

    assert [job.name for job in site.jobs(pipeline.id)] == ["build"]


def test_a_tenant_at_its_limit_waits_as_pending(site: Site) -> None:
    for _ in range(3):
        site.plan()

    waiting = site.plan()

    assert waiting.state is JobState.PENDING


def test_a_full_host_leaves_the_job_ready(site: Site) -> None:
    site.plan()
    site.plan()

    waiting = site.plan()

    assert waiting.state is JobState.READY
    assert site.slots_taken() == 2
