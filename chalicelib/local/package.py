"""Packages the application as `chalice package --merge-template` does, for the local AWS.

Chalice runs on a copy that leaves out what Lambda must not get (`local`, `cli`, compiled files).
The libraries are zipped once per set of pins, from the virtual environment that has exactly those;
a change of our own code only adds our files to a copy of that archive. Everything is dated alike,
so equal sources make an equal archive.
"""

import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml

from chalicelib.errors import LocalStackError
from chalicelib.shell import command
from chalicelib.transport import InFolder, LocalTransport

__all__ = ["Package", "fingerprint", "package"]

_MOMENT = (2000, 1, 1, 0, 0, 0)
_LEFT_OUT = {"local", "cli", "simulation", "__pycache__"}
# Lambda's own runtime has them, and so has the emulator's: 16 of 26 MB of the archive.
_IN_THE_RUNTIME = {"boto3", "botocore", "s3transfer"}
_TAIL_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A template and the archive that its functions run.

    Attributes:
        template: CloudFormation with the SAM transform; `CodeUri` still names a local file.
        archive: the zip file.
        digest: SHA-256 of the archive, in hexadecimal.
    """

    template: Mapping[str, Any]
    archive: Path
    digest: str


def fingerprint(root: Path, environment: Mapping[str, str]) -> str:
    """Return a digest of all that a deployment is made from; equal digests need no deployment."""
    digest = hashlib.sha256(json.dumps(dict(environment), sort_keys=True).encode())
    digest.update(sys.version.encode() + Path(__file__).read_bytes())
    for path in _inputs(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def package(root: Path, folder: Path, environment: Mapping[str, str]) -> Package:
    """Package the application at `root` into `folder`; `environment` goes to every function.

    Safe to repeat; what has not changed is taken from `folder`.

    Raises:
        LocalStackError: Chalice refuses the application; says why.
    """
    project = folder / "project"
    _stage(root, project)
    libraries = _libraries(root, folder)
    template = _template(root, project, environment)
    archive = folder / "deployment.zip"
    shutil.copyfile(libraries, archive)
    with (
        zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as target,
        zipfile.ZipFile(project / "packaged/deployment.zip") as made,
    ):
        for name in sorted(made.namelist()):
            _add(target, name, made.read(name))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return Package(template=template, archive=archive, digest=digest)


def _inputs(root: Path) -> Iterable[Path]:
    singles = [root / "app.py", root / "requirements.txt"]
    folders = (".chalice/*.json", "cloudformation/data.yaml", "cloudformation/workflows.yaml")
    patterns = (*folders, "stepfunctions/*.asl.json")
    found = [path for pattern in patterns for path in root.glob(pattern)]
    return [*singles, *sorted([*found, *_sources(root)])]


def _sources(root: Path) -> list[Path]:
    library = root / "chalicelib"
    return sorted(
        path
        for path in library.rglob("*")
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(library).parts)
    )


def _stage(root: Path, project: Path) -> None:
    shutil.rmtree(project, ignore_errors=True)
    (project / ".chalice").mkdir(parents=True)
    for path in (root / ".chalice").glob("*.json"):
        shutil.copy(path, project / ".chalice")
    for path in [root / "app.py", *_sources(root)]:
        target = project / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (project / "requirements.txt").touch()  # the libraries are added to the archive afterwards


def _libraries(root: Path, folder: Path) -> Path:
    """Return the archive of the pinned libraries, made if there is none for these pins."""
    pins = (root / "requirements.txt").read_text()
    mark = hashlib.sha256(f"{pins}{sys.version}{_IN_THE_RUNTIME}".encode()).hexdigest()[:16]
    archive = folder / f"libraries-{mark}.zip"
    if archive.exists():
        return archive
    for old in folder.glob("libraries-*"):
        old.unlink()
    names = re.findall(r"^([A-Za-z0-9._-]+)==", pins, re.MULTILINE)
    part = archive.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as target:
        for name in names:
            if name.lower() not in _IN_THE_RUNTIME:
                _add_distribution(target, name)
    part.rename(archive)
    return archive


def _add_distribution(target: zipfile.ZipFile, name: str) -> None:
    for file in distribution(name).files or ():
        inside = not file.is_absolute() and ".." not in file.parts
        if inside and file.suffix != ".pyc" and (path := Path(str(file.locate()))).is_file():
            _add(target, file.as_posix(), path.read_bytes())


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    target.writestr(entry, content)


def _template(root: Path, project: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    configured = json.loads((root / ".chalice/config.json").read_text())["lambda_functions"]
    functions = [_logical_id(name) for name in configured]
    merge = project / "merge.json"
    merge.write_text(json.dumps(_merged(root, functions, environment), sort_keys=True))
    template = _run_chalice(project, merge)
    made = {
        name
        for name, resource in template["Resources"].items()
        if resource.get("Type", "AWS::Serverless::Function") == "AWS::Serverless::Function"
    }
    untyped = {name for name in functions if "Type" not in template["Resources"][name]}
    if unlike := (made ^ set(functions)) | untyped:
        raise LocalStackError(
            reason=f"app.py and .chalice/config.json differ in {', '.join(sorted(unlike))}",
            cure="list each function of app.py under lambda_functions, with its policy",
        )
    return template


def _logical_id(function: str) -> str:
    """Return the name that Chalice gives the function in its template."""
    if function == "api_handler":
        return "APIHandler"
    return "".join(word.capitalize() for word in function.split("_"))


def _merged(root: Path, functions: Iterable[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return data and workflow templates as one, with the variables of each function."""
    data = yaml.safe_load((root / "cloudformation/data.yaml").read_text())
    workflows = yaml.safe_load((root / "cloudformation/workflows.yaml").read_text())
    machine = json.loads((root / "stepfunctions/run_job.asl.json").read_text())
    workflows["Resources"]["RunJob"]["Properties"]["DefinitionString"] = json.dumps(machine)
    variables = {
        name: {"Properties": {"Environment": {"Variables": _variables(name, environment)}}}
        for name in functions
    }
    return {
        "Description": "Berth",
        "Parameters": {**data.get("Parameters", {}), **workflows.get("Parameters", {})},
        "Resources": {**data["Resources"], **workflows["Resources"], **variables},
        "Outputs": {
            **data["Outputs"],
            **workflows["Outputs"],
            "PlanFunction": {"Value": {"Ref": "PlanPipeline"}},
        },
    }


