from datetime import UTC, date, datetime, timedelta

import pytest

from chalicelib.contexts.agencies.domain.events import (
    AgencyDissolved,
    AgencyMerged,
    AgencyMoved,
    AgencyRegistered,
    AgencyRenamed,
    AgencySystemKeysRotated,
    AgencySystemLocked,
    AgencySystemRegistered,
    AgencySystemUnlocked,
    AgencyValidityCorrected,
    KeyWindow,
)
from chalicelib.contexts.agencies.projections import (
    how_is_an_agency_reached,
    which_agencies_did_it_succeed,
    which_agencies_take_part,
    which_systems_are_connected,
    which_units_belong_to_an_agency,
)
from chalicelib.contexts.agencies.projections.which_agencies_did_it_succeed import Predecessor
from chalicelib.contexts.agencies.projections.which_agencies_take_part import Participant, matches
from chalicelib.contexts.agencies.projections.which_units_belong_to_an_agency import Unit
from chalicelib.contexts.documents.projections import who_takes_part
from chalicelib.delivery.address import Address
from chalicelib.privacy.personal import Personal
from chalicelib.succession import heir_of

# Demo data: no agency is called so.
SEALED = Personal[str](subject="system:Z01:egov", sealed="c2VhbGVk", where="agency-Z01@2")
entered = AgencyRegistered(
    code="Z01",
    given="000.00.00.Z01",
    name="Bộ Đo lường",
    name_english="Ministry of Measures",
    valid_from=date(2025, 7, 1),
    source="demo data",
)
connected = AgencySystemRegistered(
    code="Z01",
    system="egov",
    kind="documents",
    endpoint="https://one.example/in",
    profile="edxml",
    public_keys=("a2V5",),
    signature="v1",
    secret=SEALED,
    secret_print="print-1",
)
archive = connected.model_copy(
    update={"kind": "archive", "system": "archive", "endpoint": "https://archive.example"}
)
SOURCE = {"code": "Z01", "source": "demo data", "effective_on": date(2026, 7, 1)}
renamed = AgencyRenamed(name="Bộ Cân", name_english="Ministry of Scales", **SOURCE)
moved = AgencyMoved(parent="Z02", **SOURCE)
corrected = AgencyValidityCorrected(
    code="Z01", valid_from=None, valid_to=date(2026, 12, 31), source="demo data"
)
dissolved = AgencyDissolved(**SOURCE)
merged = AgencyMerged(successor="Z02", **SOURCE)
LIFE = [renamed, moved, corrected, dissolved]
participant = Participant(
    code="Z01",
    given="000.00.00.Z01",
    kind="Z",
    name="Bộ Đo lường",
    name_english="Ministry of Measures",
    valid_from=date(2025, 7, 1),
    valid_to=None,
    parent=None,
    source="demo data",
    note="",
)
address = Address(
    agency="Z01",
    system="egov",
    endpoint="https://one.example/in",
    profile="edxml",
    public_keys=("a2V5",),
    signature="v1",
    secret=SEALED,
)


def folded(projection, *events):
    row = None
    for event in events:
        row = projection.evolve(row, event)
    return row


