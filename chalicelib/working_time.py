"""The statutory clock: when the state's offices work, and how much working time lies between.

A pure value, made of configuration: opening hours, weekend, the public holidays of Viet Nam, and
the days that each year's decrees take off or have worked instead. Moments come in any zone and
leave in UTC; days are Hanoi's (UTC+7, which knows no summer time).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from itertools import pairwise
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from chalicelib.kernel import Value

HANOI = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam has kept UTC+7 without summer time since 1975: a fixed offset needs no zone database."""
_OUR_TIMES = range(1900, 3000)
_DAY = timedelta(days=1)
_NONE = timedelta()
_SEARCHED_DAYS = 366
"""A calendar whose next working day lies further off is not a calendar."""
Why = Annotated[str, Field(min_length=1)]


def in_our_times(at: datetime) -> datetime:
    """The same moment, if it can be told in every zone: the calendar has a first and a last day.

    Raises:
        ValueError: nobody who is alive means it.
    """
    if at.year not in _OUR_TIMES:
        raise ValueError("not a moment of our times")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(in_our_times)]
"""A moment as somebody else says it."""


class Opening(Value):
    """A part of the day in which offices are open, in Hanoi's time."""

    opens: time
    closes: time


class Moved(NamedTuple):
    """A day that the plain week does not explain: taken off, or worked on a weekend."""

    on: date
    name: str
    worked: bool


class NoWorkingDay(ValueError):  # noqa: N818 -- named as the fact it states.
    """This calendar has no working day within a year."""


