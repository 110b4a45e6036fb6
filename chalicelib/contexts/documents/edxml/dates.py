"""Dates and moments as agencies write them, and as the standard wants them written."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from chalicelib.working_time import HANOI

_DATE = re.compile(
    r"(?:(?P<y>\d{4})(?P<s>[/-])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"
    r"|(?P<d2>\d{1,2})(?P<s2>[/-])(?P<m2>\d{1,2})(?P=s2)(?P<y2>\d{4}))"
    r"(?:[T ]\s*(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?:\.\d+)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)


def read_date(text: str) -> date | None:
    """The day of `2018/09/28`, `2018-09-28`, `28/09/2018`, with or without a time; None if none."""
    moment = read_moment(text)
    return moment and moment.date()


def read_moment(text: str) -> datetime | None:
    """The moment, kept in the zone it was written in; Hà Nội where none is given; None if none.

    A day without a time is its midnight. Fractions of a second are dropped.
    """
    found = _DATE.fullmatch(text.strip())
    if not found:
        return None
    part = found.groupdict()
    try:
        day = date(*(int(part[key] or part[key + "2"]) for key in "ymd"))
        hour, minute, second = (int(n) for n in f"{part['time'] or '0:00'}:00".split(":")[:3])
        clock = time(hour, minute, second, tzinfo=_zone(part["zone"]))
        return datetime.combine(day, clock)
    except ValueError:  # 30 February, 25 o'clock, an offset of 99 hours.
        return None


def _zone(text: str | None) -> timezone:
    if text is None:
        return HANOI
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def write_date(day: date) -> str:
    """`yyyy/MM/dd`."""
    return f"{day.year:04}/{day.month:02}/{day.day:02}"


def write_moment(moment: datetime) -> str:
    """`yyyy/MM/dd HH:mm:ss` on the clock of Hà Nội."""
    local = moment.astimezone(HANOI)
    return f"{write_date(local)} {local:%H:%M:%S}"