@pytest.mark.parametrize(
    ("events", "row"),
    [
        ([entered], participant),
        (
            [entered, connected],
            participant.model_copy(update={"has_system": True, "connected": True}),
        ),
        ([entered, archive], participant.model_copy(update={"has_system": True})),
        (
            [entered, connected, archive],
            participant.model_copy(update={"has_system": True, "connected": True}),
        ),
        ([connected], None),
        (
            [entered, *LIFE],
            lived := participant.model_copy(
                update={
                    "name": "Bộ Cân",
                    "name_english": "Ministry of Scales",
                    "former_names": ("Bộ Đo lường",),
                    "parent": "Z02",
                    "valid_from": None,
                    "valid_to": date(2026, 6, 30),
                    "dissolved": True,
                }
            ),
        ),
        (
            [entered, merged],
            participant.model_copy(update={"successor": "Z02", "valid_to": date(2026, 6, 30)}),
        ),
        (LIFE, None),
    ],
)
def test_which_agencies_take_part(events, row):
    answer = which_agencies_take_part.answer
    assert folded(answer, *events) == row
    assert row is None or (getattr(row, answer.by), getattr(row, answer.sort)) == ("all", "Z01")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("Z01", True),
        ("000.00.00.z01", True),
        ("do luong", True),
        ("ĐO LƯỜNG", True),
        ("measures", True),
        ("weights", False),
    ],
)
def test_searching_overlooks_accents_and_capitals(text, found):
    assert matches(participant.model_dump(), text) is found
    assert matches(lived.model_dump(), text) is (found and text != "measures")


def test_a_unit_has_its_level():
    unit = folded(
        which_agencies_take_part.answer, entered.model_copy(update={"code": "Z01.05.002"})
    )
    assert (unit.kind, unit.level) == ("Z", 3)


unit = Unit(
    code="Z01",
    name="Bộ Đo lường",
    name_english="Ministry of Measures",
    parent=None,
    since_on=date(2025, 7, 1),
    valid_from=date(2025, 7, 1),
    valid_to=None,
)


@pytest.mark.parametrize(
    ("events", "row"),
    [
        ([entered, connected], unit),
        ([entered, moved], unit.model_copy(update={"parent": "Z02", "since_on": date(2026, 7, 1)})),
        (
            [entered, *LIFE],
            unit.model_copy(
                update={
                    "name": "Bộ Cân",
                    "name_english": "Ministry of Scales",
                    "parent": "Z02",
                    "since_on": date(2026, 7, 1),
                    "valid_from": None,
                    "valid_to": date(2026, 6, 30),
                }
            ),
        ),
        (LIFE, None),
    ],
)
def test_which_units_belong_to_an_agency(events, row):
    assert folded(which_units_belong_to_an_agency.answer, *events) == row


predecessor = Predecessor(
    code="Z01", name="Bộ Đo lường", name_english="Ministry of Measures", valid_to=None
)


@pytest.mark.parametrize(
    ("events", "row"),
    [
        (
            [entered, connected, dissolved],
            predecessor.model_copy(update={"valid_to": date(2026, 6, 30)}),
        ),
        (
            [entered, renamed, corrected],
            predecessor.model_copy(
                update={
                    "name": "Bộ Cân",
                    "name_english": "Ministry of Scales",
                    "valid_to": date(2026, 12, 31),
                }
            ),
        ),
        (
            [entered, merged],
            predecessor.model_copy(update={"successor": "Z02", "valid_to": date(2026, 6, 30)}),
        ),
        ([*LIFE, merged], None),
    ],
)
def test_which_agencies_did_it_succeed(events, row):
    assert folded(which_agencies_did_it_succeed.answer, *events) == row


JULY = date(2026, 7, 1)


@pytest.mark.parametrize(
    ("code", "day", "answers"),
    [
        pytest.param("Z01", date(2026, 6, 30), "Z01", id="itself, to its last day"),
        pytest.param("Z01", JULY, "Z02", id="from then on its successor"),
        pytest.param("Z01", date(2026, 8, 1), "Z03", id="and that one's successor in its turn"),
        pytest.param("Z02", JULY, "Z02", id="the successor itself"),
        pytest.param("Z04", date(2026, 6, 30), "Z04", id="until it is dissolved"),
        pytest.param("Z04", JULY, None, id="nobody, once it is dissolved"),
        pytest.param("Z05", JULY, None, id="nobody, if successors form a ring"),
        pytest.param("Z07", date(2025, 6, 30), None, id="nobody, before its first day"),
        pytest.param("Z99", JULY, None, id="nobody, if it was never registered"),
    ],
)
def test_who_answers_for_an_agency(code, day, answers):
    def merged_into(successor, on=JULY):
        return AgencyMerged(code="-", successor=successor, effective_on=on, source="demo data")

    lives = {
        "Z01": [merged_into("Z02")],
        "Z02": [merged_into("Z03", date(2026, 8, 1))],
        "Z03": [],
        "Z04": [dissolved],
        "Z05": [merged_into("Z06")],
        "Z06": [merged_into("Z05")],
        "Z07": [merged_into("Z03")],
    }
    rows = {
        one: folded(who_takes_part.answer, entered.model_copy(update={"code": one}), *life)
        for one, life in lives.items()
    }
    assert heir_of(code, rows.get, day) == answers


