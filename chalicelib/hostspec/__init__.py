"""What a host must look like, as frozen values; looked at, planned and applied over a transport.

Nothing in this package knows of CI. Kinds of resources are in `resources`, ready-made groups of
them in `crates`.

>>> from chalicelib.hostspec import Spec
>>> from chalicelib.hostspec.resources import Directory, File
>>> spec = Spec(Directory(path="/srv/app"), File(path="/srv/app/motto", content="ship it"))
>>> [each.name for each in spec.resources]
['directory /srv/app', 'file /srv/app/motto']
"""

from chalicelib.hostspec.graph import Vertex, dependants, dependencies, in_order
from chalicelib.hostspec.hosts import apply, audit, carry_out, look
from chalicelib.hostspec.plan import Plan, PlannedChange, everything, make_plan
from chalicelib.hostspec.report import Outcome, Report, ResourceOutcome
from chalicelib.hostspec.resource import Difference, Operation, Resource
from chalicelib.hostspec.spec import Part, Spec
from chalicelib.hostspec.system import SYSTEM, System

__all__ = [
    "SYSTEM",
    "Difference",
    "Operation",
    "Outcome",
    "Part",
    "Plan",
    "PlannedChange",
    "Report",
    "Resource",
    "ResourceOutcome",
    "Spec",
    "System",
    "Vertex",
    "apply",
    "audit",
    "carry_out",
    "dependants",
    "dependencies",
    "everything",
    "in_order",
    "look",
    "make_plan",
]
