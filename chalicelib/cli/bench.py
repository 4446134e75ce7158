"""`berth bench WHAT`: finds the benchmark, whose file is imported only when it is called.

Each benchmark has a file of its own, which takes the remaining arguments and says how it measures.
"""

import argparse
from collections.abc import Sequence
from importlib import import_module

from chalicelib.cli.frame import command_parser

__all__ = ["BENCHES", "bench"]

# name: (module:function, what it measures)
BENCHES = {
    "hostspec": (
        "chalicelib.cli.bench_hostspec:bench_hostspec",
        "forty resources of a host, beside pyinfra and Ansible",
    ),
    "pickup": (
        "chalicelib.cli.bench_pickup:bench_pickup",
        "webhook to first output of the first step",
    ),
    "queue": (
        "chalicelib.cli.bench_queue:bench_queue",
        "units of DynamoDB that a job and a claim take, beside naive designs",
    ),
    "shell": (
        "chalicelib.cli.bench_shell:bench_shell",
        "a command, here and over SSH, beside subprocess, paramiko, plumbum and sh",
    ),
    "storm": (
        "chalicelib.cli.bench_storm:bench_storm",
        "a flood of deliveries, what becomes of them, and what the queue then costs",
    ),
    "wait": (
        "chalicelib.cli.bench_wait:bench_wait",
        "overhead of a wait, beside tenacity and stamina",
    ),
}


def bench(arguments: Sequence[str]) -> int:
    """Run a benchmark and print its figures."""
    name = next((word for word in arguments if word in BENCHES), None)
    if name is None:
        # Nothing to run: the parser explains, and refuses what is there.
        _parser().parse_args(arguments)
        raise AssertionError("the parser takes only the names it was given")
    rest = list(arguments)
    rest.remove(name)
    module, _, function = BENCHES[name][0].partition(":")
    status: int = getattr(import_module(module), function)(rest)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "bench",
        "Measure, and print medians and ratios. ./berth bench WHAT --help says more.",
        examples=["./berth bench pickup --builds 50", "./berth bench wait --json"],
    )
    told = "; ".join(f"{name}: {text}" for name, (_, text) in BENCHES.items())
    parser.add_argument("what", choices=list(BENCHES), help=told)
    return parser
