"""The sshd that tests connect to: the one of `./berth bench shell`."""

from chalicelib.local.sshd import Sshd, make_key, running_agent, running_sshd

__all__ = ["Sshd", "make_key", "running_agent", "running_sshd"]