def _variables(function: str, environment: Mapping[str, str]) -> dict[str, Any]:
    machine = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine"
    variables: dict[str, Any] = {
        "BERTH_TABLE": {"Ref": "QueueTable"},
        "BERTH_BUCKET": {"Ref": "DataBucket"},
        "BERTH_SECRET": {"Ref": "AppSecret"},
        # Not by reference: the machine's tasks are these functions.
        "BERTH_RUN_JOB_ARN": {"Fn::Sub": machine + ":${AWS::StackName}-run-job"},
    }
    if function != "PlanPipeline":
        variables["BERTH_PLAN_FUNCTION"] = {"Ref": "PlanPipeline"}
    return {**variables, **environment}


def _run_chalice(project: Path, merge: Path) -> dict[str, Any]:
    chalice = Path(sys.executable).with_name("chalice")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**kept, "AWS_DEFAULT_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1"}
    packing = command(chalice, "package", "--merge-template", merge, "packaged")
    here = InFolder(LocalTransport(environment=environment), str(project))
    done = here.run(packing, check=False)
    if not done.ok:
        said = (done.stdout + done.stderr).decode(errors="replace")
        lines = said.splitlines()[-_TAIL_LINES:]
        raise LocalStackError(
            reason="\n  ".join(["chalice cannot package the application:", *lines]),
            cure="repair what it names; ./berth check finds most of it",
        )
    template: dict[str, Any] = json.loads((project / "packaged/sam.json").read_text())
    return template