@pytest.mark.parametrize(
    ("code", "above", "day", "below"),
    [
        pytest.param("Z02", "Z01", JULY, True, id="a unit of its own"),
        pytest.param("Z03", "Z01", JULY, True, id="and that one's"),
        pytest.param("Z01", "Z02", JULY, False, id="not the other way round"),
        pytest.param("Z01", "Z01", JULY, False, id="not itself"),
        pytest.param("Z04", "Z01", date(2026, 6, 30), False, id="not before it was moved"),
        pytest.param("Z04", "Z01", JULY, True, id="from the day it was moved"),
        pytest.param("Z05", "Z01", JULY, False, id="not of one that is merged later"),
        pytest.param("Z05", "Z01", date(2026, 8, 1), True, id="of one that was merged into it"),
        pytest.param("Z06", "Z01", JULY, False, id="not if units form a ring"),
        pytest.param("Z99", "Z01", JULY, False, id="not if it was never registered"),
    ],
)
def test_who_is_a_unit_of_whom(code, above, day, below):
    def under(parent, *life):
        events = (entered.model_copy(update={"parent": parent}), *life)
        return folded(who_takes_part.answer, *events)

    move = AgencyMoved(code="-", parent="Z01", effective_on=JULY, source="demo data")
    merger = AgencyMerged(
        code="-", successor="Z01", effective_on=date(2026, 8, 1), source="demo data"
    )
    rows = {
        "Z01": under(None),
        "Z02": under("Z01"),
        "Z03": under("Z02"),
        "Z04": under(None, move),
        "Z05": under("Z08"),
        "Z06": under("Z07"),
        "Z07": under("Z06"),
        "Z08": under(None, merger),
    }
    assert who_takes_part.is_below(code, above, rows.get, day) is below


def test_who_takes_part_knows_the_latest_name_and_the_days():
    assert folded(who_takes_part.answer, *LIFE) is None
    row = folded(who_takes_part.answer, entered, *LIFE)
    assert (row.name, row.valid_from, row.valid_to) == ("Bộ Cân", None, date(2026, 6, 30))


@pytest.mark.parametrize(
    ("events", "day", "active"),
    [
        ([entered], date(2025, 6, 30), False),
        ([entered], date(2025, 7, 1), True),
        ([entered, corrected], date(2025, 6, 30), True),
        ([entered, corrected], date(2026, 12, 31), True),
        ([entered, corrected], date(2027, 1, 1), False),
        ([entered, dissolved], date(2026, 6, 30), True),
        ([entered, dissolved], date(2026, 7, 1), False),
    ],
)
def test_who_takes_part_on_a_day(events, day, active):
    assert folded(who_takes_part.answer, *events).active(day) is active


@pytest.mark.parametrize(
    ("events", "row"),
    [
        pytest.param([entered], None, id="an agency without system"),
        pytest.param([entered, connected], address, id="with one"),
        pytest.param([entered, archive], None, id="with one that takes no documents"),
        pytest.param([entered, connected, archive], address, id="with both"),
        pytest.param(
            [entered, connected, connected.model_copy(update={"endpoint": "https://two.example"})],
            address.model_copy(update={"endpoint": "https://two.example"}),
            id="moved",
        ),
    ],
)
def test_how_is_an_agency_reached(events, row):
    answer = how_is_an_agency_reached.answer
    assert folded(answer, *events) == row
    # The runner stores rows as JSON and reads them back; a sealed secret survives that.
    assert row is None or Address.model_validate_json(row.model_dump_json()) == row


