"""One job: its executor, environment, working directory and steps → a `JobSpec`."""

from collections.abc import Mapping

from chalicelib.buildconfig.cursor import NOT_YET, Cursor
from chalicelib.buildconfig.images import DEFAULT_IMAGE, IMAGES
from chalicelib.buildconfig.keywords import (
    DOCKER_KNOWN,
    DOCKER_SUPPORTED,
    JOB_KNOWN,
    JOB_SUPPORTED,
    MACHINE_KNOWN,
)
from chalicelib.buildconfig.steps import compile_environment, compile_step, directory
from chalicelib.model import MAX_STEPS, JobSpec, Step

__all__ = ["compile_job"]

_MAX_NAME = 200
_DEFAULT_DIRECTORY = "~/project"


def compile_job(name: str, place: Cursor, *, environment: Mapping[str, str]) -> JobSpec:
    """Return the job at `place`; its own variables win over `environment`.

    Raises:
        ConfigError: it has no steps, or asks for something that is not carried out yet.
    """
    if not name.strip() or not name.isprintable() or len(name) > _MAX_NAME:
        raise place.key_error(f"a job's name is 1 to {_MAX_NAME} printable characters")
    place.refuse_others(JOB_SUPPORTED, JOB_KNOWN)
    fields = place.fields()
    if "steps" not in fields:
        raise place.key_error("a job needs steps")
    return JobSpec(
        name=name,
        image=_image(fields),
        environment={**environment, **compile_environment(fields.get("environment"))},
        working_directory=_working_directory(fields.get("working_directory")),
        steps=_steps(fields["steps"]),
    )


def _image(fields: Mapping[str, Cursor]) -> str:
    if "docker" in fields and "machine" in fields:
        raise fields["machine"].key_error("a job has one executor, and this one has docker too")
    if "docker" in fields:
        return _docker(fields["docker"])
    if "machine" in fields:
        return _machine(fields["machine"])
    return DEFAULT_IMAGE


def _docker(place: Cursor) -> str:
    entries = list(place.items())
    if not entries:
        raise place.error("has to name an image")
    primary = entries[0]
    primary.refuse_others(DOCKER_SUPPORTED, DOCKER_KNOWN)
    image = primary.fields().get("image")
    if image is None:
        raise primary.error("has to name an image")
    wanted = image.text()
    if wanted not in IMAGES:
        there = ", ".join(sorted(IMAGES))
        raise image.error(f"the image {wanted[:100]} is {NOT_YET}; there are {there}")
    if len(entries) > 1:
        raise entries[1].error(f"a service container is {NOT_YET}")
    return IMAGES[wanted]


def _machine(place: Cursor) -> str:
    if place.is_true:
        return DEFAULT_IMAGE
    if place.is_mapping:
        place.refuse_others(frozenset(), MACHINE_KNOWN)
    raise place.error("has to be true; anything else is " + NOT_YET)


def _working_directory(place: Cursor | None) -> str:
    if place is None:
        return _DEFAULT_DIRECTORY
    path = directory(place)
    if path != "~" and not path.startswith(("/", "~/")):
        raise place.error(f"a job's directory that begins with neither / nor ~/ is {NOT_YET}")
    return path


def _steps(place: Cursor) -> tuple[Step, ...]:
    steps = tuple(compile_step(item) for item in place.items())
    if not steps:
        raise place.error("a job needs at least one step")
    if len(steps) > MAX_STEPS:
        raise place.error(f"a job has at most {MAX_STEPS} steps")
    return steps
