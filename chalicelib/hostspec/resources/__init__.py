"""The kinds of things that a host can be said to have, one file each."""

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
