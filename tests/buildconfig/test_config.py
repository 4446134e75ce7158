"""The compiler against case files, real configs, and what nobody would write.

A case is a file: `cases/refused/*.yml` ends with the error it has to give, `cases/accepted/*.yml`
has the compiled jobs beside it as JSON. Adding a case adds a file.
"""

import json
from pathlib import Path

import pytest

from chalicelib.buildconfig import IMAGES, compile_config
from chalicelib.errors import ConfigError
from chalicelib.model import JobSpec

CASES = Path(__file__).parent / "cases"
REAL = Path(__file__).parents[3] / "shared" / "cases"


def named(folder: str) -> list[str]:
    return sorted(path.stem for path in (CASES / folder).glob("*.yml"))


def compiled_or_refused(text: bytes, *, file: str) -> tuple[JobSpec, ...] | ConfigError:
    try:
        return compile_config(text, file=file)
    except ConfigError as error:
        return error


@pytest.mark.parametrize("case", named("refused"))
def test_a_config_that_is_not_carried_out_is_refused_by_file_line_and_key(case: str) -> None:
    text = (CASES / "refused" / f"{case}.yml").read_bytes()
    expected = text.decode().rstrip("\n").rpartition("# expected: ")[2]

    with pytest.raises(ConfigError) as caught:
        compile_config(text)

    assert str(caught.value) == expected


@pytest.mark.parametrize("case", named("accepted"))
def test_a_config_compiles_to_the_jobs_beside_it(case: str) -> None:
    text = (CASES / "accepted" / f"{case}.yml").read_bytes()
    expected = json.loads((CASES / "accepted" / f"{case}.json").read_text())

    jobs = compile_config(text)

    assert [job.to_json() for job in jobs] == expected
    assert tuple(JobSpec.from_json(job) for job in expected) == jobs


@pytest.mark.parametrize("folder", ["circleci-configs", "circleci-compiled", "circleci-schema"])
def test_every_real_config_compiles_or_is_refused_with_a_line_and_a_reason(folder: str) -> None:
    files = [path for path in (REAL / folder).rglob("*") if path.suffix in {".yml", ".yaml"}]
    if not files:
        pytest.skip(f"the collected configs are not here: {REAL / folder}")

    for path in files:
        outcome = compiled_or_refused(path.read_bytes(), file=path.name)

        assert outcome
        if isinstance(outcome, ConfigError):
            assert outcome.file == path.name
            assert outcome.line > 0
            assert outcome.reason


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"", 1, "the file is empty"),
        (b"# nothing\n", 1, "the file is empty"),
        (b"a: 1\nb: \x00\n", 2, "not valid YAML: character U+0000 is not allowed"),
        (b"a: 1\nb: \xff\n", 2, "the file is not UTF-8"),
        ("a: 1\nb: \ud800\n", 2, "not valid YAML: character U+D800 is not allowed"),
        (b"a" * (1 << 20) + b"a", 1, "the file is larger than 1048576 bytes"),
        (b"[" * 100_000, 1, "nested more than 64 deep"),
        (b"- x\n" * 60_000, 50_000, "the file has more than 50000 values"),
        (b'a: "\\UFFFFFFFF"', 1, "a number in an escape or a directive is out of range"),
        (b"%YAML 1." + b"9" * 5000, 1, "a number in an escape or a directive is out of range"),
    ],
    ids=[
        "empty",
        "comment",
        "nul",
        "not-utf-8",
        "surrogate",
        "large",
        "deep",
        "long",
        "escape",
        "directive",
    ],
)
def test_a_file_that_cannot_be_read_is_refused(text: bytes | str, line: int, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_config(text)

    assert caught.value.line == line
    assert reason in caught.value.reason


def test_a_chain_of_merges_is_bounded_like_any_other_bomb() -> None:
    chain = "".join(f"x{i}: &x{i} {{<<: *x{i - 1}, k{i}: v}}\n" for i in range(1, 5000))

    with pytest.raises(ConfigError, match="more than 50000 values"):
        compile_config("x0: &x0 {k: v}\n" + chain)


def test_a_global_environment_is_not_multiplied_without_bound() -> None:
    variables = "".join(f"  A{i}: {'x' * 100}\n" for i in range(500))
    jobs = "".join(f"  j{i}: {{steps: [checkout]}}\n" for i in range(400))

    with pytest.raises(ConfigError, match="too large for so many jobs"):
        compile_config(f"version: 2.1\nenvironment:\n{variables}jobs:\n{jobs}")


def test_a_job_has_no_more_steps_than_a_report_can_carry() -> None:
    steps = "checkout, " * 501

    with pytest.raises(ConfigError, match="at most 500 steps"):
        compile_config(f"version: 2.1\njobs: {{build: {{steps: [{steps}]}}}}\n")


def test_an_error_shows_nothing_that_moves_the_cursor() -> None:
    text = 'version: 2.1\njobs: {build: {"\\e[2J": 1, steps: [checkout]}}\n'

    with pytest.raises(ConfigError) as caught:
        compile_config(text)

    assert str(caught.value).isprintable()


def test_the_error_names_the_file_it_was_given() -> None:
    with pytest.raises(ConfigError, match=r"^\.berth/config\.yml:1: "):
        compile_config("[]", file=".berth/config.yml")


@pytest.mark.parametrize("image", sorted(IMAGES))
def test_every_image_of_the_table_can_be_asked_for(image: str) -> None:
    text = f"version: 2.1\njobs: {{build: {{docker: [{{image: '{image}'}}], steps: [checkout]}}}}"

    (job,) = compile_config(text)

    assert job.image == IMAGES[image]


def test_a_config_has_no_more_jobs_than_a_pipeline_can_list() -> None:
    jobs = "".join(f"  j{i}: {{steps: [checkout]}}\n" for i in range(501))

    with pytest.raises(ConfigError, match="more than 500 jobs"):
        compile_config(f"version: 2.1\njobs:\n{jobs}")
