"""What is about a person is stored only sealed, and can be forgotten."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import boto3
import pytest
from axis import Axis, once
from ballot import origin
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError
from shelves import REGION, moto_rack

from chalicelib.eventstore.store import EventStore
from chalicelib.kernel import Event
from chalicelib.privacy.keys import CACHE_S, KeyRing, Vault, _month_before
from chalicelib.privacy.personal import Erased, Personal

# Demo data: nobody's name.
NAME = "Nguyễn Thị Demo"
WHERE = "dossier-1@1"


class Applied(Event):
    """Somebody applied for something."""

    type: Literal["dossier.applied"] = "dossier.applied"
    name: Personal[str]


class World:
    """A table of keys, a master key, and processes that use them."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.kms = boto3.client("kms", region_name=REGION)
        self.master = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.table, self.epochs = axis.table("SubjectKeys"), axis.table("EpochKeys")
        self.now, self.today = 0.0, datetime(2026, 11, 22, tzinfo=UTC)

    def process(self) -> KeyRing:
        """The keys as a process of its own knows them."""
        aws = self.axis.dynamodb, self.kms
        epochs = KeyRing(*aws, self.epochs, self.master, lambda: self.now)
        return KeyRing(*aws, self.table, self.master, lambda: self.now, epochs, lambda: self.today)

    def erase(self, subject: str) -> None:
        """Forget a person."""
        self.process().forget(subject)

    def item(self, subject: str) -> dict[str, Any]:
        """A person's key as stored."""
        key = {"subject": {"S": subject}}
        return dict(self.axis.dynamodb.get_item(TableName=self.table, Key=key)["Item"])


@pytest.fixture
def world() -> Iterator[World]:
    with moto_rack() as rack:
        yield World(Axis(rack))


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda event: event.model_dump(), id="as data"),
        pytest.param(lambda event: event.model_dump(mode="json"), id="as JSON data"),
        pytest.param(lambda event: event.model_dump_json(), id="as JSON"),
        pytest.param(lambda event: event.name.model_dump_json(), id="alone"),
        pytest.param(lambda event: event.model_dump(context={"where": WHERE}), id="without a seal"),
    ],
)
def test_it_is_never_written_openly(write):
    event = Applied(name=Personal[str](subject="person-1", value=NAME))
    with pytest.raises((PydanticSerializationError, ValueError), match="only sealed") as refusal:
        write(event)
    assert NAME not in str(refusal.value)


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format])
def test_it_is_never_shown(show):
    person = Personal[str](subject="person-1", value=NAME)
    sealed = Personal[str](subject="person-1", sealed="c2VhbGVk", where=WHERE)
    for shown in (person, Applied(name=person), [person], sealed):
        assert "Demo" not in show(shown)
        assert "c2VhbGVk" not in show(shown)
        assert "person-1" in show(shown)


def test_a_store_without_keys_stores_nothing_personal(world):
    event = Applied(name=Personal[str](subject="person-1", value=NAME))
    with pytest.raises((PydanticSerializationError, RuntimeError), match="no keys"):
        world.axis.store.append("dossier-1", None, [event], origin("a"))
    assert world.axis.store.load("dossier-1") == []


@pytest.fixture
def applied(world):
    """An event in a store, as another process reads it."""
    store = EventStore(world.axis.shelf, "2026.1", Vault(world.process()).seal)
    event = Applied(name=Personal[str](subject="person-1", value=NAME))
    store.append("dossier-1", None, [event], origin("a"))
    (commit,) = store.load("dossier-1")
    assert NAME.encode() not in commit.body + commit.header
    assert b" Demo" not in commit.body + commit.header
    return Applied.model_validate(commit.data()[0])


def test_what_was_stored_can_be_read_with_the_persons_key(world, applied):
    assert applied.name.value is None
    assert applied.name.open(Vault(world.process()).open) == NAME
    # Written again, for a view, it stays as it is.
    again = Applied.model_validate(json.loads(applied.model_dump_json()))
    assert again == applied
    assert again.name.open(Vault(world.process()).open) == NAME


