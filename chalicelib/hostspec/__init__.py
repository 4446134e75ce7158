"""What a host should be, as frozen values. So far: the order in which resources are applied.

Nothing in this package knows of CI.
"""

from chalicelib.hostspec.graph import Vertex, dependants, dependencies, in_order

__all__ = ["Vertex", "dependants", "dependencies", "in_order"]
