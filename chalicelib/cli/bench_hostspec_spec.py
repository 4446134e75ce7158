"""The same forty resources of nine kinds, as a host spec, as pyinfra's and as Ansible's.

One table, from which each of the three is made, so that none can have less to do.
"""

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import (
    Cron,
    Directory,
    File,
    Group,
    Line,
    Link,
    Packages,
    Service,
    User,
)

__all__ = ["ansible_playbook", "berth_spec", "pyinfra_deploy", "resource_count"]

ROOT = "/srv/bench"
PACKAGES = ("cron", "jq", "less")
GROUPS = ("benchers", "builders", "watchers")
USERS = ("ada", "grace", "linus")
FOLDERS = ("", "/etc", "/bin", "/log", "/cache", "/data", "/data/a", "/data/b")
FILES = {f"{ROOT}/etc/part-{number}.conf": f"part = {number}\nlevel = 3\n" for number in range(12)}
LINKS = {f"{ROOT}/bin/tool-{number}": f"{ROOT}/etc/part-{number + 1}.conf" for number in range(4)}
LINES = ("alpha = 1", "beta = 2", "gamma = 3", "delta = 4")
LINES_FILE = f"{ROOT}/etc/part-0.conf"
SERVICES = ("ssh.service", "dbus.service")
MINUTE, HOUR = "15", "3"


def resource_count() -> int:
    """Return how many resources each of the three has."""
    return len(berth_spec().resources)


def berth_spec() -> Spec:
    """Return them as a host spec."""
    return Spec(
        [Packages(names=(name,)) for name in PACKAGES],
        [Group(group=name) for name in GROUPS],
        [User(user=name, groups=("benchers",)) for name in USERS],
        [Directory(path=f"{ROOT}{folder}") for folder in FOLDERS],
        [File(path=path, content=content) for path, content in FILES.items() if path != LINES_FILE],
        [Link(path=path, target=target) for path, target in LINKS.items()],
        [Line(path=LINES_FILE, text=line) for line in LINES],
        [Service(unit=name) for name in SERVICES],
        Cron(id="bench", run="true", minute=MINUTE, hour=HOUR),
    )


def pyinfra_deploy() -> str:
    """Return them as a deploy of pyinfra, which its command runs."""
    table = {
        "packages": PACKAGES,
        "groups": GROUPS,
        "users": USERS,
        "folders": [f"{ROOT}{folder}" for folder in FOLDERS],
        "files": {path: text for path, text in FILES.items() if path != LINES_FILE},
        "links": LINKS,
        "lines": LINES,
        "lines_file": LINES_FILE,
        "services": SERVICES,
        "cron": {"minute": MINUTE, "hour": HOUR},
    }
    return f"import json\nfrom io import StringIO\n\ntable = json.loads({json.dumps(table)!r})\n{_PYINFRA}"


_PYINFRA = """
from pyinfra.operations import apt, crontab, files, server, systemd

for name in table["packages"]:
    apt.packages(packages=[name])
for name in table["groups"]:
    server.group(group=name)
for name in table["users"]:
    server.user(user=name, groups=["benchers"], create_home=True, home=f"/home/{name}")
for path in table["folders"]:
    files.directory(path=path, mode="755", user="root", group="root")
for path, text in table["files"].items():
    files.put(src=StringIO(text), dest=path, mode="644", user="root", group="root")
for path, target in table["links"].items():
    files.link(path=path, target=target)
for line in table["lines"]:
    files.line(path=table["lines_file"], line=line, ensure_newline=True)
for name in table["services"]:
    systemd.service(service=name, running=True, enabled=True)
crontab.crontab("true", cron_name="bench", **table["cron"])
"""


def ansible_playbook() -> str:
    """Return them as a playbook, which is JSON and so YAML too."""
    tasks = [
        *_tasks("apt", [{"name": name} for name in PACKAGES]),
        *_tasks("group", [{"name": name} for name in GROUPS]),
        *_tasks("user", [{"name": n, "groups": ["benchers"], "append": True} for n in USERS]),
        *_tasks("file", [_folder(f"{ROOT}{folder}") for folder in FOLDERS]),
        *_tasks("copy", [_file(p, t) for p, t in FILES.items() if p != LINES_FILE]),
        *_tasks("file", [{"path": p, "src": t, "state": "link"} for p, t in LINKS.items()]),
        *_tasks("lineinfile", [_line(line) for line in LINES]),
        *_tasks("systemd", [{"name": n, "state": "started", "enabled": True} for n in SERVICES]),
        *_tasks("cron", [{"name": "bench", "job": "true", "minute": MINUTE, "hour": HOUR}]),
    ]
    return json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}], indent=1)


def _tasks(module: str, arguments: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    return [
        {"name": f"{module} {number}", f"ansible.builtin.{module}": given}
        for number, given in enumerate(arguments)
    ]


def _folder(path: str) -> dict[str, Any]:
    return {"path": path, "state": "directory", "mode": "0755", "owner": "root", "group": "root"}


def _file(path: str, text: str) -> dict[str, Any]:
    return {"dest": path, "content": text, "mode": "0644", "owner": "root", "group": "root"}


def _line(line: str) -> dict[str, Any]:
    return {"path": LINES_FILE, "line": line, "create": True}