NOW = datetime(2026, 3, 1, tzinfo=UTC)
SYSTEM = {"code": "Z01", "system": "egov", "at": NOW}
rotated = AgencySystemKeysRotated(
    keys=(
        KeyWindow(key="a2V5", not_after=NOW + timedelta(days=7)),
        KeyWindow(key="b3RoZXI", not_before=NOW + timedelta(days=1)),
    ),
    **SYSTEM,
)
locked = AgencySystemLocked(reason="demo data", **SYSTEM)
unlocked = AgencySystemUnlocked(**SYSTEM)


def of_archive(event):
    return event.model_copy(update={"system": "archive"})


@pytest.mark.parametrize(
    ("events", "keys", "is_locked"),
    [
        ([connected, rotated], ("a2V5", "b3RoZXI"), False),
        ([connected, archive, of_archive(rotated)], ("a2V5",), False),
        ([connected, locked], ("a2V5",), True),
        ([connected, locked, connected], ("a2V5",), True),
        ([connected, locked, unlocked], ("a2V5",), False),
        ([connected, of_archive(locked)], ("a2V5",), False),
    ],
)
def test_the_mailbox_after_keys_rotated_and_locks(events, keys, is_locked):
    row = folded(how_is_an_agency_reached.answer, entered, *events)
    assert (row.public_keys, row.locked) == (keys, is_locked)


at_two = connected.model_copy(update={"endpoint": "https://two.example"})
other_keys = connected.model_copy(update={"public_keys": ("bmV3",)})
instead = connected.model_copy(update={"system": "second", "public_keys": ("c2Vj",)})


@pytest.mark.parametrize(
    ("events", "after_days", "keys"),
    [
        pytest.param([connected], 0, ["a2V5"], id="a key is good as long as it stands"),
        pytest.param([connected, rotated], 0, ["a2V5"], id="the new one is not good yet"),
        pytest.param([connected, rotated], 1, ["a2V5", "b3RoZXI"], id="both are, in the overlap"),
        pytest.param([connected, rotated], 7, ["b3RoZXI"], id="the old one has retired"),
        pytest.param([connected, rotated, at_two], 7, [], id="a key that stays keeps its time"),
        pytest.param([connected, rotated, other_keys], 0, ["bmV3"], id="others are good at once"),
        pytest.param(
            [connected, rotated, other_keys, connected], 7, ["a2V5"], id="and so is one come back"
        ),
        pytest.param([connected, rotated, instead], 7, ["c2Vj"], id="those of another mailbox"),
        pytest.param(
            [connected, rotated, instead, connected], 7, [], id="the first system is it again"
        ),
        pytest.param(
            [connected, instead, rotated, at_two], 7, [], id="rotated while it was not the mailbox"
        ),
    ],
)
def test_which_keys_a_mailbox_signs_its_receipts_with(events, after_days, keys):
    row = folded(how_is_an_agency_reached.answer, entered, *events)
    assert row.keys_at(NOW + timedelta(days=after_days)) == keys
    assert Address.model_validate_json(row.model_dump_json()) == row


def test_an_address_from_before_there_were_windows_is_still_read():
    stored = address.model_dump(mode="json", exclude={"windows"})
    assert Address.model_validate(stored).keys_at(NOW) == ["a2V5"]


@pytest.mark.parametrize("event", [rotated, locked, unlocked])
def test_no_mailbox_comes_of_keys_and_locks(event):
    assert folded(how_is_an_agency_reached.answer, entered, event) is None
    assert folded(who_takes_part.answer, event) is None
    assert folded(which_agencies_take_part.answer, entered, event) == participant


