import io
import unittest
from datetime import time

from quay.plan import Call, assign, read_calls


def call(ship: str, arrives: int, leaves: int) -> Call:
    return Call(time(arrives), time(leaves), ship)


class AssignTest(unittest.TestCase):
    def test_ships_that_overlap_lie_at_different_berths(self) -> None:
        plan = assign([call("A", 6, 9), call("B", 7, 8)], berths=2)
        self.assertEqual([mooring.berth for mooring in plan], [1, 2])

    def test_a_berth_is_free_again_when_its_ship_leaves(self) -> None:
        plan = assign([call("A", 6, 9), call("B", 9, 10)], berths=1)
        self.assertEqual([mooring.berth for mooring in plan], [1, 1])

    def test_a_ship_waits_when_every_berth_is_taken(self) -> None:
        plan = assign([call("A", 6, 9), call("B", 7, 8)], berths=1)
        self.assertIsNone(plan[1].berth)

    def test_calls_are_taken_in_order_of_arrival(self) -> None:
        plan = assign([call("B", 8, 9), call("A", 6, 9)], berths=1)
        self.assertEqual([mooring.call.ship for mooring in plan], ["A", "B"])


class ReadTest(unittest.TestCase):
    def test_rows_become_calls(self) -> None:
        rows = io.StringIO("ship,arrives,leaves\nAurora,06:00,09:30\n")
        self.assertEqual(read_calls(rows), [Call(time(6), time(9, 30), "Aurora")])

    def test_a_ship_cannot_leave_before_it_arrives(self) -> None:
        with self.assertRaisesRegex(ValueError, "Aurora leaves before it arrives"):
            call("Aurora", 9, 6)


if __name__ == "__main__":
    unittest.main()
