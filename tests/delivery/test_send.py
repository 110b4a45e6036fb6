"""One post: only to public addresses, never on to somewhere else, never without end."""

import socket
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Thread
from time import monotonic, sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.delivery import send
from chalicelib.delivery.send import ANSWER_BYTES, Answer, Sender, Verdict, permitted

HEADERS = {"webhook-id": "msg_1"}
PUBLIC = "93.184.216.34"


@pytest.fixture(scope="module")
def local():
    """A sender of the local profile, that waits however busy this machine is."""
    return Sender(loopback=True, connect_s=60, read_s=60, answer_s=60)


def hasty(read_s):
    """One with little patience: only for what must run out of it."""
    return Sender(loopback=True, connect_s=60, read_s=read_s, answer_s=2 * read_s)


@pytest.fixture
def strict():
    """A sender of a deployment, with little patience."""
    return Sender(loopback=False, connect_s=0.5, read_s=0.5, answer_s=1)


@pytest.fixture
def names(monkeypatch):
    """The DNS: each name's answers, one for each time it is asked; the last one stays."""
    book: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def resolve(host, port, *args, **how):
        if host not in book:
            return real(host, port, *args, **how)
        found = book[host].pop(0) if len(book[host]) > 1 else book[host][0]
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (family[ip_address(a).version], socket.SOCK_STREAM, 6, "", (a, port)) for a in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return book


@pytest.fixture
def dialled(monkeypatch):
    """Every address that a socket is told to connect to."""
    book = []
    real = socket.socket.connect

    def connect(self, address):
        book.append(address[0])
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return book


def test_a_post_arrives_as_it_was_given(local, agency):
    agency.answer = lambda _p: (202, {}, b"thanks")
    assert local.post(agency.url, HEADERS, b"\x00body") == Answer(202, "")
    (post,) = agency.posts
    assert (post.path, post.body, post.headers["webhook-id"]) == ("/in", b"\x00body", "msg_1")


def test_a_connection_is_used_again(local, agency):
    agency.answer = lambda _p: (200, {}, b"thanks")
    for _ in range(3):
        assert local.post(agency.url, HEADERS, b"").delivered
    assert agency.connections == 1


@pytest.mark.parametrize("status", [200, 204, 299, 300, 400, 404, 410, 500])
def test_only_2xx_is_delivered(local, agency, status):
    agency.answer = lambda _p: (status, {}, b"")
    answer = local.post(agency.url, HEADERS, b"")
    assert (answer.status, answer.delivered) == (status, status < 300)


@pytest.mark.parametrize(
    ("verdict", "statuses"),
    [
        (Verdict.TAKEN, [200, 201, 204, 299]),
        (Verdict.AGAIN, [0, 100, 302, 308, 408, 409, 425, 429, 500, 502, 503, 504, 599]),
        (Verdict.SLOWLY, [401, 403]),
        (Verdict.GONE, [410]),
        (Verdict.REFUSED, [400, 402, 404, 405, 411, 413, 415, 422, 451, 499]),
    ],
)
def test_what_an_answer_means(verdict, statuses):
    assert {Answer(status, "").verdict for status in statuses} == {verdict}


def test_who_asks_is_answered_word_for_word(local, agency):
    agency.answer = lambda _post: (418, {"X-Demo": "1"}, b"short and stout")
    reply = local.ask(agency.url, {"x-asked": "yes"}, b"what?")
    assert (reply.status, reply.body, reply.headers["x-demo"]) == (418, b"short and stout", "1")
    assert agency.posts[0].body == b"what?"


