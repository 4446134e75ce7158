"""Pipelines whose jobs need each other, and what tests do to them."""

from chalicelib.model import JobState, Outcome, Pipeline
from chalicelib.services.finish_job import end_job
from chalicelib.services.plan_pipeline import plan_pipeline
from tests.services.installation import Site

DIAMOND = b"""\
version: 2.1
jobs:
  build: {steps: [checkout]}
  lint: {steps: [checkout]}
  unit: {steps: [checkout]}
  deploy: {steps: [checkout]}
workflows:
  main:
    jobs:
      - build
      - lint: {requires: [build]}
      - unit: {requires: [build]}
      - deploy: {requires: [lint, unit]}
"""


def fan(width: int) -> bytes:
    """Return a config of one job that as many need as `width`, all needed by a last one."""
    middle = [f"m{number}" for number in range(width)]
    jobs = "".join(f"  {name}: {{steps: [checkout]}}\n" for name in ["first", *middle, "last"])
    each = "".join(f"      - {name}: {{requires: [first]}}\n" for name in middle)
    last = f"      - last: {{requires: [{', '.join(middle)}]}}\n"
    head = f"version: 2.1\njobs:\n{jobs}workflows:\n  main:\n    jobs:\n      - first\n"
    return (head + each + last).encode()


def planned(site: Site, config: bytes = DIAMOND) -> Pipeline:
    """Receive and plan a pipeline; return it as it is then."""
    received = site.receive(config=config)
    plan_pipeline(site.berth, received.id)
    return found(site, received.id)


def found(site: Site, pipeline: str) -> Pipeline:
    """Return the pipeline as it is now."""
    there = site.pipelines.get_pipeline(pipeline)
    assert there is not None
    return there


def states(site: Site, pipeline: Pipeline) -> dict[str, str]:
    """Return name → state, or outcome, of each job that has an item."""
    jobs = site.queue.get_jobs(ref.id for ref in pipeline.jobs)
    return {
        ref.name: (jobs[ref.id].outcome or jobs[ref.id].state).value
        for ref in pipeline.jobs
        if ref.id in jobs
    }


def end(site: Site, pipeline: Pipeline, *names: str, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """Let the live jobs of these names end."""
    for ref in pipeline.jobs:
        if ref.name in names:
            job = site.job(ref.id)
            assert job.state in {JobState.LEASED, JobState.RUNNING, JobState.CANCELLING}
            end_job(site.berth, job=job.id, fence=job.fence, outcome=outcome, reason="made up")
