"""The demo's offices are open when it is told, and a holiday lies before its due date."""

import json
from datetime import datetime, timedelta

import pytest

from chalicelib.contexts.dossiers.configured import Configuration
from chalicelib.working_time import HANOI, Calendar
from infra.dossier_story import DAYS, PORTAL, calendar, parameters


@pytest.mark.parametrize("day", ["2026-06-01", "2026-11-22", "2027-02-08"])
@pytest.mark.parametrize("at", ["00:00:30", "00:59:59", "08:30", "15:59", "22:59:58", "23:30"])
def test_the_clock_runs_whenever_the_story_is_told(day, at):
    now = datetime.fromisoformat(f"{day}T{at}").replace(tzinfo=HANOI)
    works = calendar(now)
    assert works.between(now, now + timedelta(seconds=1)) == timedelta(seconds=1)
    assert works.starts(now) == now
    assert works.day == timedelta(hours=8)


@pytest.mark.parametrize("month", range(1, 13))
def test_a_holiday_lies_between_in_every_month(month):
    now = datetime(2027, month, 1, 12, tzinfo=HANOI)
    works = calendar(now)
    moved = works.moved_by(now, works.add_working_days(now, DAYS))
    assert any(not each.worked for each in moved)


def test_the_deployment_is_told_of_both():
    works = calendar(datetime(2026, 11, 22, 12, tzinfo=HANOI))
    given = parameters(works)
    assert Calendar.model_validate_json(given["Calendar"]) == works
    assert Configuration.model_validate(json.loads(given["Dossiers"])).portal == PORTAL
