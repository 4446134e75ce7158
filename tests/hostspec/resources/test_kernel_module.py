"""Containers load no modules: a program in the place of modprobe(8) says that it did."""

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, apply
from chalicelib.hostspec.facts import Facts
from chalicelib.hostspec.resources import KernelModule
from chalicelib.shell import q, render, script
from chalicelib.transport import Transport
from tests.hostspec.life import live

MODULE = "berth_life"
LOADER = "/usr/local/sbin/modprobe"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_module_lives_on_a_host_that_says_it_is_loaded(machine: Transport) -> None:
    folder = f"/lib/modules/{machine.run('uname -r').stdout.decode().strip()}"
    loader = f"#!/bin/sh\nmkdir -p {folder}; echo kernel/$1.ko >{folder}/modules.builtin\n"
    machine.put(loader.encode(), LOADER, mode=0o755)

    live(
        machine,
        KernelModule(module=MODULE),
        KernelModule(module=MODULE, options={"time": "1"}),
        drift=[
            q("rm {path}", path=f"/etc/modprobe.d/berth-{MODULE}.conf"),
            q("rm {path}", path=f"/etc/modules-load.d/berth-{MODULE}.conf"),
            q("rm {path}", path=f"{folder}/modules.builtin"),
        ],
    )
    machine.run(q("rm -r {folder} {loader}", folder=folder, loader=LOADER))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_module_that_cannot_be_loaded_fails_and_is_taken_from_boot(machine: Transport) -> None:
    module = KernelModule(module="berth-nope")

    outcome = apply(Spec(module), machine).outcomes[0]
    gone = apply(Spec(KernelModule(module="berth_nope", absent=True)), machine)

    assert outcome.outcome is Outcome.FAILED
    assert "modprobe berth_nope" in outcome.command
    assert gone.outcomes[0].operation is Operation.REMOVE
    assert gone.ok


@pytest.mark.parametrize(
    ("said", "absent", "operation"),
    [
        (b"a users 0", True, Operation.REMOVE),
        (b"a users 1", True, Operation.NOTHING),
        (b"a builtin", True, Operation.NOTHING),
        (b"ab users 0\nx y z", True, Operation.NOTHING),
        (b"a users 0", False, Operation.CREATE),
    ],
)
def test_only_a_module_that_nothing_uses_is_unloaded(
    said: bytes, *, absent: bool, operation: Operation
) -> None:
    module = KernelModule(module="a", absent=absent)
    answers: dict[str, dict[str, object]] = {}
    for ask in module.asks():
        text = said if ask.fact.name == "modules" else b""
        answers.setdefault(ask.fact.name, {}).update(ask.fact.read(text, (ask.subject,)))

    assert module.operation(Facts(answers)) is operation


def test_it_is_loaded_only_if_the_kernel_has_it_not() -> None:
    text = render(script(*KernelModule(module="br-netfilter").actions()))

    assert "! [ -d /sys/module/br_netfilter ]" in text
    assert "modprobe br_netfilter" in text


@pytest.mark.parametrize(
    ("module", "options"), [("-r", {}), ("a b", {}), ("a", {"b c": ""}), ("a", {"b": "c d"})]
)
def test_what_is_no_module_is_refused(module: str, options: dict[str, str]) -> None:
    with pytest.raises(SpecError, match="kernel module"):
        KernelModule(module=module, options=options)
