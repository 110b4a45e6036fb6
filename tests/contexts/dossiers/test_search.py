from datetime import date

import pytest
from contexts.dossiers.demo_dossiers import MONDAY, TERMS

from chalicelib.contexts.agencies.domain.events import (
    AgencyDissolved,
    AgencyRegistered,
    AgencyRenamed,
)
from chalicelib.contexts.dossiers.domain.events import (
    OfferEnded,
    OfferMade,
    ProcedureAmended,
    ProcedurePublished,
    ProcedureRepealed,
)
from chalicelib.contexts.dossiers.domain.offer import Period
from chalicelib.contexts.dossiers.projections import (
    what_changed_in_the_catalogue,
    what_is_an_agency_called,
    which_agencies_offer_a_procedure,
    which_procedures_are_there,
    which_procedures_does_an_agency_offer,
)
from chalicelib.contexts.dossiers.projections.which_agencies_offer_a_procedure import Offered
from chalicelib.contexts.dossiers.projections.which_procedures_are_there import Version
from chalicelib.contexts.dossiers.search import (
    MAX_CHARS,
    MAX_WORDS,
    plain,
    rank,
    searchable,
    sought,
)
from chalicelib.kernel import Invalid

# Demo data: these procedures are made up here.
NAMES = {
    "1.000001": "Cấp bản sao Giấy khai sinh",
    "1.000002": "Đăng ký khai sinh",
    "1.000003": "Cấp giấy chứng tử",
    "1.000004": "Cấp giấy chứng từ",
    "1.000005": "Đăng ký đất đai",
    "1.000006": "Giấy khai sinh",
}


def version(name, **more):
    said = {
        "number": 1,
        "effective_on": date(2026, 1, 1),
        "name": name,
        "field": "DEMO",
        "field_name": "Hộ tịch",
        "level": "full",
        "limit": TERMS.limit,
        "applicants": ("citizen",),
        "life_events": ("birth",),
    }
    return Version(**said | more)


def found(text="", **filters):
    wanted = sought(text, **filters)
    all_ = [searchable(code, version(name)) for code, name in NAMES.items()]
    placed = [(place, one.code) for one in all_ if (place := rank(one, wanted))]
    return [code[-1] for _, code in sorted(placed)]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param("Giấy khai sinh", "61", id="the name itself first"),
        pytest.param("giay khai sinh", "61", id="without marks"),
        pytest.param("GIẤY KHAI SINH", "61", id="capitals"),
        pytest.param("Gia\u0302\u0301y khai", "61", id="marks as characters of their own"),
        pytest.param("khai sinh", "621", id="together"),
        pytest.param("sinh khai", "621", id="in any order"),
        pytest.param("gia kh si", "61", id="half words"),
        pytest.param("dat dai", "5", id="đ is found as d"),
        pytest.param("đất", "5", id="and as itself"),
        pytest.param("chứng từ", "43", id="as it was written before the other mark"),
        pytest.param("chứng tử", "34", id="and the other way round"),
        pytest.param("chung tu", "34", id="no mark: by code where names are as long"),
        pytest.param("ho tich", "653421", id="the field's name"),
        pytest.param("1.000005", "5", id="the code"),
        pytest.param("ấy", "", id="not in the middle of a word"),
        pytest.param("khai tử", "", id="all words"),
        pytest.param("?!", "134526", id="nothing to look for: all, by name"),
    ],
)
def test_what_is_found_and_in_which_order(text, codes):
    assert "".join(found(text)) == codes


def test_filters_are_exact():
    assert len(found(field="DEMO", life_event="birth")) == len(NAMES)
    assert found("khai sinh", field="DEM") == []
    assert found("khai sinh", life_event="death") == []


@pytest.mark.parametrize("text", ["x" * (MAX_CHARS + 1), "x " * (MAX_WORDS + 1)])
def test_a_question_has_an_end(text):
    with pytest.raises(Invalid):
        sought(text)


def test_marks_and_signs_are_no_words():
    assert plain("  Đăng-ký “đất đai”, lần 2/2026 ") == "dang ky dat dai lan 2 2026"


