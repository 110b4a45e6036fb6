import socket

import pytest


@pytest.mark.parametrize(
    "address",
    [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0)],
    ids=["IPv4", "IPv6"],
)
def test_no_test_leaves_this_machine(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as caller, pytest.raises(PermissionError, match="reached for"):
        caller.connect(address)


def test_names_are_not_looked_up():
    with pytest.raises(PermissionError, match="reached for"):
        socket.getaddrinfo("example.org", 443)


def test_this_machine_can_be_called():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as caller,
    ):
        assert caller.getpeername() == server.getsockname()