def test_who_asks_nobody_or_somebody_private_has_no_answer(local, strict, agency):
    assert local.ask("http://127.0.0.1:1/", {}, b"").status == 0
    refused = strict.ask(agency.url, {}, b"")
    assert (refused.status, refused.reason, agency.posts) == (0, "address-refused", [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(local, agency, status):
    agency.answer = lambda _p: (status, {"location": "http://169.254.169.254/latest"}, b"")
    assert local.post(agency.url, HEADERS, b"").status == status
    agency.answer = lambda _p: (status, {"location": agency.url}, b"")
    assert local.post(agency.url, HEADERS, b"").status == status
    assert len(agency.posts) == 2


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("0", 0),
        ("120", 120),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 5_000, None),
        ("\u0663", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", datetime(2026, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21 Oct 2026 07:28:00 -0000", datetime(2026, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 41 Oct 2026 07:28:00 GMT", None),
        ("Wed, 21 Oct " + "9" * 5_000, None),
    ],
)
def test_how_long_a_receiver_asks_us_to_wait(local, agency, said, heard):
    agency.answer = lambda _p: (503, {"retry-after": said.encode().decode("latin-1")}, b"")
    assert local.post(agency.url, HEADERS, b"") == Answer(503, "", heard)


def test_a_long_answer_is_cut_off(local, agency):
    sent = []

    def talk(_post):
        sent.append(1)
        return 200, {"content-length": str(10**9)}, b"x" * (4 * ANSWER_BYTES)

    agency.answer = talk
    began = monotonic()
    assert local.post(agency.url, HEADERS, b"") == Answer(200, "")
    assert monotonic() - began < 30
    agency.answer = lambda _p: (200, {}, b"")
    assert local.post(agency.url, HEADERS, b"").delivered
    assert agency.connections == 2


@contextmanager
def raw(*said: bytes, again: bytes = b""):
    """A receiver that says these bytes and then `again` and again, ten times a second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = socket.socketpair()

        def serve():
            caller, _ = server.accept()
            with caller:
                caller.recv(65_536)
                try:
                    for part in said:
                        caller.sendall(part)
                    ended[1].settimeout(0.1)
                    while True:
                        try:
                            if not ended[1].recv(1):
                                return
                        except TimeoutError:
                            caller.sendall(again)
                except OSError:
                    return  # We were cut off, as we should be.

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            ended[0].close()
            thread.join(10)
            ended[1].close()


@pytest.mark.parametrize(
    ("said", "again", "status"),
    [
        pytest.param([], b"", 0, id="silence"),
        pytest.param([b"HTTP/1.1 200 OK\r\n"], b"x", 0, id="a header without end"),
        pytest.param(
            [], b"HTTP/1.1 100 Continue\r\n\r\n", 0, id="one interim answer after another"
        ),
        pytest.param([], b"H", 0, id="a status that drips"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"], b"x", 200, id="a body that drips"
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"], b"", 200, id="a body that stops"
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
            b"",
            200,
            id="a body that is malformed",
        ),
        pytest.param([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], b"", 0, id="another protocol"),
    ],
)
def test_a_receiver_that_does_not_come_to_an_end(said, again, status):
    # A whole header is waited for as long as a busy machine takes to send it.
    sender = hasty(0.4 if status == 0 else 3)
    with raw(*said, again=again) as url:
        began = monotonic()
        answer = sender.post(url, HEADERS, b"")
        assert monotonic() - began < 30
    assert answer.status == status
    assert bool(answer.reason) == (status == 0)
    assert "127.0.0.1" not in answer.reason


def test_half_a_header_is_no_answer_however_slowly_it_was_cut_off(monkeypatch):
    def slowly(sock):
        shut(sock)
        sleep(0.3)  # The timer's thread is not given the processor back at once.

    shut = send._shut
    monkeypatch.setattr(send, "_shut", slowly)
    with raw(b"HTTP/1.1 200 OK\r\n", again=b"x") as url:
        assert hasty(0.4).post(url, HEADERS, b"").status == 0


def test_nobody_there(local):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = local.post(f"http://127.0.0.1:{port}/", HEADERS, b"")
    assert (answer.status, answer.delivered) == (0, False)
    assert answer.reason


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "no url",
        "http://",
        "http://[::1/",
        "http://example.org:99999/",
        f"http://{'a' * 64}.vn/",
        "http://a..vn/",
    ],
)
def test_what_is_no_endpoint_is_an_answer_too(strict, url, dialled):
    answer = strict.post(url, HEADERS, b"")
    assert (answer.status, dialled) == (0, [])
    assert answer.reason


REFUSED = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::127.0.0.1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
ALLOWED = [
    PUBLIC,
    "1.1.1.1",
    "2606:4700::1111",
    "::ffff:93.184.216.34",
    "64:ff9b::93.184.216.34",
    "2002:5db8:d822::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public(strict, names, dialled, address):
    assert not permitted(address, loopback=False)
    names["agency.test"] = [[address]]
    bare = address.split("%")[0]
    urls = [f"http://{f'[{bare}]' if ':' in bare else bare}/", "http://agency.test/"]
    urls += ["https://agency.test/"]
    for url in urls:
        assert strict.post(url, HEADERS, b"") == Answer(0, "address-refused")
    assert dialled == []


@pytest.mark.parametrize("address", ALLOWED)
def test_addresses_that_are_public(address):
    assert permitted(address, loopback=False)
    assert permitted(address, loopback=True)


def test_loopback_and_nothing_else_private_is_allowed_locally():
    allowed = {address for address in REFUSED if permitted(address, loopback=True)}
    assert allowed == {
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
    }


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "http://127.1/"])
def test_other_spellings_of_loopback(strict, dialled, names, url):
    """What the system's resolver reads as an address is judged as that address."""
    host = url.split("/")[2]
    names[host] = [[socket.inet_ntoa(socket.inet_aton(host))] if "x" not in host else ["127.0.0.1"]]
    assert strict.post(url, HEADERS, b"") == Answer(0, "address-refused")
    assert dialled == []


def test_one_private_address_among_public_ones_is_enough(strict, names, dialled):
    names["agency.test"] = [[PUBLIC, "10.0.0.1"]]
    assert strict.post("http://agency.test/", HEADERS, b"").reason == "address-refused"
    assert dialled == []


def test_a_name_that_changes_its_mind_gains_nothing(strict, names, agency, dialled):
    """DNS rebinding: public when checked, this machine when asked again."""
    port = agency.url.split(":")[2].split("/")[0]
    for answers in ([[PUBLIC], ["127.0.0.1"]], [["127.0.0.1"], [PUBLIC]]):
        names["agency.test"] = answers
        for _ in range(3):
            assert not strict.post(f"http://agency.test:{port}/in", HEADERS, b"").delivered
    assert agency.posts == []
    assert dialled
    assert set(dialled) == {PUBLIC}  # And there the tests' own fence stopped it.


def test_a_name_may_lead_to_this_machine_locally(local, names, agency):
    names["agency.test"] = [["127.0.0.1"]]
    url = agency.url.replace("127.0.0.1", "agency.test")
    assert local.post(url, HEADERS, b"").delivered
    assert agency.posts[0].headers["Host"].startswith("agency.test:")


def test_an_address_that_does_not_answer_gives_way_to_the_next(local, names, agency):
    names["agency.test"] = [["127.0.0.2", "127.0.0.1"]]
    assert local.post(agency.url.replace("127.0.0.1", "agency.test"), HEADERS, b"").delivered


# The addresses nobody may be led to, as the registries list them.
SPECIAL = [
    ip_network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
]
private = st.sampled_from(SPECIAL).flatmap(
    lambda block: st.integers(0, block.num_addresses - 1).map(lambda n: block[n])
)


def inside(v4: IPv4Address, form: str) -> IPv6Address:
    """An IPv4 address, in one of the ways IPv6 has to hold one."""
    n = int(v4)
    return IPv6Address(
        {
            "mapped": 0xFFFF << 32 | n,
            "compatible": n,
            "translated": 0xFFFF << 48 | n,
            "NAT64": 0x64FF9B << 96 | n,
            "6to4": 0x2002 << 112 | n << 80 | 1,
            "Teredo server": 0x20010000 << 96 | n << 64 | 0xA247_27DD,
            "Teredo client": 0x20010000 << 96 | 0x0101_0101 << 64 | n ^ 0xFFFF_FFFF,
        }[form]
    )


FORMS = ("mapped", "compatible", "translated", "NAT64", "6to4", "Teredo server", "Teredo client")


@given(private, st.sampled_from(FORMS))
def test_no_private_address_in_any_form(address, form):
    assert not permitted(str(address), loopback=False)
    assert not permitted(str(inside(address, form)), loopback=False)
    assert permitted(str(address), loopback=True) == address.is_loopback


@given(st.ip_addresses())
def test_any_address_is_judged(address):
    strictly = permitted(str(address), loopback=False)
    assert permitted(str(address), loopback=True) >= strictly
    if isinstance(address, IPv4Address):
        assert strictly == (address.is_global and not address.is_multicast)
        assert permitted(str(inside(address, "mapped")), loopback=False) == strictly
    elif strictly:
        assert address in ip_network("2000::/3") or address.ipv4_mapped or int(address) >> 96
