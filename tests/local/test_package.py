"""The package holds what Lambda needs and no more, and is made again only where it changed."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local.package import Package, fingerprint, package

_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = {"BERTH_API_URL": "http://127.0.0.1:1"}
_FUNCTION = "AWS::Serverless::Function"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the application, so that nobody edits it meanwhile."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("chalicelib", "cloudformation", "stepfunctions"):
        shutil.copytree(_ROOT / name, copy / name)
    (copy / ".chalice").mkdir()
    for path in [
        *(_ROOT / ".chalice").glob("*.json"),
        _ROOT / "app.py",
        _ROOT / "requirements.txt",
    ]:
        shutil.copy(path, copy / path.relative_to(_ROOT))
    return copy


@pytest.fixture(scope="module")
def made(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The application, packaged."""
    return package(project, tmp_path_factory.mktemp("package"), _ENVIRONMENT)


def _names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


def test_the_archive_has_what_runs_in_lambda(made: Package) -> None:
    names = _names(made.archive)

    wanted = {"app.py", "chalice/app.py", "pynamodb/models.py", "pylxd/client.py"}
    assert wanted <= names
    assert {name for name in names if name.startswith("chalicelib/supervisor/")}


def test_the_archive_has_nothing_else(made: Package) -> None:
    foreign = ("chalicelib/local/", "chalicelib/cli/", "tests/", "boto3/", "botocore/", "../")

    wrong = [name for name in _names(made.archive) if name.startswith(foreign) or ".pyc" in name]

    assert not wrong


def test_the_archive_fits_the_platform(made: Package) -> None:
    assert made.archive.stat().st_size < 50_000_000


def test_every_function_has_its_settings_and_limits(made: Package) -> None:
    functions = {
        name: resource["Properties"]
        for name, resource in made.template["Resources"].items()
        if resource["Type"] == _FUNCTION
    }

    assert {"APIHandler", "PlanPipeline", "DispatchAttempt", "FinishJob", "Sweep"} <= set(functions)
    for name, properties in functions.items():
        variables = properties["Environment"]["Variables"]
        assert variables["BERTH_TABLE"] == {"Ref": "QueueTable"}, name
        assert variables["BERTH_API_URL"] == "http://127.0.0.1:1", name
        assert properties["MemorySize"] >= 256, name
        assert properties["Timeout"] >= 30, name


def test_the_state_machine_carries_its_definition(project: Path, made: Package) -> None:
    machine = made.template["Resources"]["RunJob"]["Properties"]["DefinitionString"]

    assert json.loads(machine) == json.loads(
        (project / "stepfunctions/run_job.asl.json").read_text()
    )


def test_equal_sources_make_an_equal_archive(project: Path, made: Package, tmp_path: Path) -> None:
    again = package(project, tmp_path, _ENVIRONMENT)

    assert again.digest == made.digest
    assert again.template == made.template


def test_libraries_are_not_packed_again_for_a_change_of_ours(project: Path, made: Package) -> None:
    folder = made.archive.parent
    (libraries,) = folder.glob("libraries-*.zip")
    before, source = libraries.stat().st_mtime_ns, project / "chalicelib/clock.py"
    original = source.read_text()

    source.write_text(original + "\n# changed\n")
    changed = package(project, folder, _ENVIRONMENT)
    source.write_text(original)

    assert changed.digest != made.digest
    assert libraries.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("app.py", True),
        ("chalicelib/supervisor/run.py", True),
        ("cloudformation/data.yaml", True),
        ("stepfunctions/run_job.asl.json", True),
        (".chalice/policy-api.json", True),
        ("requirements.txt", True),
        ("chalicelib/cli/main.py", False),
        ("chalicelib/local/stack.py", False),
    ],
)
def test_only_what_is_deployed_changes_the_fingerprint(
    project: Path, path: str, *, matters: bool
) -> None:
    file = project / path
    before, original = fingerprint(project, {}), file.read_bytes()

    file.write_bytes(original + b"\n")
    after = fingerprint(project, {})
    file.write_bytes(original)

    assert (after != before) == matters
    assert fingerprint(project, {}) == before


def test_settings_change_the_fingerprint(project: Path) -> None:
    assert fingerprint(project, {}) != fingerprint(project, {"BERTH_LEASE_S": "5"})


def test_a_broken_application_is_told_in_its_words(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(project, copy)
    (copy / "app.py").write_text("import nothing_of_that_name\n")

    with pytest.raises(LocalStackError, match="nothing_of_that_name"):
        package(copy, tmp_path / "package", {})


def test_a_function_without_a_policy_is_refused(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(project, copy)
    config = json.loads((copy / ".chalice/config.json").read_text())
    del config["lambda_functions"]["sweep"]
    config["iam_policy_file"] = "policy-api.json"
    (copy / ".chalice/config.json").write_text(json.dumps(config))

    with pytest.raises(LocalStackError, match="Sweep"):
        package(copy, tmp_path / "package", {})


@pytest.mark.parametrize(
    "path", sorted((_ROOT / ".chalice").glob("policy-*.json")), ids=lambda path: path.stem
)
def test_policies_name_actions_and_resources(path: Path) -> None:
    """Only the calls that Amazon cannot scope may be made on everything."""
    unscoped = {
        "ec2:DescribeInstances",
        "states:SendTaskHeartbeat",
        "states:SendTaskSuccess",
    }

    for statement in json.loads(path.read_text())["Statement"]:
        assert not [action for action in statement["Action"] if "*" in action]
        assert "*" not in statement["Resource"] or set(statement["Action"]) <= unscoped


@pytest.mark.parametrize(
    ("action", "functions"),
    [
        ("states:ListExecutions", {"sweep"}),
        ("states:StopExecution", {"sweep"}),
        ("ec2:TerminateInstances", {"sweep"}),
        ("lambda:InvokeFunction", {"api", "sweep"}),
        ("states:StartExecution", {"api", "dispatch", "end", "plan", "register", "sweep"}),
        ("s3:PutObject", {"api", "dispatch", "end", "plan", "sweep"}),
    ],
)
def test_what_a_service_calls_is_allowed_to_its_functions_alone(
    action: str, functions: set[str]
) -> None:
    """A job may be ended, and the next one claimed, wherever a pipeline is cancelled or moved on."""
    allowed = {
        path.stem.removeprefix("policy-")
        for path in (_ROOT / ".chalice").glob("policy-*.json")
        for statement in json.loads(path.read_text())["Statement"]
        if action in statement["Action"]
    }

    assert allowed == functions
