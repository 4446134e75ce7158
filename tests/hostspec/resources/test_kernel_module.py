"""On a kernel of its own: containers load no modules, and this machine's kernel may have none."""

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, apply
from chalicelib.hostspec.facts import Facts
from chalicelib.hostspec.resources import KernelModule
from chalicelib.shell import q, render, script
from chalicelib.transport import Transport
from tests.hostspec.life import live

MODULE = "dummy"
"""A network device that goes nowhere."""


@pytest.mark.timeout(120)
def test_a_module_lives(kernel: Transport) -> None:
    live(
        kernel,
        KernelModule(module=MODULE),
        KernelModule(module=MODULE, options={"numdummies": "2"}),
        drift=[
            q("rm {path}", path=f"/etc/modprobe.d/zz-berth-{MODULE}.conf"),
            q("rm {path}", path=f"/etc/modules-load.d/berth-{MODULE}.conf"),
            q("modprobe -r {module}", module=MODULE),
        ],
    )

    assert MODULE not in kernel.run("cat /proc/modules").text


@pytest.mark.timeout(120)
def test_a_module_is_loaded_with_its_options_whatever_the_system_says_of_it(
    kernel: Transport,
) -> None:
    """Debian's systemd brings `options dummy numdummies=0`."""
    module = KernelModule(module=MODULE, options={"numdummies": "3"})
    try:
        assert apply(Spec(module), kernel).ok

        assert len(kernel.run("find /sys/class/net -name 'dummy*'").lines) == 3
    finally:
        assert apply(Spec(KernelModule(module=MODULE, absent=True)), kernel).ok


@pytest.mark.timeout(120)
def test_a_module_that_cannot_be_loaded_fails_and_is_taken_from_boot(kernel: Transport) -> None:
    module = KernelModule(module="berth-nope")

    outcome = apply(Spec(module), kernel).outcomes[0]
    gone = apply(Spec(KernelModule(module="berth_nope", absent=True)), kernel)

    assert outcome.outcome is Outcome.FAILED
    assert "modprobe berth_nope" in outcome.command
    assert "berth_nope not found" in outcome.tail
    assert gone.outcomes[0].operation is Operation.REMOVE
    assert gone.ok


@pytest.mark.timeout(120)
def test_a_module_of_which_another_makes_use_stays_loaded(kernel: Transport) -> None:
    kernel.run("modprobe br_netfilter")
    try:
        report = apply(Spec(KernelModule(module="bridge", absent=True)), kernel)

        assert report.outcomes[0].operation is Operation.NOTHING
        assert "bridge" in kernel.run("cat /proc/modules").text
    finally:
        kernel.run("modprobe -r br_netfilter")


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