# --- The views behind it --------------------------------------------------------------------------

CODE = "1.000042"
published = ProcedurePublished(code=CODE, terms=TERMS, at=MONDAY)


def amended(number, day):
    terms = TERMS.model_copy(update={"effective_on": day, "name": f"Bản {number}"})
    return ProcedureAmended(code=CODE, number=number, terms=terms, at=MONDAY)


def repealed(day):
    return ProcedureRepealed(code=CODE, decision="demo", effective_on=day, at=MONDAY)


def part(*events):
    row = None
    for event in events:
        assert which_procedures_are_there.keys(event) == ["042"]
        row = which_procedures_are_there.evolve(row, event)
    return row


JUNE, JULY, AUGUST = date(2026, 6, 1), date(2026, 7, 1), date(2026, 8, 1)


def test_a_version_counts_from_its_first_day_to_the_next():
    row = part(published, amended(2, JULY), amended(3, AUGUST), repealed(date(2026, 9, 1)))
    listed = row.procedures[CODE]
    days = [date(2025, 12, 31), JUNE, JULY, AUGUST, date(2026, 8, 31), date(2026, 9, 1)]
    numbers = [found.number if (found := listed.on(day)) else None for day in days]
    assert numbers == [None, 1, 2, 3, 3, None]
    assert row.changes == 4


def test_what_is_over_is_dropped():
    row = part(published, amended(2, JUNE))
    assert [version.number for version in row.procedures[CODE].versions] == [2]
    ended = which_procedures_are_there.evolve(row, repealed(JUNE))
    assert (ended.procedures, ended.changes) == ({}, 3)


def test_the_repeal_of_what_is_not_there_counts_as_a_change():
    assert part(repealed(JULY)).changes == 1


def test_changes_are_counted_by_part():
    other = published.model_copy(update={"code": "2.000001"})
    row = None
    for event in (published, other, amended(2, JUNE)):
        assert what_changed_in_the_catalogue.keys(event) == ["all"]
        row = what_changed_in_the_catalogue.evolve(row, event)
    assert row.parts == {"042": 2, "001": 1}


offered = OfferMade(procedure=CODE, agency="Z01", effective_on=JUNE, at=MONDAY)
OPEN = Period(since=JUNE, portal=True)
UNTIL_JULY = OPEN.model_copy(update={"until": JULY})


def offers(*periods):
    return Offered(procedure=CODE, agency="Z01", periods=periods)


def ended(day):
    return OfferEnded(procedure=CODE, agency="Z01", effective_on=day, at=MONDAY)


@pytest.mark.parametrize(
    ("events", "row"),
    [
        ([offered], offers(OPEN)),
        (
            [offered, offered.model_copy(update={"effective_on": JULY, "portal": False})],
            offers(OPEN.model_copy(update={"portal": False})),
        ),
        ([offered, ended(JULY)], offers(UNTIL_JULY)),
        (
            [offered, ended(JULY), offered.model_copy(update={"effective_on": AUGUST})],
            offers(UNTIL_JULY, Period(since=AUGUST, portal=True)),
        ),
        ([offered, ended(JUNE)], None),
        ([ended(JUNE)], None),
        (
            [offered, ended(JUNE), offered.model_copy(update={"effective_on": JULY})],
            offers(Period(since=JULY, portal=True)),
        ),
    ],
)
def test_offers(events, row):
    for view in (which_agencies_offer_a_procedure, which_procedures_does_an_agency_offer):
        got = None
        for event in events:
            got = view.evolve(got, event)
        assert got == row


def test_an_agency_bears_its_latest_name():
    more = {"code": "Z01", "source": "demo data"}
    day = {"effective_on": JULY}
    row = None
    for event in (
        AgencyDissolved(**more, **day),
        AgencyRegistered(given="Z01", name="One", **more),
        AgencyRenamed(name="Two", name_english="Deux", **more, **day),
        AgencyDissolved(**more, **day),
    ):
        row = what_is_an_agency_called.evolve(row, event)
    assert (row.name, row.name_english) == ("Two", "Deux")