@pytest.mark.parametrize(
    ("events", "after_days", "keys"),
    [
        pytest.param([connected], 0, ["a2V5"], id="a key is good as long as it stands"),
        pytest.param([connected, rotated], 0, ["a2V5"], id="the new one is not good yet"),
        pytest.param([connected, rotated], 1, ["a2V5", "b3RoZXI"], id="both are, in the overlap"),
        pytest.param([connected, rotated], 7, ["b3RoZXI"], id="the old one no more"),
        pytest.param(
            [connected, rotated, connected.model_copy(update={"endpoint": "https://two.example"})],
            7,
            [],
            id="a key that stays keeps its time",
        ),
        pytest.param(
            [connected, rotated, connected.model_copy(update={"public_keys": ("bmV3",)})],
            0,
            ["bmV3"],
            id="another one has none",
        ),
    ],
)
def test_which_keys_prove_a_sender(events, after_days, keys):
    row = folded(who_takes_part.answer, entered, *events)
    assert row.systems["egov"].keys_at(NOW + timedelta(days=after_days)) == keys
    assert who_takes_part.Participant.model_validate_json(row.model_dump_json()) == row


@pytest.mark.parametrize(
    ("events", "is_locked"),
    [
        ([], False),
        ([connected], False),
        ([connected, locked], True),
        ([connected, locked, rotated, connected], True),
        ([connected, locked, unlocked], False),
        ([connected, archive, of_archive(locked)], False),
        ([connected, locked, connected.model_copy(update={"system": "other"})], False),
    ],
)
def test_an_agency_is_locked_when_its_mailbox_is(events, is_locked):
    assert folded(who_takes_part.answer, entered, *events).locked is is_locked


@pytest.mark.parametrize(
    ("events", "since", "is_locked"),
    [
        ([connected], None, False),
        ([connected.model_copy(update={"at": NOW}), locked, connected], NOW, True),
        ([connected, locked, unlocked], None, False),
    ],
)
def test_which_systems_are_connected(events, since, is_locked):
    answer = which_systems_are_connected.answer
    row = folded(answer, *events)
    assert (row.agency, row.system, row.kind, row.level) == ("Z01", "egov", "documents", 1)
    assert (row.connected_since, row.locked) == (since, is_locked)
    assert {key for event in events for key in answer.keys(event)} == {"Z01/egov"}


@pytest.mark.parametrize("event", [locked, unlocked])
def test_no_system_comes_of_a_lock(event):
    assert folded(which_systems_are_connected.answer, event) is None


def test_the_share_of_agencies_connected():
    def row(code, *events):
        first = entered.model_copy(update={"code": code, "valid_from": None})
        return folded(which_agencies_take_part.answer, first, *events).model_dump(mode="json")

    rows = [
        row("Z01", connected),
        row("Z02", archive),
        row("Z03", connected, dissolved),
        row("Y01"),
        row("Z01.05", connected),
    ]
    assert which_agencies_take_part.connected(rows, date(2026, 7, 1)) == {
        "agencies": 4,
        "connected": 2,
        "share": 0.5,
        "levels": [
            {"level": 1, "kind": "Y", "agencies": 1, "connected": 0, "share": 0.0},
            {"level": 1, "kind": "Z", "agencies": 2, "connected": 1, "share": 0.5},
            {"level": 2, "kind": "Z", "agencies": 1, "connected": 1, "share": 1.0},
        ],
    }
    assert which_agencies_take_part.connected(rows, date(2026, 6, 30))["agencies"] == 5
    nothing = {"agencies": 0, "connected": 0, "share": None, "levels": []}
    assert which_agencies_take_part.connected([], date(2026, 7, 1)) == nothing


def test_questions_are_known_by_their_modules():
    assert which_agencies_take_part.answer.name == "which_agencies_take_part"
    assert how_is_an_agency_reached.answer.name == "how_is_an_agency_reached"
    assert which_agencies_take_part.answer.wants("agency-Z01")
