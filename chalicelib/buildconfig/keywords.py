"""The words of the language, as literal tables: which are carried out, which are only known.

A word in `…_SUPPORTED` is compiled. One in `…_KNOWN` is CircleCI's, and gets "not supported yet".
Any other is refused as unknown. Source: <https://circleci.com/docs/configuration-reference/> and
the schema beside it (2026-08).
"""

__all__ = [
    "CHECKOUT_KNOWN",
    "CHECKOUT_SUPPORTED",
    "DOCKER_KNOWN",
    "DOCKER_SUPPORTED",
    "JOB_KNOWN",
    "JOB_SUPPORTED",
    "MACHINE_KNOWN",
    "RUN_KNOWN",
    "RUN_SUPPORTED",
    "STEPS_KNOWN",
    "TOP_KNOWN",
    "TOP_SUPPORTED",
    "WORKFLOW_JOB_KNOWN",
    "WORKFLOW_JOB_SUPPORTED",
    "WORKFLOW_KNOWN",
    "WORKFLOW_SUPPORTED",
]

TOP_SUPPORTED = frozenset({"version", "environment", "jobs", "workflows"})
TOP_KNOWN = frozenset(
    {
        "commands",
        "description",
        "executors",
        "experimental",
        "job-groups",
        "notify",
        "orbs",
        "parameters",
        "setup",
    }
)

JOB_SUPPORTED = frozenset({"docker", "environment", "machine", "steps", "working_directory"})
JOB_KNOWN = frozenset(
    {
        "branches",
        "circleci_ip_ranges",
        "description",
        "executor",
        "macos",
        "parallelism",
        "parameters",
        "plan_name",
        "resource_class",
        "retention",
        "serial-group",
        "shell",
        "type",
        "windows",
    }
)

DOCKER_SUPPORTED = frozenset({"image"})
DOCKER_KNOWN = frozenset(
    {"auth", "aws_auth", "command", "entrypoint", "environment", "name", "user"}
)

MACHINE_KNOWN = frozenset({"docker_layer_caching", "enabled", "image", "resource_class"})

CHECKOUT_SUPPORTED = frozenset({"name", "path"})
CHECKOUT_KNOWN = frozenset({"method", "when"})

RUN_SUPPORTED = frozenset(
    {"command", "environment", "name", "no_output_timeout", "when", "working_directory"}
)
RUN_KNOWN = frozenset(
    {"auto_rerun_delay", "background", "max_auto_reruns", "shell", "skip_if_already_run"}
)

STEPS_KNOWN = frozenset(
    {
        "add_ssh_keys",
        "attach_workspace",
        "deploy",
        "install_signing_bundle",
        "persist_to_workspace",
        "restore-cache",
        "restore_cache",
        "save-cache",
        "save_cache",
        "setup_remote_docker",
        "store-artifacts",
        "store_artifacts",
        "store_test_results",
        "unless",
        "when",
    }
)

WORKFLOW_SUPPORTED = frozenset({"jobs"})
WORKFLOW_KNOWN = frozenset({"max_auto_reruns", "triggers", "unless", "when"})

WORKFLOW_JOB_SUPPORTED = frozenset({"requires"})
WORKFLOW_JOB_KNOWN = frozenset(
    {
        "context",
        "filters",
        "matrix",
        "name",
        "override-with",
        "post-steps",
        "pre-steps",
        "serial-group",
        "type",
    }
)
