"""The statutory clock. Dates are those of the public holidays of 2025 to 2027; decrees are made up.

In 2026 New Year falls on a Thursday, Tết is off from Monday 16 to Friday 20 February, and Monday
31 August is off for Saturday 22 August, which is worked.
"""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chalicelib.working_time import HANOI, Calendar, Moment, Moved, NoWorkingDay, Opening

CALENDAR = Calendar()
SECOND, HOUR, NONE = timedelta(seconds=1), timedelta(hours=1), timedelta()


def at(text: str) -> datetime:
    """A moment in Hanoi: "2026-03-02 08:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=HANOI)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        pytest.param("2026-03-02", True, id="a Monday"),
        pytest.param("2026-03-07", False, id="a Saturday"),
        pytest.param("2026-03-08", False, id="a Sunday"),
        pytest.param("2026-09-02", False, id="National Day"),
        pytest.param("2026-02-17", False, id="Tết, by the moon"),
        pytest.param("2026-04-27", False, id="a Monday in lieu of a holiday on Sunday"),
        pytest.param("2026-08-31", False, id="a Monday off in exchange"),
        pytest.param("2026-08-22", True, id="the Saturday it is exchanged for"),
        pytest.param("2019-01-05", True, id="a Saturday worked for a day off of the year before"),
    ],
)
def test_working_days(day, works):
    assert CALENDAR.is_working_day(date.fromisoformat(day)) is works


def test_a_decree_goes_before_weekend_and_public_holidays():
    day_off, saturday, holiday = date(2026, 3, 2), date(2026, 3, 7), date(2026, 9, 2)
    calendar = Calendar(days_off={day_off: "demo"}, days_worked={saturday: "demo", holiday: "demo"})
    assert not calendar.is_working_day(day_off)
    assert calendar.is_working_day(saturday)
    assert calendar.is_working_day(holiday)


@pytest.mark.parametrize(
    ("day", "following"),
    [
        pytest.param("2026-03-02", "2026-03-03", id="the day after"),
        pytest.param("2026-03-06", "2026-03-09", id="over the weekend"),
        pytest.param("2026-02-13", "2026-02-23", id="over Tết and two weekends"),
        pytest.param("2026-08-21", "2026-08-22", id="a Saturday that is worked"),
    ],
)
def test_next_working_day(day, following):
    assert CALENDAR.next_working_day(date.fromisoformat(day)) == date.fromisoformat(following)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        pytest.param("2026-03-02 08:00", 4, "2026-03-02 12:00", id="until the lunch break"),
        pytest.param("2026-03-02 08:00", 5, "2026-03-02 14:00", id="the lunch break is skipped"),
        pytest.param("2026-03-02 12:30", 1, "2026-03-02 14:00", id="from inside the lunch break"),
        pytest.param("2026-03-02 08:00", 8, "2026-03-02 17:00", id="one day ends when offices do"),
        pytest.param("2026-03-02 17:00", 1, "2026-03-03 09:00", id="from closing time"),
        pytest.param("2026-03-02 06:00", 1, "2026-03-02 09:00", id="from before the opening"),
        pytest.param("2026-03-06 16:30", 1, "2026-03-09 08:30", id="over the weekend"),
        pytest.param("2026-03-07 10:00", 1, "2026-03-09 09:00", id="from a Saturday"),
        pytest.param("2026-02-13 16:00", 2, "2026-02-23 09:00", id="over Tết"),
        pytest.param("2026-08-21 16:00", 2, "2026-08-22 09:00", id="onto a Saturday worked"),
        pytest.param("2026-03-07 10:00", 0, "2026-03-07 10:00", id="nothing moves nothing"),
        pytest.param("2026-03-03 09:00", -1, "2026-03-03 08:00", id="back to the opening"),
        pytest.param("2026-03-03 09:00", -2, "2026-03-02 16:00", id="back over the night"),
        pytest.param("2026-03-02 14:00", -2, "2026-03-02 11:00", id="back over lunch"),
        pytest.param("2026-03-09 08:00", -1, "2026-03-06 16:00", id="back over the weekend"),
        pytest.param("2026-03-08 10:00", -8, "2026-03-06 08:00", id="back from a Sunday"),
    ],
)
def test_add(start, hours, end):
    reached = CALENDAR.add(at(start), hours * HOUR)
    assert reached == at(end)
    assert reached.tzinfo is UTC
    assert CALENDAR.between(at(start), reached) == hours * HOUR


@pytest.mark.parametrize(
    ("start", "end", "working"),
    [
        pytest.param("2026-03-02 08:00", "2026-03-02 17:00", 8 * HOUR, id="a day"),
        pytest.param("2026-03-02 11:59:59", "2026-03-02 13:00:01", 2 * SECOND, id="over lunch"),
        pytest.param("2026-03-06 16:59:59", "2026-03-09 08:00:01", 2 * SECOND, id="a weekend"),
        pytest.param("2026-03-07 08:00", "2026-03-08 17:00", NONE, id="a weekend has none"),
        pytest.param("2026-03-02 00:00", "2026-03-07 00:00", 40 * HOUR, id="a week"),
        pytest.param("2026-03-02 09:00", "2026-03-02 08:00", -HOUR, id="the wrong way round"),
    ],
)
def test_between(start, end, working):
    assert CALENDAR.between(at(start), at(end)) == working


@pytest.mark.parametrize(
    ("filed", "days", "due"),
    [
        pytest.param("2026-03-02 10:00", 3, "2026-03-05 10:00", id="to the hour"),
        pytest.param("2026-03-02 14:59", 1, "2026-03-03 14:59", id="just in time"),
        pytest.param("2026-03-02 15:00", 1, "2026-03-03 17:00", id="late: from the next day on"),
        pytest.param("2026-03-06 15:30", 1, "2026-03-09 17:00", id="late on a Friday"),
        pytest.param("2026-03-07 09:00", 1, "2026-03-09 17:00", id="filed online on a Saturday"),
        pytest.param("2026-02-12 10:00", 2, "2026-02-23 10:00", id="over Tết"),
    ],
)
def test_working_days_after_a_filing(filed, days, due):
    assert CALENDAR.add_working_days(at(filed), days) == at(due)


def test_the_end_of_a_day_is_when_its_offices_close():
    assert CALENDAR.end_of_day(date(2026, 3, 2)) == at("2026-03-02 17:00")


def test_what_moved_a_due_date_is_named():
    assert CALENDAR.moved_by(at("2026-08-20 10:00"), at("2026-09-03 10:00")) == [
        Moved(date(2026, 8, 22), "Ngày làm việc bù", worked=True),
        Moved(date(2026, 8, 31), "Ngày nghỉ (thay cho ngày 22/08/2026)", worked=False),
        Moved(date(2026, 9, 1), "Quốc khánh", worked=False),
        Moved(date(2026, 9, 2), "Quốc khánh", worked=False),
    ]
    # The holiday itself is a Sunday: what moves anything is the Monday in lieu of it.
    [monday] = CALENDAR.moved_by(at("2026-04-24 10:00"), at("2026-04-28 10:00"))
    assert monday.on == date(2026, 4, 27)


def test_a_calendar_is_configured_as_json():
    summer = {
        "hours": [{"opens": "07:00", "closes": "11:30"}, {"opens": "13:30", "closes": "17:00"}],
        "days_off": {"2026-03-03": "demo decree"},
        "late_at": "16:00",
    }
    calendar = Calendar.model_validate_json(json.dumps(summer))
    assert calendar.day == 8 * HOUR
    assert calendar.add_working_days(at("2026-03-02 15:30"), 1) == at("2026-03-04 15:30")
    assert calendar.moved_by(at("2026-03-02 15:30"), at("2026-03-04 15:30")) == [
        Moved(date(2026, 3, 3), "demo decree", worked=False)
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"hours": []}, id="never open"),
        pytest.param({"hours": [{"opens": "12:00", "closes": "08:00"}]}, id="closed before open"),
        pytest.param(
            {
                "hours": [
                    {"opens": "08:00", "closes": "12:00"},
                    {"opens": "11:00", "closes": "17:00"},
                ]
            },
            id="open twice at once",
        ),
        pytest.param({"hours": [{"opens": "08:00Z", "closes": "12:00Z"}]}, id="another zone"),
        pytest.param({"weekend": [1, 2, 3, 4, 5, 6, 7]}, id="no working day"),
        pytest.param({"weekend": [0]}, id="no such weekday"),
        pytest.param({"days_off": {"2026-03-02": ""}}, id="a day off without its decree"),
        pytest.param(
            {"days_off": {"2026-03-02": "a"}, "days_worked": {"2026-03-02": "b"}}, id="both"
        ),
        pytest.param({"lunch": "12:00"}, id="an unknown setting"),
    ],
)
def test_a_wrong_calendar_is_not_taken(wrong):
    with pytest.raises(ValidationError):
        Calendar.model_validate_json(json.dumps(wrong))


def test_a_calendar_without_working_days_says_so():
    off = {date(2026, 1, 1) + timedelta(days=n): "demo" for n in range(800)}
    with pytest.raises(NoWorkingDay):
        Calendar(days_off=off).add(at("2026-03-02 10:00"), HOUR)


# The properties: any moment of three years, to the second, in any zone.
ZONES = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.builds(
    lambda seconds, zone: (at("2025-01-01 00:00") + seconds * SECOND).astimezone(zone),
    st.integers(0, 3 * 365 * 86_400),
    ZONES,
)
DAYS = st.integers(0, 3 * 365).map(lambda n: date(2025, 1, 1) + timedelta(days=n))
WORKING = st.integers(0, 60 * 8 * 3_600).map(lambda seconds: seconds * SECOND)
DECREES = st.frozensets(DAYS, max_size=20).map(lambda days: dict.fromkeys(days, "demo"))
CALENDARS = st.builds(
    lambda off, worked, long_lunch: Calendar(
        days_off={day: why for day, why in off.items() if day not in worked},
        days_worked=worked,
        hours=(
            Opening(opens=time(7, 30), closes=time(11, 30)),
            Opening(opens=time(14) if long_lunch else time(11, 31), closes=time(17)),
        ),
    ),
    DECREES,
    DECREES,
    st.booleans(),
)


@given(CALENDARS, MOMENTS, WORKING)
def test_adding_and_measuring_are_each_others_inverse(calendar, moment, working):
    end = calendar.add(moment, working)
    assert calendar.between(moment, end) == working
    assert calendar.between(calendar.add(end, -working), end) == working
    if working:
        assert calendar.between(moment, end - SECOND) == working - SECOND


@given(CALENDARS, st.lists(MOMENTS, min_size=2, max_size=8))
def test_the_pieces_add_up_to_the_whole(calendar, moments):
    moments = sorted(moments)
    pieces = [calendar.between(*pair) for pair in pairwise(moments)]
    assert sum(pieces, NONE) == calendar.between(moments[0], moments[-1])
    assert all(piece >= NONE for piece in pieces)


@given(CALENDARS, MOMENTS, st.integers(0, 60), DAYS)
def test_another_holiday_never_brings_a_due_date_forward(calendar, filed, days, day_off):
    worked = {day: why for day, why in calendar.days_worked.items() if day != day_off}
    off = calendar.days_off | {day_off: "demo"}
    more = calendar.model_copy(update={"days_off": off, "days_worked": worked})
    assert more.add_working_days(filed, days) >= calendar.add_working_days(filed, days)


@given(CALENDARS, MOMENTS, MOMENTS, WORKING)
def test_filing_later_never_falls_due_earlier(calendar, one, other, working):
    earlier, later = sorted((one, other))
    assert calendar.starts(earlier) <= calendar.starts(later)
    assert calendar.add(earlier, working) <= calendar.add(later, working)


STANDS = st.timedeltas(NONE, timedelta(days=30))


@given(CALENDARS, MOMENTS, WORKING, st.lists(st.tuples(WORKING, STANDS), max_size=4))
def test_pauses_never_shorten_and_count_for_nothing(calendar, start, working, pauses):
    # The clock runs, stands still, runs: what is left is counted on from the end of each pause.
    moment, left, paused = start, working, NONE
    for runs, stands in pauses:
        run = min(runs, left)
        stopped = calendar.add(moment, run)
        moment, left = stopped + stands, left - run
        paused += calendar.between(stopped, moment)
    end = calendar.add(moment, left)
    assert calendar.between(start, end) - paused == working
    assert end >= calendar.add(start, working)


def test_a_due_date_a_year_away_looks_at_each_day_once():
    # Bounded work, so that no request waits for it: as many days are asked about as there are.
    asked = []

    class Counting(Calendar):
        def is_working_day(self, day: date) -> bool:
            asked.append(day)
            return super().is_working_day(day)

    calendar = Counting()
    calendar.add(at("2026-01-05 08:00"), 260 * calendar.day)
    assert len(asked) == len(set(asked)) < 400


@pytest.mark.parametrize("said", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_moment_can_be_told_in_every_zone(said):
    said_by_somebody = TypeAdapter(Moment)
    with pytest.raises(ValidationError, match="of our times"):
        said_by_somebody.validate_python(said)
    assert said_by_somebody.validate_python("2026-06-01T00:00:00+07:00").tzinfo
