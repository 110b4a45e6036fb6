"""Dates and moments as agencies write them, and as the standard wants them written."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from chalicelib.working_time import HANOI, in_our_times

_DATE = re.compile(
    r"(?:(?P<y>\d{4})(?P<s>[/-])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"
    r"|(?P<d2>\d{1,2})(?P<s2>[/-])(?P<m2>\d{1,2})(?P=s2)(?P<y2>\d{4}))"
    r"(?:[T ]\s*(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?:\.\d+)?"
    r"(?:[\s\u202f]*(?P<half>AM|PM|SA|CH))?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_NOON = 12


def read_date(text: str) -> date | None:
    """The day of `2018/09/28`, `2018-09-28`, `28/09/2018`, with or without a time; None if none."""
    moment = _read(text)
    return moment and moment.date()


def read_moment(text: str) -> datetime | None:
    """The moment, kept in the zone it was written in; Hà Nội where none is given; None if none.

    A day without a time is its midnight. Fractions of a second are dropped. What is no moment of
    our times, as 0001-01-01 in programs that were told none, is none.
    """
    moment = _read(text)
    try:
        return moment and in_our_times(moment)
    except ValueError:
        return None


def _read(text: str) -> datetime | None:
    found = _DATE.fullmatch(text.strip())
    if not found:
        return None
    part = found.groupdict()
    try:
        day = date(*(int(part[key] or part[key + "2"]) for key in "ymd"))
        hour, minute, second = (int(n) for n in f"{part['time'] or '0:00'}:00".split(":")[:3])
        clock = time(_of_24(hour, part["half"]), minute, second, tzinfo=_zone(part["zone"]))
        return datetime.combine(day, clock)
    except ValueError:  # 30 February, 25 o'clock, an offset of 99 hours.
        return None


def _of_24(hour: int, half: str | None) -> int:
    """The hour of the day, from that of its half: AM or PM, sáng or chiều."""
    if half is None:
        return hour
    after_noon = half in {"PM", "CH"}
    # Some write `13:00 PM`; nobody means `13:00 AM`.
    if hour > (23 if after_noon else _NOON):
        raise ValueError("no hour of that half")
    return hour % _NOON + _NOON * after_noon


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
