"""What was found of an attempt on its host, as one sentence for people.

Rule of this file: pure. The drivers look, this says.
"""

from dataclasses import dataclass

__all__ = ["Findings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a host knows of one attempt.

    Attributes:
        supervisor_alive: its supervisor runs.
        container: LXD's word for its state, such as `Running`; empty when there is none.
        disk_full: the host has next to no room left for containers or for attempts' files.
        killed_for_memory: name of a program in the container that the kernel killed, or empty.
    """

    supervisor_alive: bool
    container: str
    disk_full: bool = False
    killed_for_memory: str = ""

    def sentence(self) -> str:
        """Return what is wrong, or the empty string when nothing is.

        >>> Findings(supervisor_alive=False, container="Running").sentence()
        'its supervisor is gone'
        >>> Findings(supervisor_alive=True, container="Running").sentence()
        ''
        """
        wrong = []
        if not self.supervisor_alive:
            wrong.append("its supervisor is gone")
        if self.container != "Running":
            state = self.container.lower()
            wrong.append(f"its container is {state}" if state else "its container is gone")
        if self.killed_for_memory:
            wrong.append(f"the kernel killed {self.killed_for_memory} in it for want of memory")
        if self.disk_full:
            wrong.append("the host's disk is full")
        return "; ".join(wrong)
