"""Templates: constant text, named placeholders, every value quoted."""

from dataclasses import dataclass

import pytest

from chalicelib.errors import ShellError
from chalicelib.shell import Secret, explain, output, q, q_chain, ref, render


@dataclass(frozen=True)
class _Value:
    """An interpolation as PEP 750 has it."""

    value: object
    conversion: str | None = None
    format_spec: str = ""


@dataclass(frozen=True)
class _Template:
    """A t-string as PEP 750 has it: one text more than values."""

    strings: tuple[str, ...]
    interpolations: tuple[_Value, ...]


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("git log -1 {commit}", {"commit": "; rm -rf /"}, "git log -1 '; rm -rf /'"),
        ("ls {files}", {"files": ["a", "b c"]}, "ls a 'b c'"),
        ("ls --path={p}x", {"p": "a b"}, "ls '--path=a bx'"),
        ("echo 'a | b' \"it's\" ''", {}, "echo 'a | b' 'it'\"'\"'s' ''"),
        ("echo {{}}", {}, "echo '{}'"),
        ("echo {x}{x}", {"x": 1}, "echo 11"),
        ("echo {x}", {"x": ref("y")}, 'echo "${y}"'),
        ("echo a{x}", {"x": output(q("ls"))}, 'echo a"$(ls)"'),
    ],
)
def test_values_are_put_in_quoted(template: str, values: dict[str, object], text: str) -> None:
    assert render(q(template, **values)) == text


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("a '{x}'", {"x": 1}),
        ('a "b{x}"', {"x": 1}),
        ("a {x}", {}),
        ("a", {"x": 1}),
        ("a {}", {"x": 1}),
        ("a {0}", {"x": 1}),
        ("a {x.real}", {"x": 1}),
        ("a {x!r}", {"x": 1}),
        ("a {x:>3}", {"x": 1}),
        ("a {x", {"x": 1}),
        ("a-{x}", {"x": ["b"]}),
        ("", {}),
        ("a 'b", {}),
        *[
            (f"a {special}", {})
            for special in [
                "|",
                "&",
                ";",
                "<",
                ">",
                "(",
                ")",
                "$b",
                "`",
                "*",
                "?",
                "[",
                "\\",
                "#",
                "~",
                "!",
            ]
        ],
        ('a "$b"', {}),
    ],
)
def test_what_is_no_plain_template_is_refused(template: str, values: dict[str, object]) -> None:
    with pytest.raises(ShellError):
        q(template, **values)


def test_several_templates_share_their_values() -> None:
    assert (
        render(q_chain("cd {d}", "rm {f}", "ls {d}", d="a b", f="c"))
        == "cd 'a b' && rm c && ls 'a b'"
    )


def test_a_template_string_does_the_same() -> None:
    template = _Template(("git log -1 ", " -- ", ""), (_Value("a b"), _Value(["x", "$y"])))

    assert render(q(template)) == "git log -1 'a b' -- x '$y'"


def test_a_template_string_converts_and_formats() -> None:
    template = _Template(("a ", " ", ""), (_Value(7, None, "03d"), _Value("it's", "r")))

    assert render(q(template)) == "a 007 '\"it'\"'\"'s\"'"


@pytest.mark.parametrize(
    "template",
    [
        _Template(("a '", "'"), (_Value("x"),)),
        _Template(("a ", ""), (_Value(Secret("x"), "s"),)),
        _Template(("a ", ""), (_Value("x", None, "d"),)),
        _Template(("a | ", ""), (_Value("x"),)),
    ],
    ids=repr,
)
def test_a_template_string_is_refused_for_the_same_reasons(template: _Template) -> None:
    with pytest.raises(ShellError):
        q(template)


def test_a_secret_in_a_template_stays_one() -> None:
    node = q("curl -u me:{password}", password=Secret("sword fish"))

    assert render(node) == "curl -u me:'sword fish'"
    assert "sword" not in explain(node) + repr(node)
