"""One signed POST to one agency: only to public addresses, checked when connecting; no redirects.

Names are resolved once and the connection goes to the address that was checked, so a name that
changes its mind between check and connect (DNS rebinding) gains nothing. In the local profile
loopback, and nothing else private, is allowed.
"""

import json
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from math import ceil
from threading import Event, Timer
from time import monotonic
from typing import Any, ClassVar, NamedTuple

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

CONNECT_S, SEND_S, READ_S = 5.0, 20.0, 20.0
"""Seconds for connecting, for each pause while the body goes out, and for each in the answer."""
ANSWER_BYTES = 16 * 1024
"""How much of a receiver's answer is read."""
ANSWER_S = 20.0
"""How long a receiver may take to answer in all, however it spreads its bytes."""
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_RECEIPT, _HEADER_CHARS = ("webhook-id", "webhook-timestamp", "webhook-signature"), 1_000
_ERROR = 400
# A word such as `document-type-unknown` or a gateway's number such as 18. No six digits in a row:
# telephone and identity numbers are longer.
_CODE = re.compile(r"(?!.*[0-9]{6})[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_RETRY_AFTER = re.compile(r"[0-9]{1,9}")


class AddressRefused(OSError):  # noqa: N818 -- named as the fact it states.
    """The endpoint's name leads to an address that is not public."""


class Verdict(Enum):
    """What an answer means for its message."""

    TAKEN = "the receiver has it"
    AGAIN = "not now: try again, with longer and longer pauses"
    SLOWLY = "the receiver does not let us in: people must mend that, so try again seldom"
    GONE = "the receiver wants no more posts here until an operator says otherwise"
    REFUSED = "the receiver will never take this message"


_NOT_LET_IN = frozenset({401, 403})
_GONE = 410
_NOT_FINAL = frozenset({408, 409, 425, 429})
"""Refusals that speak of the moment: timeout, conflict, too early, too many."""


class Signed(NamedTuple):
    """A receiver's answer that carries Standard Webhooks headers: its receipt."""

    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """What somebody answered, word for word: at most `ANSWER_BYTES` of it.

    Without an answer `status` is 0 and `reason` says why. Header names are in lower case.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: the HTTP status, or 0 and the reason why there was none.

    With a status, `reason` is the `code` of a JSON answer, if it has one. `retry_after` is the
    header of that name: seconds or a moment (RFC 9110, section 10.2.3). `final`: nothing could be
    sent, and that will not change by itself. `signed` is the receiver's receipt, if it gave one.
    """

    status: int
    reason: str
    retry_after: int | datetime | None = None
    final: bool = False
    signed: Signed | None = None

    @property
    def delivered(self) -> bool:
        """The receiver has taken the message."""
        return self.verdict is Verdict.TAKEN

    @property
    def verdict(self) -> Verdict:
        """What it means: a 4xx is final unless it speaks of the moment or of our credentials."""
        match self.status // 100:
            case _ if self.final:
                return Verdict.REFUSED
            case 2:
                return Verdict.TAKEN
            case 4 if self.status in _NOT_LET_IN:
                return Verdict.SLOWLY
            case 4 if self.status == _GONE:
                return Verdict.GONE
            case 4 if self.status not in _NOT_FINAL:
                return Verdict.REFUSED
            case _:
                return Verdict.AGAIN

    @property
    def refusal(self) -> str:
        """Why it was refused: status and code, or our own reason."""
        return f"{self.status} {self.reason}".strip() if self.status else self.reason

    def asked_s(self, now: datetime) -> int:
        """How many seconds the receiver asks us to wait."""
        if isinstance(self.retry_after, datetime):
            return max(0, ceil((self.retry_after - now).total_seconds()))
        return self.retry_after or 0


def permitted(address: str, *, loopback: bool) -> bool:
    """Whether a packet may go to `address`: globally routable, or loopback where that is allowed.

    An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo) is judged as itself; of the
    rest of IPv6 only 2000::/3 is public (IANA, "IPv6 Address Space").
    """
    ip = ip_address(address.split("%", 1)[0])
    return all(_public(part) or (loopback and part.is_loopback) for part in _inner(ip))


def _inner(ip: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(ip, IPv4Address):
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    inner: list[IPv4Address | IPv6Address] = []
    if ip in _NAT64:
        inner.append(IPv4Address(int(ip) & 0xFFFFFFFF))
    if ip.sixtofour:
        inner.append(ip.sixtofour)
    if ip.teredo:
        inner.extend(ip.teredo)
    return inner or [ip]


def _public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False  # Site-local, IPv4-compatible and -translated ones count as global in Python.
    return ip.is_global and not ip.is_multicast


def connect(host: str, port: int, timeout: Any, *, loopback: bool) -> socket.socket:
    """Resolve, check every address, and connect to one that was checked.

    Raises:
        AddressRefused: one of the name's addresses is not permitted.
        OSError: no address answered.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except UnicodeError:  # A label is empty or too long: no name of the DNS.
        raise OSError(f"{host} is not a name") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not permitted(address, loopback=loopback):
            raise AddressRefused(f"{host} leads to an address that is not public")
    error: OSError = OSError(f"{host} has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as failed:
            error = failed
    raise error


def _guarded(
    base: type[HTTPConnection], *, loopback: bool, answer_s: float
) -> type[HTTPConnection]:
    class Guarded(base):  # type: ignore[valid-type,misc]  # The base is urllib3's plain or TLS one.
        def _new_conn(self) -> socket.socket:
            sock = connect(self._dns_host, self.port, self.timeout, loopback=loopback)
            # urllib3 would hold the whole body to the time-out that is meant for connecting.
            sock.settimeout(SEND_S)
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            return sock

        def getresponse(self) -> Any:
            # The read time-out begins anew with every byte, so a drip would hold the lane for ever.
            cut = Event()  # Set before the cut: the timer's own event is set some time after it.
            watch = Timer(answer_s, _cut, (self.sock, cut))
            watch.start()
            try:
                response = super().getresponse()
                if cut.is_set():  # So perhaps only half of it came.
                    response.close()
                    raise TimeoutError
                return response
            finally:
                watch.cancel()

    return Guarded


def _cut(sock: socket.socket, cut: Event) -> None:
    cut.set()
    _shut(sock)


def _shut(sock: socket.socket) -> None:
    # Beneath TLS: the reader, in its own thread, sees the end of the connection.
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Sender:
    """Posts letters. One for each process: connections to busy receivers are kept."""

    _schemes: ClassVar[dict[str, tuple[type[Any], type[Any]]]] = {
        "http": (HTTPConnectionPool, HTTPConnection),
        "https": (HTTPSConnectionPool, HTTPSConnection),
    }

    def __init__(
        self,
        *,
        loopback: bool,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        """`loopback`: this machine's own addresses are allowed (the local profile)."""
        self._answer_s = answer_s
        self._http = urllib3.PoolManager(
            retries=False,
            timeout=urllib3.Timeout(connect=connect_s, read=read_s),
            num_pools=64,
            maxsize=2,  # An agency has two lanes, which may be served at once.
        )
        self._http.pool_classes_by_scheme = {
            scheme: type(
                "Pool",
                (pool,),
                {"ConnectionCls": _guarded(connection, loopback=loopback, answer_s=answer_s)},
            )
            for scheme, (pool, connection) in self._schemes.items()
        }

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send once; whatever goes wrong is an answer, not an error."""
        reply = self.ask(url, headers, body)
        if not reply.status:
            return Answer(0, reply.reason)
        receipt = {
            name: reply.headers[name][:_HEADER_CHARS] for name in _RECEIPT if name in reply.headers
        }
        signed = Signed(receipt, reply.body) if len(receipt) == len(_RECEIPT) else None
        after = _moment(reply.headers.get("retry-after", ""))
        reason = "" if reply.status < _ERROR else _code(reply.body)
        return Answer(reply.status, reason, after, signed=signed)

    def ask(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The same, for the answer's sake; nothing in it is to be believed without proof."""
        until = monotonic() + self._answer_s
        try:
            response = self._http.request(
                "POST", url, body=body, headers=dict(headers), redirect=False, preload_content=False
            )
            try:
                # Read in any case, so that the connection can be used again.
                body = self._read(response, until)
            finally:
                # A receiver that talks on is cut off.
                response.drain_conn() if response.length_remaining == 0 else response.close()
        except (HTTPError, OSError) as error:
            return Reply(0, _why(error), {}, b"")
        given = {name.lower(): value for name, value in response.headers.itermerged()}
        return Reply(response.status, "", given, body)

    @staticmethod
    def _read(response: urllib3.BaseHTTPResponse, until: float) -> bytes:
        """The answer's body as far as it came; the status stands whatever becomes of it."""
        body = b""
        with suppress(HTTPError, OSError):
            while len(body) < ANSWER_BYTES and monotonic() < until:
                read = response.read1(ANSWER_BYTES - len(body), decode_content=False)
                if not read:
                    break
                body += read
        return body


def _code(body: bytes) -> str:
    """The public code in a JSON answer; nothing longer, and nothing that may name a person."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = str(found.get("code", "")) if isinstance(found, dict) else ""
    return code if _CODE.fullmatch(code) else ""


def _moment(after: str) -> int | datetime | None:
    """What a Retry-After says; None if it says nothing that we understand."""
    if _RETRY_AFTER.fullmatch(after):
        return int(after)
    try:
        found = parsedate_to_datetime(after[:64])
    except ValueError:
        return None
    # HTTP's dates are always UTC; one that names no zone is meant so.
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _why(error: BaseException) -> str:
    """The kind of failure, without the URL or anything the receiver said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AddressRefused):
            return "address-refused"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
