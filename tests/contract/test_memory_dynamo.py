"""The fake of DynamoDB gives the answers of an emulator, call by call."""

from typing import Any

import pytest
from pynamodb.expressions.operand import Path

from tests.contract.both_tables import Both, key

pytestmark = pytest.mark.stack

FULL = {"n": {"N": "5"}, "s": {"S": "text"}, "m": {"M": {"x": {"N": "1"}}}}
PLACE = {"q": {"S": "lane"}, "o": {"S": "1"}}
ABSENT = "attribute_not_exists(pk)"


@pytest.fixture
def both(data_table: str) -> Both:
    """Two empty tables."""
    return Both(data_table)


@pytest.fixture
def filled(both: Both) -> Both:
    """Two tables with the item "a"."""
    both.write("Put", {"Item": {**key("a"), **FULL, **PLACE}})
    return both


@pytest.mark.parametrize(
    "value",
    [
        {"N": "007.50"},
        {"N": "-0"},
        {"N": "1E3"},
        {"B": b"\x00\xff"},
        {"BOOL": True},
        {"NULL": True},
        {"SS": ["a", "b"]},
        {"NS": ["1", "2"]},
        {"L": [{"S": ""}, {"M": {"é": {"N": "1"}}}]},
        {"M": {}},
        {"S": ""},
    ],
    ids=str,
)
def test_a_value_comes_back_as_it_is_kept(both: Both, value: dict[str, Any]) -> None:
    both.write("Put", {"Item": {**key("a"), "v": value}}, ReturnConsumedCapacity="TOTAL")

    assert set(both.get("a")) == {"pk", "sk", "v"}


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
def test_an_update_returns_what_it_is_asked_for(filled: Both, returned: str) -> None:
    actions = [Path("n").set(6), Path("m.x").set(2), Path("m.y").set("new"), Path("s").remove()]

    changed = filled.write("Update", filled.kwargs("a", actions=actions), ReturnValues=returned)
    created = filled.write("Update", filled.kwargs("b", actions=actions[:1]), ReturnValues=returned)

    assert ("Attributes" in changed.answer) == (returned != "NONE")
    assert ("Attributes" in created.answer) == (returned in {"ALL_NEW", "UPDATED_NEW"})


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD"])
@pytest.mark.parametrize("pk", ["a", "b"])
def test_put_and_delete_return_what_was_there(filled: Both, returned: str, pk: str) -> None:
    put = filled.write("Put", {"Item": key(pk)}, ReturnValues=returned)
    deleted = filled.write("Delete", {"Key": key(pk)}, ReturnValues=returned)

    assert ("Attributes" in put.answer) == (pk == "a" and returned == "ALL_OLD")
    assert ("Attributes" in deleted.answer) == (returned == "ALL_OLD")


@pytest.mark.parametrize("kind", ["Put", "Update", "Delete"])
@pytest.mark.parametrize("pk", ["a", "b"])
def test_a_refusal_brings_what_was_met_if_asked(filled: Both, kind: str, pk: str) -> None:
    request: dict[str, Any] = {"Item": key(pk)} if kind == "Put" else {"Key": key(pk)}
    request["ConditionExpression"] = "attribute_not_exists(pk) AND attribute_exists(sk)"

    silent = filled.write(kind, request)
    telling = filled.write(kind, request, ReturnValuesOnConditionCheckFailure="ALL_OLD")

    assert silent.code == telling.code == "ConditionalCheckFailedException"
    assert silent.met == {}
    assert bool(telling.met) == (pk == "a")


def test_a_transaction_is_cancelled_with_a_reason_for_each_position(filled: Both) -> None:
    told = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD", "ConditionExpression": ABSENT}

    outcome = filled.transact(
        ("Put", {"Item": key("b"), "ConditionExpression": ABSENT}),
        ("Put", {"Item": key("a"), **told}),
        ("Update", filled.kwargs("c", actions=[Path("m.x").set(1)])),
        ("Delete", {"Key": key("d"), "ConditionExpression": "attribute_exists(pk)"}),
    )

    codes = [code for code, _ in outcome.reasons]
    assert codes == ["", "ConditionalCheckFailed", "ValidationError", "ConditionalCheckFailed"]
    assert outcome.reasons[1][1] == filled.get("a")
    assert not filled.get("b")


