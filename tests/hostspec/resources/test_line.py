import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Spec, audit
from chalicelib.hostspec.resources import File, Line
from chalicelib.hostspec.resources.edits import starting, with_field
from chalicelib.hostspec.text import plan_text
from chalicelib.shell import Secret, q, redirect, write_to
from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.life import apply_well, live

PATH = "/srv/lines"
FOREIGN = "a\r\nPort2 1\n# Port 3\n\n" + "x" * 5000


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_line_lives_among_others(machine: Transport) -> None:
    machine.put(FOREIGN.encode(), PATH)
    twice = redirect(q("printf {text}", text="Port 1\nPort 2\n"), write_to(PATH))

    live(
        machine,
        Line(path=PATH, text="Port 22", instead_of="Port "),
        Line(path=PATH, text="Port  23", instead_of="Port "),
        drift=[q("sed -i {edit} {path}", edit="s/^Port .*/Port 24/", path=PATH)],
    )

    assert machine.get(PATH) == f"{FOREIGN}\n".encode()
    live(
        machine,
        Line(path=PATH, text="a b c", instead_of=with_field(2, "b")),
        Line(path=PATH, text="A  b", instead_of=with_field(2, "b")),
        drift=[twice, q("rm {path}", path=PATH)],
    )
    machine.run(q("rm {path}", path=PATH))


def test_a_line_of_a_file_is_added_after_the_file_is_made(tmp_path: object) -> None:
    path = f"{tmp_path}/a/b"

    apply_well(LocalTransport(), Line(path=f"{tmp_path}/c", text="x", mode=0o600))
    spec = Spec(Line(path=path, text="x"), File(path=path, content="y\n"))

    assert [each.kind for each in spec.resources] == ["file", "line"]


def test_a_secret_line_is_in_no_plan(tmp_path: object) -> None:
    path = f"{tmp_path}/c"
    apply_well(LocalTransport(), Line(path=path, text=Secret("p=marlin"), instead_of="p="))

    other = Line(path=path, text=Secret("p=swordfish"), instead_of="p=")
    plan = audit(Spec(other), LocalTransport())

    assert "fish" not in repr(plan) + plan_text(plan, host="h") + other.name
    assert "marlin" not in repr(plan) + plan_text(plan, host="h")


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 200_000, Secret("a")], ids=repr)
def test_what_is_no_line_is_refused(text: str | Secret) -> None:
    with pytest.raises(SpecError):
        Line(path="/a", text=text)


def test_what_starts_so_is_said_in_two_ways() -> None:
    one = Line(path="/a", text="b", instead_of="c")

    assert one.name == Line(path="/a", text="d", instead_of=starting("c")).name
