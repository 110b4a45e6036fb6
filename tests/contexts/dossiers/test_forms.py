"""Forms say what they said before, in both shapes, and their QR code leads to the tracking page.

`golden/NN.txt` is the text of form NN of a demo dossier, a line for each thing on the page. After a
wanted change, delete the file and run the test twice: the first run writes it anew and fails.
"""

import io
import re
from datetime import timedelta
from pathlib import Path

import pypdf
import pytest
from contexts.dossiers.demo_dossiers import (
    ACCEPTED,
    DOSSIER_CODE,
    LIVES,
    MONDAY,
    PROCESSED,
    PROCESSING,
    SUBJECT,
    live,
)
from paper import lines, printed, scanned, scanned_svg

from chalicelib.contexts.dossiers.domain.commands import (
    ApproveWithdrawal,
    CompleteDossier,
    ConsultAgencies,
    ExtendDeadline,
    ForwardStep,
    NoteApologyDrafted,
    PauseDossier,
    ReassignStep,
    ReceiveSupplement,
    RefuseDossier,
    RequestSupplement,
    RequestWithdrawal,
    ResumeDossier,
    ReturnResult,
    SubmitDossier,
)
from chalicelib.contexts.dossiers.domain.events import Applicant
from chalicelib.contexts.dossiers.forms.wording import (
    FORMS,
    FormNotIssued,
    FormUnknown,
    Story,
    sheet,
    working,
)
from chalicelib.paper.as_html import page
from chalicelib.paper.as_pdf import pdf
from chalicelib.paper.qr import lookup_link
from chalicelib.paper.sheet import BLANK, Facts, Grid, clean

GOLDEN = Path(__file__).parent / "golden"
PREFIX = "https://portal.example/tra-cuu?ma="
LONG = (
    *LIVES["supplement"],
    ReceiveSupplement,
    PauseDossier,
    ResumeDossier,
    ConsultAgencies,
    ReassignStep,
)
DONE = (*LIVES["supplement"], ReceiveSupplement, PauseDossier, ResumeDossier, ForwardStep)
DONE = (*DONE, CompleteDossier, ReturnResult)
ISSUED = {
    "01": ACCEPTED,
    "02": LIVES["supplement"],
    "03": LIVES["not_accepted"],
    "04": (*PROCESSING, ExtendDeadline),
    "05": LIVES["stopped"],
    "06": DONE,
}
each_form = pytest.mark.parametrize("form", FORMS)


def plain(personal):
    return personal.value


def story(*kinds, opened=plain, tracking=PREFIX):
    link = lookup_link(tracking, DOSSIER_CODE)
    return Story(live(*kinds)[0], lambda code: f"Cơ quan thử nghiệm {code}", opened, link)


@each_form
def test_a_form_says_what_it_said_before(form):
    said = "\n".join(lines(page(sheet(form, story(*ISSUED[form]))))) + "\n"
    golden = GOLDEN / f"{form}.txt"
    if not golden.exists():
        golden.write_text(said)
        pytest.fail(f"{golden.name} was written: read it, and run again")
    assert said == golden.read_text()


@each_form
def test_both_shapes_say_the_same(form):
    made = sheet(form, story(*ISSUED[form]))
    on_paper = printed(pdf(made)).casefold()
    for line in lines(page(made))[1:]:
        assert re.sub(r"\s+", "", line).casefold() in on_paper


@each_form
def test_the_qr_code_leads_to_the_dossier_and_says_nothing_else(form):
    made = sheet(form, story(*ISSUED[form]))
    assert scanned(pdf(made)) == [f"{PREFIX}{DOSSIER_CODE}"]


def test_the_qr_code_on_the_page_is_the_same():
    html = page(sheet("01", story(*ACCEPTED)))
    assert scanned_svg(html) == [f"{PREFIX}{DOSSIER_CODE}"]


def test_without_a_tracking_page_the_qr_code_is_the_dossiers_code():
    assert scanned(pdf(sheet("01", story(*ACCEPTED, tracking="")))) == [DOSSIER_CODE]


def test_a_code_cannot_lead_elsewhere():
    assert lookup_link("https://portal.example/t?c=", "a&b=c/#") == (
        "https://portal.example/t?c=a%26b%3Dc%2F%23"
    )


@each_form
def test_the_same_dossier_makes_the_same_file(form):
    made = sheet(form, story(*ISSUED[form]))
    assert pdf(made) == pdf(made)


@each_form
def test_what_is_personal_stays_blank_where_it_is_not_to_be_seen(form):
    secret = Applicant(name="BÍ MẬT", address="BÍ MẬT", identity_number="BÍ MẬT")
    kinds = ((SubmitDossier, {"applicant": secret}), *ISSUED[form][1:])
    assert ("BÍ MẬT" in page(sheet(form, story(*kinds)))) is True
    blank = sheet(form, story(*kinds, opened=lambda _personal: None))
    assert "BÍ MẬT" not in page(blank)
    assert ("Người nộp hồ sơ", BLANK) in facts(blank).items()
    assert SUBJECT not in page(blank)


def facts(made):
    return {k: v for part in made.parts if isinstance(part, Facts) for k, v in part.rows}


