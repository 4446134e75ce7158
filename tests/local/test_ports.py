"""Ports for servers: nobody has them, and no client gets them."""

import socket

from chalicelib.local.ports import client_ports, free_port


def test_a_free_port_is_none_of_the_clients() -> None:
    ports = [free_port() for _ in range(100)]

    assert not set(ports) & set(client_ports())
    assert len(set(ports)) == len(ports)


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port() + 1))
        server.listen()

        found = [free_port() for _ in range(3)]

        assert server.getsockname()[1] not in found


def test_neighbours_are_free_together_and_given_once() -> None:
    first, second = free_port(3), free_port(3)

    held = [socket.socket() for _ in range(6)]
    for server, port in zip(
        held, [*range(first, first + 3), *range(second, second + 3)], strict=True
    ):
        server.bind(("127.0.0.1", port))
        server.close()
