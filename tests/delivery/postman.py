"""A deliverer on the axis under test, with a clock, a receiver and letters that tests set."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from ballot import BallotEvent, VoteCast
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.delivery.address import Address, Window
from chalicelib.delivery.deliver import Deliverer, Letter, NotComposed
from chalicelib.delivery.outbox import Notice, Routing
from chalicelib.delivery.parking import Abandonment, Parking
from chalicelib.delivery.send import Sender

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LANE = "G01#normal"
SEED = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
SECRET = b"a secret of thirty-two bytes ...."
ROUTE = Routing(
    BallotEvent, lambda s, e: [Notice(agency=e.voter, case=s, urgent=e.note == "urgent")]
)


class Post:
    """The deliverer under test, with a clock that tests set."""

    def __init__(self, axis, agency, parking=Parking):
        self.axis = axis
        self.agency = agency
        self.now = NOW
        self.arrived = []
        self.parked = []
        self.unwritable = set()
        self.parking = parking(axis.dynamodb, axis.table("Parked"), axis.lanes)
        self.signature = "v1a"
        self.known = True
        self.locks = ()
        self.window = Window()
        self.pulls = False
        self.deliverer = Deliverer(
            outbox=axis.outbox,
            lanes=axis.lanes,
            parking=self.parking,
            attempts=axis.attempts,
            store=axis.store,
            sender=Sender(loopback=True),
            seed=lambda: SEED,
            open_secret=lambda _address: SECRET,
            addresses=self.address,
            compose=self.compose,
            delivered=lambda m, c: self.arrived.append((m.id, c.seen)),
            refused=lambda m, _commit, why: self.parked.append((m.id, why)),
            clock=lambda: self.now,
        )

    def compose(self, message, commit, _address):
        if commit.stream in self.unwritable:
            raise NotComposed("LetterTooLarge")
        return Letter(content_type="text/plain", body=f"{message.id} {commit.seen}".encode())

    def address(self, agency):
        if not self.known:
            return None
        return Address(
            agency=agency,
            system="system-1",
            endpoint="" if self.pulls else self.agency.url,
            profile="cloudevents",
            public_keys=(b64encode(PUBLIC).decode(),),
            signature=self.signature,
            locks=self.locks,
            windows={"system-1": {b64encode(PUBLIC).decode(): self.window}},
        )

    @staticmethod
    def vote(voter, note=""):
        return VoteCast(voter=voter, note=note)

    def send(self, *streams, to="G01"):
        for stream in streams:
            self.axis.happen(stream, VoteCast(voter=to))
        self.axis.outbox.extend(self.axis.reader(), [ROUTE])

    def serve(self, owner="a", lane=LANE, until_s=900):
        return self.deliverer.serve(lane, owner, self.now + timedelta(seconds=until_s))

    def give_up(self, number=1, why="never to be read"):
        """An operator's order about a message that is parked first of its case."""
        message = self.axis.outbox.message(LANE, number)
        first = self.parking.of(LANE, message.case)[0]
        self.now += timedelta(seconds=1)
        order = Abandonment(reason=why, at=self.now, by="administrator:a")
        for update in self.parking.giving_up(first, order):
            self.axis.dynamodb.update_item(**update)
        return order

    def lane(self, name=LANE):
        return next(lane for lane in self.axis.lanes.every() if lane.lane == name)

    def ids(self, lane=LANE):
        """The ids of everything in a lane, in order."""
        head = self.axis.outbox.head(lane)
        return [self.axis.outbox.message(lane, n).id for n in range(1, head + 1)]

    def got(self):
        """The ids of everything posted, in order."""
        return [post.headers["webhook-id"] for post in self.agency.posts]