def test_a_transaction_applies_each_kind_of_action(filled: Both) -> None:
    filled.write("Put", {"Item": key("c")})

    outcome = filled.transact(
        ("Put", {"Item": {**key("b"), **PLACE}}),
        ("Update", filled.kwargs("a", actions=[Path("n").set(Path("n") + 1)])),
        ("Delete", {"Key": key("c")}),
        ("ConditionCheck", {"Key": key("d"), "ConditionExpression": ABSENT}),
        ReturnConsumedCapacity="TOTAL",
    )

    assert outcome.answer == {"ConsumedCapacity": 9}
    assert filled.get("a")["n"] == {"N": "6"}
    assert [filled.get(pk) for pk in "cd"] == [{}, {}]


def test_a_token_is_known_again(both: Both) -> None:
    count_up = both.kwargs("a", actions=[Path("n").add(1)])

    for _ in range(3):
        both.transact(("Update", count_up), known_as="once")
    mismatch = both.transact(("Put", {"Item": key("b")}), known_as="once")

    assert both.get("a")["n"] == {"N": "1"}
    assert mismatch.code == "IdempotentParameterMismatchException"


def test_a_cancelled_transaction_leaves_its_token_free(both: Both) -> None:
    only_b = ("Put", {"Item": key("a"), "ConditionExpression": "attribute_exists(pk)"})
    both.transact(only_b, known_as="again")
    both.write("Put", {"Item": {**key("a"), "n": {"N": "1"}}})

    both.transact(only_b, known_as="again")

    assert "n" not in both.get("a")


@pytest.mark.parametrize("sign", ["=", "<>", "<", "<=", ">", ">="])
@pytest.mark.parametrize("kind", ["N", "S", "B"])
def test_comparisons_hold_for_the_same_values(both: Both, sign: str, kind: str) -> None:
    """Before, at and after the value; where there is none; and against another type."""
    both.write("Put", {"Item": {**key("a"), "v": {kind: "5"}}})
    condition = {"Key": key("a"), "ConditionExpression": f"v {sign} :v"}
    absent = {"Key": key("a"), "ConditionExpression": f"gone {sign} :v"}
    other = {"BOOL": True} if sign in {"=", "<>"} else {"S": "5"} if kind == "N" else {"N": "5"}

    values = [{kind: "4"}, {kind: "5"}, {kind: "6"}, other]
    held = [
        both.write("Update", {**asked, "ExpressionAttributeValues": {":v": value}}).code == ""
        for value in values
        for asked in (condition, absent)
    ]

    assert held[2] == ("=" in sign)
    assert any(held) != all(held)


@pytest.mark.parametrize(
    "condition",
    [
        "v BETWEEN :low AND :high",
        "NOT v BETWEEN :low AND :high",
        "v IN (:low, :high)",
        "size(m) BETWEEN :low AND :high",
        "v = :low OR v = :high AND gone = :low",
        "(v = :low OR v = :high) AND v <> :low",
    ],
)
def test_conditions_hold_at_the_same_bounds(both: Both, condition: str) -> None:
    values = {":low": {"N": "1"}, ":high": {"N": "3"}}
    request = {"ConditionExpression": condition, "ExpressionAttributeValues": values}

    held = []
    for number in range(5):
        content = {f"x{each}": {"NULL": True} for each in range(number)}
        item = {**key(f"{number}"), "v": {"N": f"{number}"}, "m": {"M": content}}
        both.write("Put", {"Item": item})
        held.append(both.write("Update", {"Key": key(f"{number}"), **request}).code == "")

    assert any(held) != all(held)


