"""Which job a claimer takes, and how many."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.queue.protocol import NewJob
from chalicelib.services.claim_job import claim_ready
from tests.services.installation import Site, make_site
from tests.wait.script import Share

LANE = 60
FIRST, LAST = Share(0), Share(1)


def site_with_lane(*, slots: int) -> Site:
    """Return an installation whose lane has jobs 0 to 59, each from a tenant of its own."""
    site = make_site(slots=slots)
    for number in range(LANE):
        new = NewJob(id=f"job-{number:02d}", name="a", pipeline="p", tenant=f"t{number}")
        site.queue.admit(new, now=site.clock.now())
        site.pass_time(timedelta(seconds=1))
    return site


@pytest.mark.parametrize("random", [FIRST, LAST])
def test_for_one_free_slot_the_head_of_the_lane_is_taken(random: Share) -> None:
    """However long the lane: whoever is passed over waits until the next slot is free."""
    site = site_with_lane(slots=1)

    claimed = claim_ready(replace(site.berth, random=random), pool="default")

    assert [job.id for job in claimed] == ["job-00"]


def test_no_job_is_taken_before_one_that_cannot_start_beside_it() -> None:
    site = site_with_lane(slots=3)

    claimed = claim_ready(replace(site.berth, random=LAST), pool="default")

    assert sorted(job.id for job in claimed) == ["job-00", "job-01", "job-02"]


def test_claimers_spread_over_as_many_jobs_as_can_start() -> None:
    site = site_with_lane(slots=3)

    claimed = claim_ready(replace(site.berth, random=LAST), pool="default", most=1)

    assert [job.id for job in claimed] == ["job-02"]
