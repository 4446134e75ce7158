"""The whole config: version, global environment, jobs, and those of them that a workflow picks."""

from collections.abc import Callable, Mapping

from chalicelib.buildconfig.complaint import complaint
from chalicelib.buildconfig.cursor import NOT_YET, Cursor
from chalicelib.buildconfig.document import Kind, parse_document
from chalicelib.buildconfig.jobs import compile_job
from chalicelib.buildconfig.keywords import TOP_KNOWN, TOP_SUPPORTED
from chalicelib.buildconfig.steps import compile_environment
from chalicelib.buildconfig.workflow import compile_workflows
from chalicelib.model import JobSpec

__all__ = ["OrbResolver", "compile_config"]

OrbResolver = Callable[[str], str]
"""From an orb's reference (`circleci/node@5.1`) to its YAML. The seam; nothing calls it yet."""

_DEFAULT_FILE = ".circleci/config.yml"
_MAX_JOBS = 500
_MAX_ENVIRONMENT = 4 << 20
"""Characters of the global environment, copied into each job."""
_NO_WORKFLOW_JOB = "build"
_WITH_TEMPLATES = "2.1"
_VERSIONS = frozenset({"2", "2.0", _WITH_TEMPLATES})


def compile_config(
    text: bytes | str,
    *,
    file: str = _DEFAULT_FILE,
    resolve_orb: OrbResolver | None = None,  # noqa: ARG001 the seam for orbs, part of the API
) -> tuple[JobSpec, ...]:
    """Return the jobs that a config asks for, in the order in which its workflow lists them.

    Without a workflow that is the job named `build`, as at CircleCI. Jobs that no workflow lists
    are checked and left out. Pure: the same text gives the same jobs.

    Args:
        text: the file as it is in the repository.
        file: its path there, for errors.
        resolve_orb: will look up registry orbs; until then every orb is refused.

    Raises:
        ConfigError: the text is not a config, or asks for something that is not carried out yet.
            Nothing else is raised, whatever the text. `line` is always above zero.
    """
    root = parse_document(text, file=file)
    top = Cursor(file=file, key="", key_line=1, node=root)
    if not top.is_mapping:
        raise top.error("the file has to be a map with version and jobs")
    version = _version(top)
    top = Cursor(file=file, key="", key_line=1, node=root, templates=version == _WITH_TEMPLATES)
    _check_top_level(top)
    fields = top.fields()
    environment = compile_environment(fields.get("environment"))
    if "jobs" not in fields:
        raise top.error("there are no jobs")
    jobs = _jobs(fields["jobs"], environment)
    chosen = compile_workflows(fields["workflows"], jobs) if "workflows" in fields else None
    if chosen is not None:
        return chosen
    if _NO_WORKFLOW_JOB not in jobs:
        listed = ", ".join(list(jobs)[:5])
        reason = (
            f"without a workflow only a job named {_NO_WORKFLOW_JOB} runs, and there is none: "
            f"rename a job, or add a workflow that lists {listed}"
        )
        raise fields["jobs"].key_error(reason)
    return (jobs[_NO_WORKFLOW_JOB],)


def _version(top: Cursor) -> str:
    place = top.fields().get("version")
    if place is None:
        reason = "missing; it has to be 2, 2.0 or 2.1"
        raise complaint(file=top.file, line=1, key="version", reason=reason)
    node = place.scalar()
    if node.kind not in {Kind.TEXT, Kind.INTEGER, Kind.FLOAT} or node.text not in _VERSIONS:
        raise place.error("has to be 2, 2.0 or 2.1")
    return node.text


def _check_top_level(top: Cursor) -> None:
    for name, place in top.fields().items():
        if name in TOP_SUPPORTED:
            continue
        if name in TOP_KNOWN:
            raise place.key_error(NOT_YET)
        # CircleCI ignores unknown top-level keys, and people keep their anchors there. Without an
        # anchor nothing can use it, so it is a slip of the pen.
        if not top.sets_anchor(name):
            raise place.key_error("unknown key, and nothing in it has an anchor")


def _jobs(place: Cursor, environment: Mapping[str, str]) -> dict[str, JobSpec]:
    fields = place.fields()
    if not fields:
        raise place.error("there are no jobs")
    if len(fields) > _MAX_JOBS:
        raise place.error(f"there are more than {_MAX_JOBS} jobs")
    if len(fields) * sum(map(len, (*environment, *environment.values()))) > _MAX_ENVIRONMENT:
        raise place.error("the global environment is too large for so many jobs")
    return {name: compile_job(name, job, environment=environment) for name, job in fields.items()}
