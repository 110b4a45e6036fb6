from datetime import date

import pytest

from chalicelib.contexts.agencies.domain.events import AgencyRegistered, AgencySystemRegistered
from chalicelib.contexts.agencies.projections import (
    how_is_an_agency_reached,
    which_agencies_take_part,
)
from chalicelib.contexts.agencies.projections.which_agencies_take_part import Participant, matches
from chalicelib.delivery.address import Address
from chalicelib.privacy.personal import Personal

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
        ([entered, connected], participant.model_copy(update={"has_system": True})),
        ([connected], None),
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


def test_questions_are_known_by_their_modules():
    assert which_agencies_take_part.answer.name == "which_agencies_take_part"
    assert how_is_an_agency_reached.answer.name == "how_is_an_agency_reached"
    assert which_agencies_take_part.answer.wants("agency-Z01")
