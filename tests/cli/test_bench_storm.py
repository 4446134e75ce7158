"""`berth bench storm`: what a storm is made of, and that nothing of it is lost. Never how fast it went."""

import json
from collections import Counter

import pytest

from chalicelib.cli.bench import bench
from chalicelib.cli.bench_storm_deliveries import Storm
from chalicelib.cli.bench_storm_run import conservation
from chalicelib.github.webhook import PipelineRequest, read_delivery, verify_signature

SECRET = "storm"  # noqa: S105 - of this test alone


def test_three_of_ten_deliveries_are_repeats_and_no_push_is_missing() -> None:
    storm = Storm(deliveries=1_000)

    sent = Counter(storm.order())

    assert (sent.total(), len(sent), max(sent.values())) == (1_000, 700, 2)


def test_a_storm_comes_in_disorder_and_the_same_each_time() -> None:
    first, second = Storm(deliveries=100).order(), Storm(deliveries=100).order()

    assert first == second
    assert list(first) != sorted(first)


def test_a_delivery_of_a_storm_is_read_as_a_push_of_its_pipeline() -> None:
    storm = Storm(deliveries=100)
    delivery = storm.delivery(3, secret=SECRET)

    verify_signature(delivery.body, delivery.signature, [SECRET])
    request = read_delivery("push", delivery.guid, delivery.body)

    assert isinstance(request, PipelineRequest)
    assert request.source.default_branch == request.source.branch
    assert len({storm.pipeline(push) for push in range(storm.pushes)}) == storm.pushes
    assert storm.delivery(3, secret=SECRET) == delivery


def test_what_is_lost_unexpected_or_there_twice_is_told() -> None:
    assert not conservation("ab", "a").holds
    assert not conservation("a", "ab").holds
    assert not conservation("a", "aa").holds
    assert conservation("ab", "ba").holds


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_storm_loses_nothing_and_a_dequeue_costs_the_same_behind_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench(["storm", "--deliveries", "5000", "--finish", "100", "--json"]) == 0

    figures = json.loads(capsys.readouterr().out)
    assert (figures["accepted"], figures["duplicates"]) == (3_500, 1_500)
    nothing = {"lost": 0, "unexpected": 0, "duplicated": 0}
    assert (figures["pipelines"], figures["jobs"]) == (nothing, nothing)
    assert figures["jobs_finished"] >= 100
    behind = {name: figures[f"units_per_dequeue_{name}"] for name in ("tenth_waiting", "last")}
    assert behind["tenth_waiting"] > 0
    assert set(behind.values()) == {figures["units_per_dequeue_all_waiting"]}
