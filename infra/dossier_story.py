"""One dossier's life on the running system, from its filing to its result; each step is checked.

The clock must run while the story is told, whatever the hour: the demo's offices are open for
eight hours around now. Holidays are the law's. Every agency and person here is a demo one.
"""

import json
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from time import sleep as time_passes
from typing import Any

from chalicelib.contexts.dossiers.portal_form import write_moment
from chalicelib.working_time import HANOI, Calendar, Opening
from infra.agency import DemoAgency
from infra.api import Answer, Json
from infra.issuer import Role
from infra.story import Story, StoryFailed

DESK, CONSULTED, MINISTRY, PORTAL = "Z01", "Z02", "Z03", "Z09"
PROCEDURE = "1.000001"
DAYS = 90
"""The statutory time: working days enough to meet a public holiday in any season."""
OPEN_H = 8
PAUSE_S = 5
"""For how long the applicant lets the desk wait."""
PDF = "application/pdf"


def parameters(works: Calendar) -> dict[str, str]:
    """What this story's deployment decides: its calendar, and who the national portal is."""
    return {
        "Calendar": works.model_dump_json(exclude_defaults=True),
        "Dossiers": json.dumps({"portal": PORTAL}),
    }


def calendar(now: datetime) -> Calendar:
    """The law's holidays, and offices that are open now."""
    local = now.astimezone(HANOI)
    latest = time(23 - OPEN_H, 59)
    opens = min(time(max(local.hour - 1, 0)), latest)
    if local.hour < 23:  # noqa: PLR2004 -- the day's last hour.
        opens = min(opens, time(latest.hour))
    hours = (Opening(opens=opens, closes=opens.replace(hour=opens.hour + OPEN_H)),)
    plain = Calendar(hours=hours, late_at=time(23, 59, 59))
    if plain.is_working_day(local.date()):
        return plain
    why = {local.date(): "Demo: worked, so that the clock runs"}
    return plain.model_copy(update={"days_worked": why})


def tell_dossier(story: Story, works: Calendar) -> str:
    """The whole life of a dossier under this calendar; answers with its path.

    Raises:
        StoryFailed, Problem: a step did not happen.
    """
    portal = story.join(PORTAL, "Demo National Portal", "cloudevents")
    desk = story.join(DESK, "Demo One-Stop Desk", "cloudevents")
    other = story.join(CONSULTED, "Demo Consulted Agency", "cloudevents")
    publish(story)
    case = Case(story)

    case.step("acceptance", "accepted it; the clock runs")
    case.step("forwardings", "passed it on", {"step": "receive", "to": "examine"})
    _supplement(case, works)
    _consultation(case, desk, other)

    paper = case.upload("officer", b"%PDF-1.7 demo result")
    results = {"results": [{"name": "Demo result", "file": paper}]}
    case.step("completion", "has decided it", results)
    case.step("handover", "returned the result", {"means": "electronic"})
    shown = case.see()
    if (shown["portal"], shown["delivery"], shown["overdue"]) != (10, "electronic", False):
        raise StoryFailed("the result is not returned in time")
    link = case.ask("GET", f"{case.path}/files/{paper['sha256']}").body["url"]
    story.step(f"the applicant can fetch result {shown['results'][0]['code']}: {link[:60]}…")
    _until_portal_knows(case, portal)
    _sync(story)
    if portal.rejected or desk.rejected or other.rejected:
        raise StoryFailed("a receiver could not verify a signature")
    return case.path


