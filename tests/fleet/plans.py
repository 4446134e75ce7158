"""Plans of attempts for tests of hosts."""

from chalicelib.fleet.protocol import AttemptPlan, ContainerLimits

__all__ = ["JOB", "LIMITS", "OTHER", "plan_of"]

JOB = "abcdefghijklmnop"
OTHER = "ponmlkjihgfedcba"
LIMITS = ContainerLimits(cpus=1, memory_mib=256, disk_gib=1, processes=200)


def plan_of(job: str = JOB, fence: int = 1, *, image: str = "base") -> AttemptPlan:
    """Return a plan with small limits."""
    return AttemptPlan(
        job=job,
        fence=fence,
        image=image,
        limits=LIMITS,
        ticket="ticket-1",
        supervisor={"version": 1, "job": job, "fence": fence},
    )