class Calendar(Value):
    """When offices work. A working day is as long as its opening hours together: eight hours.

    `days_off` and `days_worked` say why (the decree); they go before the public holidays, which are
    those of the library `holidays`. `weekend` holds ISO weekdays (6 Saturday, 7 Sunday). What is
    filed at `late_at` or later, or on a day off, counts from the next working day.

    Rule: Labour Code 2019, art. 105 (hours) and 112 (holidays, a day off in lieu of one on a
    weekend); the lunch break and `late_at` are the configuration of the deployment.
    """

    hours: tuple[Opening, ...] = (
        Opening(opens=time(8), closes=time(12)),
        Opening(opens=time(13), closes=time(17)),
    )
    weekend: frozenset[int] = frozenset({6, 7})
    days_off: dict[date, Why] = Field(default_factory=dict)
    days_worked: dict[date, Why] = Field(default_factory=dict)
    late_at: time = time(15)

    @model_validator(mode="after")
    def _lawful(self) -> Self:
        edges = [edge for part in self.hours for edge in (part.opens, part.closes)]
        if not edges or any(a >= b for a, b in pairwise(edges)):
            raise ValueError("opening hours must follow one another")
        if any(edge.tzinfo for edge in (*edges, self.late_at)):
            raise ValueError("opening hours are Hanoi's and name no zone")
        if not self.weekend < set(range(1, 8)):
            raise ValueError("a weekend is some of the ISO weekdays 1 to 7, never all")
        if self.days_off.keys() & self.days_worked.keys():
            raise ValueError("a day cannot be both off and worked")
        return self

    @property
    def day(self) -> timedelta:
        """The working time of one working day."""
        return sum((_length(part) for part in self.hours), _NONE)

    def is_working_day(self, day: date) -> bool:
        """Whether offices open on `day`."""
        moved = self._moved(day)
        return moved.worked if moved else day.isoweekday() not in self.weekend

    def next_working_day(self, day: date) -> date:
        """The first working day after `day`."""
        return self._nearest(day + _DAY, _DAY)

    def end_of_day(self, day: date) -> datetime:
        """When offices close on `day`, whether or not they open on it (UTC)."""
        return _moment(day, self.hours[-1].closes)

    def starts(self, filed_at: datetime) -> datetime:
        """When the clock starts for what is filed at this moment (UTC): then, unless it is late."""
        local = filed_at.astimezone(HANOI)
        if self.is_working_day(local.date()) and local.time() < self.late_at:
            return filed_at.astimezone(UTC)
        return _moment(self.next_working_day(local.date()), self.hours[0].opens)

    def add(self, moment: datetime, working: timedelta) -> datetime:
        """The nearest moment with that much working time between; backwards if it is negative."""
        if working < _NONE:
            return self._back(moment, -working)
        if not working:
            return moment.astimezone(UTC)
        day, whole = self._nearest(moment.astimezone(HANOI).date(), _DAY), self.day
        while True:
            for part in self.hours:
                opens = max(moment, _moment(day, part.opens))
                open_for = _moment(day, part.closes) - opens
                if _NONE < open_for < working:
                    working -= open_for
                elif open_for >= working:
                    return (opens + working).astimezone(UTC)
            day = self.next_working_day(day)
            while working > whole:
                working, day = working - whole, self.next_working_day(day)

    def add_working_days(self, filed_at: datetime, days: int) -> datetime:
        """When so many working days have passed since a filing, which may have come late (UTC)."""
        return self.add(self.starts(filed_at), days * self.day)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`, exactly; negative if `end` is earlier."""
        if end < start:
            return -self.between(end, start)
        first, last = start.astimezone(HANOI).date(), end.astimezone(HANOI).date()
        days = [day for day in _days(first, last) if self.is_working_day(day)]
        whole = sum(first < day < last for day in days) * self.day
        return sum(
            (
                max(_NONE, min(end, _moment(day, p.closes)) - max(start, _moment(day, p.opens)))
                for day in days
                if day in {first, last}
                for p in self.hours
            ),
            whole,
        )

    def moved_by(self, start: datetime, end: datetime) -> list[Moved]:
        """The days between that move a due date: holidays on weekdays, and weekends worked."""
        first, last = start.astimezone(HANOI).date(), end.astimezone(HANOI).date()
        found = (self._moved(day) for day in _days(first, last))
        return [m for m in found if m and m.worked == (m.on.isoweekday() in self.weekend)]

    def _back(self, moment: datetime, working: timedelta) -> datetime:
        day, whole = self._nearest(moment.astimezone(HANOI).date(), -_DAY), self.day
        while True:
            for part in reversed(self.hours):
                closes = min(moment, _moment(day, part.closes))
                open_for = closes - _moment(day, part.opens)
                if _NONE < open_for < working:
                    working -= open_for
                elif open_for >= working:
                    return (closes - working).astimezone(UTC)
            day = self._nearest(day - _DAY, -_DAY)
            while working > whole:
                working, day = working - whole, self._nearest(day - _DAY, -_DAY)

    def _nearest(self, day: date, step: timedelta) -> date:
        for _ in range(_SEARCHED_DAYS):
            if self.is_working_day(day):
                return day
            day += step
        raise NoWorkingDay

    def _moved(self, day: date) -> Moved | None:
        """What sets `day` apart from its weekday: a decree, or else the public holidays."""
        if name := self.days_off.get(day):
            return Moved(day, name, worked=False)
        if name := self.days_worked.get(day):
            return Moved(day, name, worked=True)
        off, worked = _public(day.year)
        if name := off.get(day):
            return Moved(day, name, worked=False)
        return Moved(day, worked[day], worked=True) if day in worked else None


def _length(part: Opening) -> timedelta:
    any_day = date(2000, 1, 1)
    return _moment(any_day, part.closes) - _moment(any_day, part.opens)


def _moment(day: date, at: time) -> datetime:
    return datetime.combine(day, at, HANOI).astimezone(UTC)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


@cache
def _public(year: int) -> tuple[Mapping[date, str], Mapping[date, str]]:
    """The public holidays of a year by name, and the weekend days worked in lieu of others."""
    # Imported when first asked: a cold start that computes no due date does not pay for it.
    from holidays import country_holidays  # noqa: PLC0415

    found = country_holidays("VN", years=year, language="vi")
    worked = dict.fromkeys(found.weekend_workdays, "Ngày làm việc bù")
    return dict(found.items()), worked