class Case:
    """The dossier that is told of, filed online."""

    def __init__(self, story: Story) -> None:
        self.story, self.path = story, ""
        form = self.upload("citizen", b"%PDF-1.7 demo form")
        said: Json = {
            "procedure": PROCEDURE,
            "receiver": DESK,
            "access": "app",
            "applicant": {"name": "Demo Applicant", "identity_number": "DEMO-1"},
            "answers": {"subject_matter": "demo", "fields": {"colour": "blue"}},
            "components": [{"code": "KQ000001", "kind": "electronic", "file": form}],
        }
        filed = self.ask("POST", "/dossiers", said)
        self.path, self.code = filed.location, str(filed.body["code"])
        story.wrote(f"A citizen filed {self.code} online, from the app", filed)

    def ask(self, method: str, path: str, body: Json | None = None) -> Answer:
        """As the applicant."""
        return self.story.api.call(method, path, role="citizen", body=body)

    def see(self) -> Json:
        """The dossier as its applicant sees it."""
        return self.ask("GET", self.path).body

    def step(self, what: str, said: str, body: Json | None = None) -> None:
        """The desk does something; what is added to is posted, what is made so is put."""
        method = "POST" if what.endswith("s") else "PUT"
        path = f"{self.path}/{what}"
        done = self.story.api.call(method, path, role="officer", agency=DESK, body=body)
        self.story.wrote(f"Demo One-Stop Desk {said}", done)

    def upload(self, role: Role, content: bytes) -> Json:
        """Upload a file by link; what a dossier says of it."""
        digest = sha256(content).hexdigest()
        said: Json = {"media_type": PDF, "size": len(content), "sha256": digest}
        api = self.story.api
        agency = DESK if role == "officer" else None
        asked = api.call("POST", "/components/uploads", role=role, agency=agency, body=said)
        api.put(asked.body, content)
        return said


def publish(story: Story) -> None:
    """A demo procedure is in force, and the desk offers it."""
    api = story.api
    steps = [("receive", "Tiếp nhận", 20), ("examine", "Thẩm định", 80)]
    terms: Json = {
        "name": "Thủ tục thử nghiệm",
        "field": "DEMO",
        "field_name": "Lĩnh vực thử nghiệm",
        "level": "full",
        "limit": {"amount": DAYS, "unit": "days"},
        "components": [
            {"code": "KQ000001", "name": "Đơn thử nghiệm", "kinds": ["electronic"]},
            {
                "code": "KQ000002",
                "name": "Giấy tờ bổ sung thử nghiệm",
                "kinds": ["electronic"],
                "required": False,
            },
        ],
        "steps": [
            {"code": code, "name": name, "unit": code, "share": share}
            for code, name, share in steps
        ],
        "decision": "01/QĐ-DEMO",
        "effective_on": "2026-01-01",
    }
    body = {"code": PROCEDURE, "terms": terms}
    api.call("POST", "/procedures", role="administrator", body=body)
    path = f"/procedures/{PROCEDURE}/offers/{DESK}"
    body = {"effective_on": "2026-01-01"}
    offered = api.call("PUT", path, role="administrator", body=body)
    story.wrote(f"Procedure {PROCEDURE}: {DAYS} working days, offered by {DESK}", offered)


def _supplement(case: Case, works: Calendar) -> None:
    """The clock stands still while the applicant is asked for more: the due date moves by that."""
    story = case.story
    before = case.see()["clock"]
    why = {"components": ["KQ000002"], "reason": "Demo: one paper is missing"}
    case.step("supplement-requests", "asked for a supplement; the clock stands still", why)
    story.step(f"  the citizen takes {PAUSE_S} seconds to find the paper")
    time_passes(PAUSE_S)
    file = case.upload("citizen", b"%PDF-1.7 demo supplement")
    given = {"components": [{"code": "KQ000002", "kind": "electronic", "file": file}]}
    handed = case.ask("POST", f"{case.path}/supplements", given)
    story.wrote("The citizen handed it in; the clock goes on", handed)
    shown = case.see()
    stood = works.between(
        _at(shown, "dossier.supplement_requested"), _at(shown, "dossier.supplement_received")
    )
    old, new = (datetime.fromisoformat(clock["due_at"]) for clock in (before, shown["clock"]))
    if works.between(old, new) != stood:
        raise StoryFailed(f"the clock stood still for {stood}, the due date moved otherwise")
    if stood < timedelta(seconds=PAUSE_S):
        raise StoryFailed("the offices were closed meanwhile")
    story.step(f"  due before the pause: {old.astimezone(HANOI):%Y-%m-%d %H:%M:%S} in Hanoi")
    story.step(f"  due after the pause:  {new.astimezone(HANOI):%Y-%m-%d %H:%M:%S} in Hanoi")
    story.step(f"    it stood still for {stood} of working time: so much later it is due")
    _show_moved(story, datetime.fromisoformat(before["starts_at"]), new, works)