@pytest.mark.parametrize(
    ("form", "kinds"),
    [
        pytest.param("01", LIVES["submitted"], id="no receipt before it is accepted"),
        pytest.param("02", PROCESSED, id="no supplement was asked for"),
        pytest.param("03", ACCEPTED, id="it was not refused"),
        pytest.param("04", PROCESSING, id="nobody apologised"),
        pytest.param("05", PROCESSED, id="it was not stopped"),
    ],
)
def test_a_form_is_refused_until_what_it_says_has_happened(form, kinds):
    with pytest.raises(FormNotIssued):
        sheet(form, story(*kinds))


@pytest.mark.parametrize("form", ["00", "07", "1", "", "../01"])
def test_there_are_six_forms(form):
    with pytest.raises(FormUnknown):
        sheet(form, story(*PROCESSED))


def test_an_apology_that_is_not_sent_is_a_draft():
    made = sheet("04", story(*PROCESSING, NoteApologyDrafted))
    assert made.stamp == "DỰ THẢO"
    assert "DỰ THẢO" in page(made)
    assert "DỰTHẢO" in printed(pdf(made))
    assert facts(made)["Hẹn trả lại lúc"] == BLANK
    sent = sheet("04", story(*PROCESSING, NoteApologyDrafted, (ExtendDeadline, {"at": None})))
    assert "DỰ THẢO" not in page(sent)
    assert facts(sent)["Lý do"] == "demo"


def test_a_withdrawn_dossier_is_stopped_by_its_applicants_wish():
    made = sheet("05", story(*PROCESSING, RequestWithdrawal, ApproveWithdrawal))
    assert facts(made)["Lý do"] == "Người nộp rút hồ sơ: demo"


def test_the_receipt_keeps_its_appointment_and_says_the_new_one():
    assert "Hẹn trả được tính lại" not in facts(sheet("01", story(*ACCEPTED)))
    later = facts(sheet("01", story(*PROCESSING, ExtendDeadline)))
    assert (
        later["Hẹn trả kết quả lúc"] == facts(sheet("01", story(*ACCEPTED)))["Hẹn trả kết quả lúc"]
    )
    assert later["Hẹn trả được tính lại"] != later["Hẹn trả kết quả lúc"]


def test_the_last_supplement_asked_for_is_the_one_printed():
    again = (
        RequestSupplement,
        {"components": (), "reason": "lần hai", "until": MONDAY + timedelta(9)},
    )
    made = sheet("02", story(*LIVES["supplement"], ReceiveSupplement, again))
    assert facts(made)["Yêu cầu lần thứ"] == "2"
    assert facts(made)["Nội dung cần bổ sung"] == "lần hai"
    assert facts(made)["Bổ sung trước"] == "09:00 ngày 10/06/2026"
    assert not any(isinstance(part, Grid) for part in made.parts)


@pytest.mark.parametrize("kinds", [ISSUED["06"], LONG, LIVES["withdrawn"], LIVES["correcting"]])
def test_the_control_sheet_leaves_no_time_out(kinds):
    (grid,) = (part for part in sheet("06", story(*kinds)).parts if isinstance(part, Grid))
    began = [row[3] for row in grid.rows]
    ended = [row[4] for row in grid.rows]
    assert ended[:-1] == began[1:]


def test_the_control_sheet_of_a_dossier_under_way_ends_open():
    def last(kinds):
        (grid,) = (part for part in sheet("06", story(*kinds)).parts if isinstance(part, Grid))
        return grid.rows[-1]

    assert last(PROCESSING)[4] == BLANK
    assert last(LIVES["not_accepted"])[4] != BLANK
    assert last(LIVES["supplement"])[1] == "Người nộp hồ sơ"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        pytest.param(5 * 28_800, "5 ngày làm việc", id="whole days"),
        pytest.param(4 * 3_600, "4 giờ làm việc", id="hours"),
        pytest.param(5_400, "1 giờ 30 phút làm việc", id="with minutes"),
        pytest.param(0, "0 giờ làm việc", id="none"),
    ],
)
def test_working_times_are_said_as_the_law_says_them(seconds, said):
    assert working(seconds) == said


HOSTILE = "</td><script>alert(1)</script><b>&amp;\"'\u202e\x00\t\u00a0 e\u0302\u0301"


def test_what_a_person_wrote_stays_text():
    named = (SubmitDossier, {"applicant": Applicant(name=HOSTILE, address="x" * 2_000)})
    made = sheet("01", story(named, *ACCEPTED[1:]))
    html = page(made)
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    assert "<script>alert(1)</script>" in printed(pdf(made))
    assert clean(HOSTILE).endswith("ế")
    assert clean("\u202e\x00") == BLANK


def test_a_long_form_runs_over_several_pages_with_its_head_on_each():
    reason = "lý do " * 80
    turns = [(RequestSupplement, {"reason": reason}), ReceiveSupplement] * 40
    made = sheet("06", story(*PROCESSING, *turns))
    pages = pypdf.PdfReader(io.BytesIO(pdf(made))).pages
    assert len(pages) > 2
    assert all("Nơi giữ hồ sơ" in page.extract_text() for page in pages[:-1])


def test_a_refused_dossier_says_why():
    made = sheet("03", story(SubmitDossier, (RefuseDossier, {"reason": "Thiếu\ngiấy tờ"})))
    assert facts(made)["Lý do không tiếp nhận"] == "Thiếu\ngiấy tờ"
    assert lines(page(made)).count("giấy tờ") == 1
