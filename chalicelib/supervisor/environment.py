"""The variables a step sees. Pure, and values are never expanded.

Built-in variables are CircleCI's: <https://circleci.com/docs/reference/variables/>. The job's own
lie over them and the step's over those.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.supervisor.attempt import Attempt, Step

__all__ = ["MARKER", "base_environment", "built_in", "ref_variables", "step_environment"]

MARKER = "BERTH_STEP"
"""Names the variable by which `processes` knows a step's processes."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEADS = "refs/heads/"
_TAGS = "refs/tags/"
_PULLS = "refs/pull/"


def built_in(attempt: Attempt) -> dict[str, str]:
    """Return CircleCI's variables for this job."""
    source = attempt.source
    owner, _, name = source.repository.partition("/")
    variables = {
        "CI": "true",
        "CIRCLECI": "true",
        "CIRCLE_BUILD_URL": attempt.build_url,
        "CIRCLE_JOB": attempt.job_name,
        "CIRCLE_NODE_INDEX": "0",
        "CIRCLE_NODE_TOTAL": "1",
        "CIRCLE_PIPELINE_ID": attempt.pipeline,
        "CIRCLE_PROJECT_REPONAME": name,
        "CIRCLE_PROJECT_USERNAME": owner,
        "CIRCLE_REPOSITORY_URL": source.clone_url,
        "CIRCLE_SHA1": source.sha,
        "CIRCLE_SHELL_ENV": attempt.bash_env,
        "CIRCLE_USERNAME": source.author,
        "CIRCLE_WORKFLOW_ID": attempt.pipeline,
        "CIRCLE_WORKFLOW_JOB_ID": attempt.job,
        "CIRCLE_WORKING_DIRECTORY": attempt.working_directory,
    }
    variables.update(ref_variables(source.ref, source.clone_url))
    return {key: value for key, value in variables.items() if value}


def ref_variables(ref: str, clone_url: str) -> dict[str, str]:
    """Return the variables that depend on what kind of ref is built.

    >>> ref_variables("refs/heads/main", "https://x/o/r.git")
    {'CIRCLE_BRANCH': 'main'}
    >>> ref_variables("refs/pull/7", "https://x/o/r.git")["CIRCLE_PULL_REQUEST"]
    'https://x/o/r/pull/7'
    """
    if ref.startswith(_TAGS):
        return {"CIRCLE_TAG": ref[len(_TAGS) :]}
    if ref.startswith(_PULLS):
        number = ref[len(_PULLS) :].split("/", 1)[0]
        page = clone_url.removesuffix(".git")
        return {
            "CIRCLE_BRANCH": f"pull/{number}",
            "CIRCLE_PR_NUMBER": number,
            "CIRCLE_PULL_REQUEST": f"{page}/pull/{number}",
        }
    return {"CIRCLE_BRANCH": ref.removeprefix(_HEADS)}


def base_environment(attempt: Attempt, index: int) -> dict[str, str]:
    """Return what any process of the attempt needs. No TERM: a step's output is not a terminal."""
    return {
        "HOME": attempt.home,
        "USER": attempt.user,
        "LOGNAME": attempt.user,
        "LANG": "C.UTF-8",
        "PATH": _PATH,
        MARKER: attempt.marker(index),
    }


def step_environment(attempt: Attempt, step: Step) -> dict[str, str]:
    """Return all variables of a step: ours, CircleCI's, the job's, the step's, later ones stronger.

    `BASH_ENV` and the marker cannot be overridden by the job: kills and exports rely on them.
    """
    layers: tuple[Mapping[str, str], ...] = (
        base_environment(attempt, step.index),
        built_in(attempt),
        attempt.environment,
        step.environment,
        {"BASH_ENV": attempt.bash_env, MARKER: attempt.marker(step.index)},
    )
    merged: dict[str, str] = {}
    for layer in layers:
        merged.update(layer)
    return merged