def _show_moved(story: Story, start: datetime, due: datetime, works: Calendar) -> None:
    """Say which days moved the due date, beside the weekends."""
    moved = works.moved_by(start, due)
    if all(each.worked for each in moved):
        raise StoryFailed("no holiday lies between")
    for each in moved:
        said = "worked, so a day earlier" if each.worked else "off, so a day later"
        story.step(f"    {each.on} {each.name}: {said}")


def _at(shown: Json, type_: str) -> datetime:
    return next(
        datetime.fromisoformat(each["at"]) for each in shown["history"] if each["type"] == type_
    )


def _consultation(case: Case, desk: DemoAgency, other: DemoAgency) -> None:
    story = case.story
    question = {"asked": [other.code], "question": "Demo: is this so?"}
    case.step("consultations", f"asked {other.code} for its opinion", question)
    [asked] = case.see()["consultations"]
    story.until(f"the question at {other.code}", lambda: other.got(asked["document"]))
    answer = {
        "number": f"{datetime.now(UTC):%H%M%S}",
        "notation": "CV-DEMO",
        "promulgated_on": f"{datetime.now(HANOI):%Y-%m-%d}",
        "subject": "Demo: yes, it is",
        "signer": {"position": "Demo signer", "full_name": "Demo Person"},
        "receivers": [desk.code],
        "answers": [asked["reference"]],
    }
    sent = story.api.call("POST", "/documents", role="system", agency=other.code, body=answer)
    story.wrote(f"{other.code} answered {asked['reference']} over the axis", sent)

    def answered() -> Any:
        return case.see()["consultations"][0]["answers"].get(other.code)

    story.until("the answer in the dossier", answered)
    story.step(f"  the dossier has the answer and is {case.see()['status']} again")


def _until_portal_knows(case: Case, portal: DemoAgency) -> None:
    def states() -> list[int]:
        about = (got.data for got in portal.received if got.data.get("MaHoSo") == case.code)
        return [each["TrangThaiHoSo"] for each in about]

    wanted = [1, 2, 4, 5, 4, 9, 10]
    case.story.until("each state at the national portal", lambda: states() == wanted)
    case.story.until("the sync status", lambda: case.see()["sync"] == "current")
    told = " ".join(map(str, wanted))
    case.story.step(f"the national portal was told TrangThaiHoSo {told}; sync: current")


def _sync(story: Story) -> None:
    """A ministry with its own one-stop system tells of its dossiers: one late, one impossible."""
    story.join(MINISTRY, "Demo Ministry with its own one-stop", "cloudevents")
    now = datetime.now(UTC)

    def state(number: int, portal: int, hours: int) -> Json:
        return {
            "MaHoSo": f"{MINISTRY}-{date(2026, 6, 1):%Y%m%d}-{number:07}",
            "MaTTHC": PROCEDURE,
            "ChuHoSo": "Demo Applicant",
            "TrangThaiHoSo": portal,
            "ThoiDiemXuLy": write_moment(now - timedelta(hours=hours)),
            "KenhThucHien": 1,
        }

    def tell(*states: Json) -> list[Json]:
        body: Json = {"DanhSachHoSo": list(states)}
        answer = story.api.call("POST", "/sync/dossiers", role="system", agency=MINISTRY, body=body)
        items: list[Json] = answer.body["items"]
        for item in items:
            why = f": {item['reason']}" if "reason" in item else ""
            story.step(f"    {item['code']} {item['outcome']}{why}")
        return items

    story.step(f"{MINISTRY} tells of dossiers that its own system keeps:")
    today = [state(1, 9, 2), state(2, 2, 2)]
    items = tell(*today) + tell(*today, state(1, 4, 26), state(2, 1, 1))
    wanted = ["accepted"] * 2 + ["repeated"] * 2 + ["late", "refused"]
    if [item["outcome"] for item in items] != wanted:
        raise StoryFailed("the states were not taken over as they should be")
