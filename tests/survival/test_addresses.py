"""14: names that change their mind, and redirects: no packet goes to a private address."""

import socket
from datetime import timedelta
from ipaddress import ip_address

import pytest
from survival import safeguards
from survival.world import Violated, must
from survival.world import world as made

PUBLIC, METADATA = "93.184.216.34", "169.254.169.254"
A_DAY = timedelta(days=1)
NAME = "rebinding.example"


@pytest.fixture
def deployed():
    """An axis that is not of the local profile: this machine is as private as any other."""
    with made(ALLOW_LOOPBACK="0") as world:
        yield world


@pytest.fixture
def dialled(monkeypatch):
    """Every address that a socket is told to connect to; none is reached but this machine's."""
    book, real = [], socket.socket.connect

    def connect(self, address):
        book.append(address[0])
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return book


@pytest.fixture
def answers(monkeypatch):
    """What the DNS says of our name, one answer after the other; the last one stays."""
    book, real = [], socket.getaddrinfo

    def resolve(host, port, *args, **how):
        if host != NAME:
            return real(host, port, *args, **how)
        found = book.pop(0) if len(book) > 1 else book[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return book


def deliver_to(world, dialled, url):
    """A document for an agency with that endpoint is tried, and tried again."""
    sender, ours = world.join(), world.join(endpoint=url)
    world.send(sender, ours)
    dialled.clear()
    for _ in range(3):
        world.settle()
        world.later(A_DAY)
    private = [address for address in dialled if not ip_address(address).is_global]
    must(not private, "no packet goes to a private address")
    attempts = world.items("attempts")
    assert len(attempts) >= 3
    return ours


@pytest.mark.parametrize(
    "said",
    [[PUBLIC, "127.0.0.1"], [PUBLIC, METADATA], ["10.0.0.1"], [METADATA]],
    ids=["turns to this machine", "turns to metadata", "is private", "is metadata"],
)
def test_no_packet_goes_to_a_private_address(deployed, dialled, answers, said):
    answers[:] = said
    deliver_to(deployed, dialled, f"https://{NAME}/in")


def test_it_would_to_one_whom_nobody_checks(deployed, dialled, answers):
    answers[:] = [METADATA]
    with safeguards.every_address_permitted(deployed), pytest.raises(Violated, match="no packet"):
        deliver_to(deployed, dialled, f"https://{NAME}/in")


def test_it_would_if_the_name_were_asked_again(deployed, dialled, answers):
    answers[:] = [PUBLIC, METADATA]
    with safeguards.resolved_twice(deployed), pytest.raises(Violated, match="no packet"):
        deliver_to(deployed, dialled, f"https://{NAME}/in")


def redirected(world, dialled):
    """A receiver sends us on, to the address where clouds keep their credentials."""
    sender, ours = world.join(), world.join()
    ours.policy, ours.headers = lambda _got: 307, {"location": f"http://{METADATA}/latest"}
    world.send(sender, ours)
    world.settle()
    must(METADATA not in dialled, "no packet goes to a private address")
    must(set(dialled) == {"127.0.0.1"}, "nobody is called but the receiver")
    ours.policy = lambda _got: 200
    world.later(A_DAY)
    world.settle()
    world.check()


def test_a_redirect_is_not_followed(world, dialled):
    redirected(world, dialled)


def test_it_would_reach_the_metadata_address_if_nobody_checked(world, dialled):
    with (
        safeguards.redirects_followed(world),
        safeguards.every_address_permitted(world),
        pytest.raises(Violated, match="no packet"),
    ):
        redirected(world, dialled)
