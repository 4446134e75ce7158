"""The kinds of things that a host can be said to have, one file each.

A file is imported when a kind of it is first used: a spec rarely has them all, and each start of a
program, and each cold start of a function, would pay for all (60 ms of the 400 that a whole
`./berth host audit` takes, measured 2026-11-26).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.hostspec.resources.ca_certificate import CaCertificate
    from chalicelib.hostspec.resources.command import Command
    from chalicelib.hostspec.resources.cron import Cron
    from chalicelib.hostspec.resources.directory import Directory
    from chalicelib.hostspec.resources.file import Download, File, template
    from chalicelib.hostspec.resources.filesystem import Filesystem
    from chalicelib.hostspec.resources.filesystem_settings import BtrfsCompression, Ext4Settings
    from chalicelib.hostspec.resources.firewall import Firewall
    from chalicelib.hostspec.resources.firewall_rules import Rule
    from chalicelib.hostspec.resources.group import Group
    from chalicelib.hostspec.resources.hostname import Hostname
    from chalicelib.hostspec.resources.ini_setting import IniSetting
    from chalicelib.hostspec.resources.kernel_module import KernelModule
    from chalicelib.hostspec.resources.limit import Limit
    from chalicelib.hostspec.resources.line import Line
    from chalicelib.hostspec.resources.link import Link
    from chalicelib.hostspec.resources.lxd_golden import LxdGolden
    from chalicelib.hostspec.resources.lxd_image import LxdImage
    from chalicelib.hostspec.resources.lxd_network import LxdNetwork
    from chalicelib.hostspec.resources.lxd_network_acl import LxdNetworkAcl
    from chalicelib.hostspec.resources.lxd_profile import LxdProfile
    from chalicelib.hostspec.resources.lxd_project import LxdProject
    from chalicelib.hostspec.resources.lxd_server import LxdServer
    from chalicelib.hostspec.resources.lxd_storage_pool import LxdStoragePool
    from chalicelib.hostspec.resources.mount import Mount
    from chalicelib.hostspec.resources.packages import Packages
    from chalicelib.hostspec.resources.repository import Repository
    from chalicelib.hostspec.resources.service import Service
    from chalicelib.hostspec.resources.ssh_key import SshKey
    from chalicelib.hostspec.resources.sudo_rule import SudoRule
    from chalicelib.hostspec.resources.swap import Swap
    from chalicelib.hostspec.resources.sysctl import Sysctl
    from chalicelib.hostspec.resources.timer import Timer
    from chalicelib.hostspec.resources.timezone import Timezone
    from chalicelib.hostspec.resources.tls_certificate import TlsCertificate
    from chalicelib.hostspec.resources.unit import Unit
    from chalicelib.hostspec.resources.user import User
    from chalicelib.hostspec.resources.volume import ebs_device

__all__ = [
    "BtrfsCompression",
    "CaCertificate",
    "Command",
    "Cron",
    "Directory",
    "Download",
    "Ext4Settings",
    "File",
    "Filesystem",
    "Firewall",
    "Group",
    "Hostname",
    "IniSetting",
    "KernelModule",
    "Limit",
    "Line",
    "Link",
    "LxdGolden",
    "LxdImage",
    "LxdNetwork",
    "LxdNetworkAcl",
    "LxdProfile",
    "LxdProject",
    "LxdServer",
    "LxdStoragePool",
    "Mount",
    "Packages",
    "Repository",
    "Rule",
    "Service",
    "SshKey",
    "SudoRule",
    "Swap",
    "Sysctl",
    "Timer",
    "Timezone",
    "TlsCertificate",
    "Unit",
    "User",
    "ebs_device",
    "template",
]

_FILES = {
    "BtrfsCompression": "filesystem_settings",
    "CaCertificate": "ca_certificate",
    "Command": "command",
    "Cron": "cron",
    "Directory": "directory",
    "Download": "file",
    "Ext4Settings": "filesystem_settings",
    "File": "file",
    "Filesystem": "filesystem",
    "Firewall": "firewall",
    "Group": "group",
    "Hostname": "hostname",
    "IniSetting": "ini_setting",
    "KernelModule": "kernel_module",
    "Limit": "limit",
    "Line": "line",
    "Link": "link",
    "LxdGolden": "lxd_golden",
    "LxdImage": "lxd_image",
    "LxdNetwork": "lxd_network",
    "LxdNetworkAcl": "lxd_network_acl",
    "LxdProfile": "lxd_profile",
    "LxdProject": "lxd_project",
    "LxdServer": "lxd_server",
    "LxdStoragePool": "lxd_storage_pool",
    "Mount": "mount",
    "Packages": "packages",
    "Repository": "repository",
    "Rule": "firewall_rules",
    "Service": "service",
    "SshKey": "ssh_key",
    "SudoRule": "sudo_rule",
    "Swap": "swap",
    "Sysctl": "sysctl",
    "Timer": "timer",
    "Timezone": "timezone",
    "TlsCertificate": "tls_certificate",
    "Unit": "unit",
    "User": "user",
    "ebs_device": "volume",
    "template": "file",
}


def __getattr__(name: str) -> Any:
    """Return a kind of resource, its file imported."""
    if name not in _FILES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