@pytest.mark.parametrize(
    "request_",
    [
        {"UpdateExpression": "SET m.z.y = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
        {"UpdateExpression": "SET gone.x = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
        {"UpdateExpression": "SET v = gone"},
        {"UpdateExpression": "SET v = gone + :v", "ExpressionAttributeValues": {":v": {"N": "1"}}},
        {"UpdateExpression": "SET pk = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
        {"UpdateExpression": "SET q = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}},
        {"UpdateExpression": "SET q = :v", "ExpressionAttributeValues": {":v": {"S": ""}}},
        {"UpdateExpression": "ADD s :v", "ExpressionAttributeValues": {":v": {"N": "1"}}},
        {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"N": "one"}}},
        {"UpdateExpression": "PUT v = s"},
        {"UpdateExpression": ""},
        {"ConditionExpression": "s ="},
        {
            "UpdateExpression": "SET v = :v",
            "ExpressionAttributeValues": {":v": {"S": "x" * 409_600}},
        },
    ],
    ids=lambda each: str(each)[:90],
)
def test_what_is_not_valid_is_refused_and_changes_nothing(
    filled: Both, request_: dict[str, Any]
) -> None:
    before = filled.get("a")

    outcome = filled.write("Update", {"Key": key("a"), **request_})

    assert outcome.code == "ValidationException"
    assert filled.get("a") == before


@pytest.mark.parametrize(
    "item",
    [
        {"pk": {"S": "a"}},
        {"pk": {"S": "a"}, "sk": {"S": ""}},
        {"pk": {"S": "a"}, "sk": {"N": "1"}},
        {**key("a"), "q": {"N": "1"}},
        {**key("a"), "v": {"S": "x" * 409_600}},
        {**key("a"), "v": {"SS": []}},
    ],
    ids=lambda each: str(each)[:90],
)
def test_an_item_that_is_not_valid_is_refused(both: Both, item: dict[str, Any]) -> None:
    assert both.write("Put", {"Item": item}).code == "ValidationException"


def test_an_item_may_have_400_kib_and_not_a_byte_more(both: Both) -> None:
    room = 400 * 1024 - len("pk" + "a" + "sk" + "S" + "v")

    fits = both.write("Put", {"Item": {**key("a"), "v": {"S": "x" * room}}})
    grown = both.write("Update", both.kwargs("a", actions=[Path("w").set("")]))

    assert fits.code == ""
    assert grown.code == "ValidationException"


def test_one_transaction_writes_an_item_once(both: Both) -> None:
    outcome = both.transact(("Put", {"Item": key("a")}), ("Delete", {"Key": key("a")}))

    assert outcome.code == "ValidationException"


def test_a_transaction_has_at_most_a_hundred_actions(both: Both) -> None:
    puts = [("Put", {"Item": key(f"{number}")}) for number in range(101)]

    assert both.transact(*puts).code == "ValidationException"
    assert both.transact(*puts[:100]).code == ""


def test_batches_write_and_read_many_items(filled: Both) -> None:
    puts = [{"PutRequest": {"Item": {**key(pk), **PLACE}}} for pk in "bc"]
    asked = {"Keys": [key(pk) for pk in "abcd"], "ConsistentRead": True}

    filled.call(
        "BatchWriteItem",
        {
            "RequestItems": {filled.name: [*puts, {"DeleteRequest": {"Key": key("a")}}]},
            "ReturnConsumedCapacity": "INDEXES",
        },
    )
    found = filled.call("BatchGetItem", {"RequestItems": {filled.name: asked}})

    assert [item["pk"]["S"] for item in found.answer["Responses"][filled.name]] == ["b", "c"]


@pytest.mark.parametrize(
    ("operation", "field"), [("BatchGetItem", "get"), ("BatchWriteItem", "write")]
)
def test_a_batch_names_each_item_once(both: Both, operation: str, field: str) -> None:
    writes = [{"PutRequest": {"Item": key("a")}}, {"DeleteRequest": {"Key": key("a")}}]
    page = {"Keys": [key("a"), key("a")]} if field == "get" else writes

    outcome = both.call(operation, {"RequestItems": {both.name: page}})

    assert outcome.code == "ValidationException"


def test_a_table_that_is_not_there_is_not_found(both: Both) -> None:
    outcome = both.call("GetItem", {"TableName": "another", "Key": key("a")})

    assert outcome.code == "ResourceNotFoundException"


@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_a_query_follow_each_other(both: Both, forward: bool) -> None:  # noqa: FBT001 - a parameter of the test
    for pk in "edcba":
        item = {**key(pk), "q": {"S": "lane"}, "o": {"S": "1" if pk < "d" else "2"}}
        both.write("Put", {"Item": item})

    seen: list[str] = []
    start: dict[str, Any] = {}
    while True:
        page = both.query("lane", Limit=2, ScanIndexForward=forward, **start).answer
        seen += [item["pk"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    assert seen == (["a", "b", "c", "d", "e"] if forward else ["e", "d", "c", "b", "a"])


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("", {}, "abcd"),
        (" AND o < :o", {"o": "c"}, "ab"),
        (" AND o <= :o", {"o": "c"}, "abc"),
        (" AND o > :o", {"o": "b"}, "cd"),
        (" AND o >= :o", {"o": "b"}, "bcd"),
        (" AND o = :o", {"o": "b"}, "b"),
        (" AND o BETWEEN :low AND :high", {"low": "b", "high": "c"}, "bc"),
    ],
)
def test_a_query_keeps_to_its_bounds(
    both: Both, condition: str, values: dict[str, str], expected: str
) -> None:
    for pk in "abcd":
        both.write("Put", {"Item": {**key(pk), "q": {"S": "lane"}, "o": {"S": pk}}})
    both.write("Put", {"Item": {**key("e"), "q": {"S": "other"}, "o": {"S": "b"}}})
    both.write("Put", {"Item": {**key("f"), "q": {"S": "lane"}}})

    page = both.query("lane", condition, **values).answer

    assert "".join(item["pk"]["S"] for item in page["Items"]) == expected
    assert all(set(item) == {"pk", "sk", "q", "o"} for item in page["Items"])


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        ({}, {"v": {"S": "x" * 1014}}, 1),
        ({}, {"v": {"S": "x" * 1020}}, 2),
        ({"v": {"S": "x" * 3000}}, {}, 3),
        ({}, PLACE, 2),
        (PLACE, {}, 2),
        (PLACE, {**PLACE, "o": {"S": "2"}}, 3),
        (PLACE, {**PLACE, "v": {"S": "new"}}, 1),
        ({}, {"v": {"M": {"é" * 250: {"N": "-12345.678"}}}}, 1),
    ],
    ids=lambda each: str(each)[:90],
)
def test_units_are_those_of_the_emulator(
    both: Both, before: dict[str, Any], after: dict[str, Any], units: int
) -> None:
    """Trusted for these: its numbers were measured on AWS by the suites that its source names."""
    for pk in "ab":
        both.write("Put", {"Item": {**key(pk), **before}})

    alone = both.write("Put", {"Item": {**key("a"), **after}}, ReturnConsumedCapacity="INDEXES")
    put = ("Put", {"Item": {**key("b"), **after}})
    within = both.transact(put, ReturnConsumedCapacity="INDEXES")

    index = (
        0
        if before.get("o") == after.get("o")
        else len([1 for each in (before, after) if each.get("o")])
    )
    assert alone.answer["ConsumedCapacity"] == units
    assert within.answer["ConsumedCapacity"] == 2 * (units - index) + index


@pytest.fixture
def log(both: Both) -> Both:
    """Two tables with five items of one partition of the table itself, and one of another."""
    for sk in ("C#1", "C#2", "C#3", "S#0", "Z"):
        both.write("Put", {"Item": {"pk": {"S": "L"}, "sk": {"S": sk}, "z": {"B": b"text"}}})
    both.write("Put", {"Item": {"pk": {"S": "M"}, "sk": {"S": "C#2"}}})
    return both


@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_the_table_itself_follow_each_other(log: Both, forward: bool) -> None:  # noqa: FBT001 - a parameter of the test
    seen, start = [], dict[str, Any]()
    while True:
        page = log.items("L", "C#1", "S#0", ScanIndexForward=forward, Limit=2, **start).answer
        seen += [item["sk"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    assert seen == sorted(["C#1", "C#2", "C#3", "S#0"], reverse=not forward)


def test_the_index_is_never_read_consistently(log: Both) -> None:
    assert log.query("lane", ConsistentRead=True).code == "ValidationException"
