"""Print the plan of a day: `python3 -m quay --berths 2 schedules/monday.csv`."""

import argparse

from quay.plan import assign, read_calls

GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def main() -> None:
    parser = argparse.ArgumentParser(prog="quay", description=__doc__)
    parser.add_argument("--berths", type=int, default=2)
    parser.add_argument("schedule", type=argparse.FileType(encoding="utf-8"))
    arguments = parser.parse_args()
    with arguments.schedule as lines:
        moorings = assign(read_calls(lines), arguments.berths)
    for mooring in moorings:
        call = mooring.call
        place = f"{GREEN}berth {mooring.berth}{PLAIN}" if mooring.berth else f"{RED}waits{PLAIN}"
        print(f"{call.arrives:%H:%M}-{call.leaves:%H:%M}  {call.ship:<10} {place}")


if __name__ == "__main__":
    main()