def test_a_new_value_is_open_to_whoever_made_it():
    def nobody(*_args):
        raise AssertionError

    assert Personal[str](subject="person-1", value=NAME).open(nobody) == NAME


def test_it_is_bound_to_its_place_and_its_person(world, applied):
    vault = Vault(world.process())
    vault.keys.key("person-2")
    for moved in ({"where": "dossier-1@2"}, {"where": "dossier-2@1"}, {"subject": "person-2"}):
        with pytest.raises(InvalidTag):
            applied.name.model_copy(update=moved).open(vault.open)


@given(data=st.binary(max_size=80), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_no_changed_bit_goes_unnoticed(data, at, bit):
    class Ring:
        """One key, no table."""

        def key(self, _subject, *, create=True):
            return bytes(32)

        def remembers(self, _subject):
            return False

        def renewed(self, _subject):
            return False

    vault = Vault(Ring())
    sealed = vault.seal_bytes("person-1", WHERE, data)
    assert vault.open_bytes("person-1", WHERE, sealed) == data
    assert vault.seal_bytes("person-1", WHERE, data) != sealed
    altered = bytearray(sealed)
    altered[at % len(sealed)] ^= 1 << bit
    with pytest.raises(InvalidTag):
        vault.open_bytes("person-1", WHERE, bytes(altered))


def test_a_forgotten_person_cannot_be_read(world, applied):
    world.erase("person-1")
    with pytest.raises(Erased):
        applied.name.open(Vault(world.process()).open)
    with pytest.raises(Erased):
        Vault(world.process()).open("nobody", WHERE, applied.name.sealed)


def test_a_key_made_after_forgetting_opens_nothing_from_before(world, applied):
    world.erase("person-1")
    vault = Vault(world.process())
    new = vault.seal("person-1", "dossier-9@1", b"new")
    for process in (vault, Vault(world.process())):
        assert process.open("person-1", "dossier-9@1", new) == b"new"
        with pytest.raises(Erased):
            applied.name.open(process.open)


def test_a_process_that_remembers_the_old_key_reads_what_is_new(world, applied):
    warm = Vault(world.process())
    assert applied.name.open(warm.open) == NAME
    world.erase("person-1")
    new = Vault(world.process()).seal("person-1", "dossier-9@1", b"new")
    assert warm.open("person-1", "dossier-9@1", new) == b"new"
    with pytest.raises(Erased):
        applied.name.open(warm.open)


def test_what_was_altered_is_seen_to_be_also_by_who_remembers_the_key(world, applied):
    warm = Vault(world.process())
    assert applied.name.open(warm.open) == NAME
    with pytest.raises(InvalidTag):
        warm.open("person-1", "dossier-2@1", applied.name.sealed)


def test_plain_keys_live_five_minutes_at_most(world):
    ring = world.process()
    key = ring.key("person-1")
    ring.key("person-2")
    world.erase("person-1")
    world.now = CACHE_S - 1
    assert ring.key("person-1", create=False) == key
    assert CACHE_S <= 300

    world.now = CACHE_S
    with pytest.raises(Erased):
        ring.key("person-1", create=False)
    assert "person-1" not in ring._plain
    # Nobody asks for the other's again; it goes all the same.
    ring.key("person-3")
    assert ring._plain.keys() == {"person-3"}


def test_a_cached_key_is_not_asked_for_again(world):
    ring = world.process()
    ring.key("person-1")
    world.axis.rack.calls.clear()
    ring.key("person-1")
    assert world.axis.rack.calls == []


def test_processes_agree_on_a_key(world):
    assert world.process().key("person-1") == world.process().key("person-1", create=False)
    assert world.process().key("person-2") != world.process().key("person-1")
    assert len(world.process().key("person-1")) == 32


def test_two_that_make_a_key_at_once_agree(world):
    theirs = []
    overtake = once(lambda: theirs.append(world.process().key("person-1")))
    world.axis.listen("before-call.dynamodb.PutItem", overtake)
    ours = world.process().key("person-1")
    assert theirs == [ours]
    assert world.process().key("person-1", create=False) == ours


def test_a_key_is_wrapped_for_its_person_alone(world):
    plain = world.process().key("person-1")
    item = world.item("person-1")
    assert item.keys() == {"subject", "wrapped", "epoch"}
    assert plain not in item["wrapped"]["B"]

    # An intruder puts one person's key under another's name.
    forged = item | {"subject": {"S": "person-2"}}
    world.axis.dynamodb.put_item(TableName=world.table, Item=forged)
    with pytest.raises(InvalidTag):
        world.process().key("person-2")
    # The epoch's own key is wrapped for that epoch alone, by KMS.
    [epoch] = world.axis.dynamodb.scan(TableName=world.epochs)["Items"]
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        world.kms.decrypt(KeyId=world.master, CiphertextBlob=epoch["wrapped"]["B"])


# Epochs: what a backup holds dies too.


def never():
    return False


def test_a_backup_of_a_key_dies_with_its_epoch(world, applied):
    backup = world.item("person-1")
    world.process().key("person-2")
    world.erase("person-1")
    key = world.process().key("person-2")
    for month in (12, 13, 14):
        world.today = datetime(2026 + (month > 12), (month - 1) % 12 + 1, 3, tzinfo=UTC)
        world.process().key(f"person-of-{month}")
        renewed = world.process().renew(never)
        # The last month's keys are let be: somebody may be wrapping under it at this moment.
        assert renewed == (0 if month == 12 else 1)
    assert world.item("person-2")["epoch"]["S"] == "2027-01"
    assert world.process().key("person-2") == key

    world.axis.dynamodb.put_item(TableName=world.table, Item=backup)
    with pytest.raises(Erased, match="2026-11"):
        applied.name.open(Vault(world.process()).open)


def test_an_epoch_lives_until_nothing_is_wrapped_under_it(world):
    keys = {f"person-{n}": world.process().key(f"person-{n}") for n in range(5)}
    world.erase("person-4")
    world.today = datetime(2027, 3, 1, tzinfo=UTC)
    # Whoever destroys keys makes none: somebody else begins the month.
    assert world.process().renew(never) == 0
    assert world.process().epochs.subjects() == ["2026-11"]
    world.process().begin_epoch()
    left = [False, False, True]
    assert world.process().renew(lambda: left.pop(0)) == 2
    assert world.process().epochs.subjects() == ["2026-11", "2027-03"]
    assert world.process().renew(never) == 2
    assert world.process().epochs.subjects() == ["2027-03"]
    assert world.process().renew(never) == 0
    assert {name: world.process().key(name) for name in keys if name != "person-4"} == {
        name: key for name, key in keys.items() if name != "person-4"
    }
    with pytest.raises(Erased):
        world.process().key("person-4", create=False)


def test_whoever_is_forgotten_while_keys_are_wrapped_anew_stays_forgotten(world):
    world.process().key("person-1")
    world.today = datetime(2027, 3, 1, tzinfo=UTC)
    world.process().begin_epoch()
    forget = once(lambda: world.erase("person-1"), lambda params, **_: b":new" in params["body"])
    world.axis.listen("before-call.dynamodb.UpdateItem", forget)
    assert world.process().renew(never) == 0
    with pytest.raises(Erased):
        world.process().key("person-1", create=False)


def test_a_key_from_before_there_were_epochs_is_still_read(world):
    old = KeyRing(world.axis.dynamodb, world.kms, world.table, world.master)
    key = old.key("person-1")
    assert world.process().key("person-1", create=False) == key
    world.process().key("person-2")
    world.today = datetime(2027, 3, 1, tzinfo=UTC)
    world.process().begin_epoch()
    assert world.process().renew(never) == 2
    assert world.process().key("person-1", create=False) == key


@pytest.mark.parametrize(
    ("month", "before"), [("2026-11", "2026-10"), ("2027-01", "2026-12"), ("2026-12", "2026-11")]
)
def test_the_month_before(month, before):
    assert _month_before(month) == before


def test_it_is_known_that_there_was_a_key(world):
    assert not world.process().known("person-1")
    world.process().key("person-1")
    assert world.process().known("person-1")
    world.erase("person-1")
    assert world.process().known("person-1")
    assert world.item("person-1").keys() == {"subject", "erased_at"}
