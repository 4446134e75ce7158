"""Whole specs as Hypothesis draws them: of all kinds, with references, and with all they stand on."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from hypothesis import strategies as st

from chalicelib.hostspec import Resource
from chalicelib.hostspec.resources import (
    CaCertificate,
    Command,
    Cron,
    Directory,
    Firewall,
    Group,
    Limit,
    Packages,
    Repository,
    Service,
    SudoRule,
    Sysctl,
    Timer,
    Unit,
    User,
)
from tests.hostspec.anything.accounts import (
    LIMITED,
    any_cron,
    any_group,
    any_limit,
    any_ssh_key,
    any_sudo_rule,
    any_user,
)
from tests.hostspec.anything.certificates import CERTIFICATES
from tests.hostspec.anything.choices import (
    FOLDERS,
    GROUPS,
    HOMES,
    REPOSITORIES,
    ROOT,
    UNITS,
    USERS,
    Made,
)
from tests.hostspec.anything.files import (
    any_command,
    any_directory,
    any_file,
    any_ini_setting,
    any_line,
    any_link,
    any_tls_certificate,
)
from tests.hostspec.anything.system import (
    SYSCTLS,
    any_ca_certificate,
    any_firewall,
    any_hostname,
    any_packages,
    any_repository,
    any_sysctl,
    any_timezone,
)
from tests.hostspec.anything.units import TASK_TIMER, any_service, any_timer, any_unit, unit_of

__all__ = ["everything_gone", "specs"]

_KINDS: tuple[Callable[[], Made], ...] = (
    any_directory,
    any_file,
    any_link,
    any_line,
    any_ini_setting,
    any_group,
    any_user,
    any_limit,
    any_cron,
    any_sysctl,
    any_unit,
    any_service,
    any_timer,
    any_ssh_key,
    any_sudo_rule,
    any_packages,
    any_repository,
    any_hostname,
    any_timezone,
    any_ca_certificate,
    any_tls_certificate,
    any_command,
    any_firewall,
)

_BASE = (
    Directory(path=ROOT, mode=0o1777),
    Directory(path=HOMES),
    Directory(path=f"{ROOT}/made", mode=0o777),
)


@st.composite
def specs(draw: st.DrawFn) -> list[Resource]:
    """Draw the resources of a spec.

    Some of them react to others. What one of them stands on is there, or is made: its folder, user,
    group, unit or repository. So few are refused that all kinds meet often.
    """
    drawn = _kept(draw(_resources()))
    gone = draw(st.sets(st.sampled_from((*GROUPS, *USERS))))
    whole = _kept(_completed(drawn, gone))
    named = [each.name for each in whole if not each.absent]
    chosen = st.lists(st.sampled_from(named), max_size=2, unique=True) if named else st.just([])
    made: list[Resource] = [*_BASE]
    for each in whole:
        reacts = isinstance(each, Service | Command) and not each.absent
        causes = [name for name in (draw(chosen) if reacts else []) if name != each.name]
        made.append(replace(each, on_change_of=tuple(causes)) if causes else each)
    return made


def _kept(drawn: Sequence[Resource]) -> list[Resource]:
    """Return the same, without the removal of what another one stands on."""
    found = list(drawn)
    while True:
        wanted = {what for each in found if not each.absent for what in (*each.wants, *each.needs)}
        again = [
            replace(each, absent=False) if each.absent and wanted & _offered(each) else each
            for each in found
        ]
        if again == found:
            return found
        found = again


def _offered(resource: Resource) -> set[str]:
    """Return what others may want of a resource; if it is to be removed, also what it had."""
    staying = replace(resource, absent=False)
    return {staying.name, *staying.provides, *staying.shares}


def _completed(drawn: Sequence[Resource], gone: AbstractSet[str]) -> list[Resource]:
    """Return them with what they may stand on: there if one of them does, else to be removed.

    All that may run is always said: a process of a user hinders the removal of the user.
    """
    named = {each.name for each in drawn}
    wanted = {what for each in drawn if not each.absent for what in (*each.wants, *each.needs)}
    folders = [Directory(path=path, with_content=True) for path in FOLDERS]
    others = [
        *(Group(group=name, absent=name in gone) for name in GROUPS),
        *(User(user=name, home=f"{HOMES}/{name}", absent=name in gone) for name in USERS),
        *(each for each in folders if wanted & _offered(each)),
        *(replace(each, absent=not wanted & _offered(each)) for each in _fallbacks()),
    ]
    return [*(each for each in others if each.name not in named), *drawn]


def _resources() -> st.SearchStrategy[list[Resource]]:
    """Return what draws some resources, of which no two have one name."""
    each = st.one_of(*(kind() for kind in _KINDS))
    return st.lists(each, max_size=10, unique_by=lambda made: made.name)


def _fallbacks() -> tuple[Resource, ...]:
    """Return what some resources stand on, and which is removed if none does."""
    units = [unit_of(name, "root", at_boot=True, absent=False) for name in UNITS]
    more = Repository(repository="any-more", url=f"file:{REPOSITORIES[1]}", unsigned=True)
    return (*units, TASK_TIMER, more)


def everything_gone() -> tuple[Resource, ...]:
    """Return the removal of all that may have been made."""
    units = (*_fallbacks(), *(Service(unit=name) for name in (*UNITS, TASK_TIMER.unit)))
    packages = Packages(names=("any-hull", "any-oar", "any-sail"), purge=True)
    made: tuple[Resource, ...] = (
        *units,
        *(Unit(unit=name, drop_in="more", sections={"Service": []}) for name in UNITS),
        Timer(id="any-tick", run=["/bin/true"], calendar="daily"),
        *(Cron(id=name, run="true") for name in ("any-one", "any-two")),
        *(SudoRule(rule=name, user="root") for name in ("any-one", "any-two")),
        *(Limit(domain=who, item="nofile", soft=1) for who in LIMITED),
        *(Sysctl(key=key, value=0) for key in SYSCTLS),
        CaCertificate(id="any", pem=CERTIFICATES[0]),
        Firewall(table="berth_any"),
        packages,
        *(User(user=name, home=f"{HOMES}/{name}") for name in USERS),
        *(Group(group=name) for name in (*GROUPS, *USERS)),
        Directory(path=ROOT, with_content=True),
    )
    free = Service(unit="any-ghost", running=False, enabled=False)
    return (free, *(replace(each, absent=True, needs=()) for each in made))
