"""What an applicant is told of an event, in Vietnamese and English. Pure.

A text names the dossier and never the person: it may be read on a locked screen.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from chalicelib.contexts.dossiers.domain.events import DossierEvent
from chalicelib.kernel import Value
from chalicelib.working_time import HANOI

Language = Literal["vi", "en"]


class Text(Value):
    """One message: a title (an e-mail's subject; all of an SMS) and a body."""

    title: str
    body: str


_Words = dict[Language, tuple[str, str]]

WORDS: dict[str, _Words] = {
    "dossier.submitted": {
        "vi": (
            "Hồ sơ {code} đã được nộp",
            "Hồ sơ {code} ({procedure}) đã được gửi đến cơ quan giải quyết.",
        ),
        "en": (
            "Dossier {code} has been filed",
            "Dossier {code} ({procedure}) has reached the agency that decides it.",
        ),
    },
    "dossier.accepted": {
        "vi": (
            "Hồ sơ {code} đã được tiếp nhận, hẹn trả {due}",
            "Hồ sơ {code} ({procedure}) đã được tiếp nhận. Hẹn trả kết quả: {due}.",
        ),
        "en": (
            "Dossier {code} has been accepted, due {due}",
            "Dossier {code} ({procedure}) has been accepted. The result is due {due}.",
        ),
    },
    "dossier.not_accepted": {
        "vi": (
            "Hồ sơ {code} không được tiếp nhận",
            "Hồ sơ {code} ({procedure}) không được tiếp nhận. Lý do được nêu trong hồ sơ.",
        ),
        "en": (
            "Dossier {code} has not been accepted",
            "Dossier {code} ({procedure}) has not been accepted. The dossier says why.",
        ),
    },
    "dossier.supplement_requested": {
        "vi": (
            "Hồ sơ {code} cần bổ sung{until}",
            (
                "Hồ sơ {code} ({procedure}) cần bổ sung giấy tờ{until}. Nội dung được nêu trong hồ"
                " sơ. Thời gian chờ bổ sung không tính vào thời hạn giải quyết."
            ),
        ),
        "en": (
            "Dossier {code} needs a supplement{until}",
            (
                "Something is missing from dossier {code} ({procedure}){until}. The dossier says"
                " what. The clock stands still until you have handed it in."
            ),
        ),
    },
    "dossier.supplement_received": {
        "vi": (
            "Hồ sơ {code} đã được bổ sung",
            "Giấy tờ bổ sung cho hồ sơ {code} ({procedure}) đã được nhận.{due_again}",
        ),
        "en": (
            "The supplement to dossier {code} has arrived",
            "What was missing from dossier {code} ({procedure}) has arrived.{due_again}",
        ),
    },
    "dossier.obligation_raised": {
        "vi": (
            "Hồ sơ {code} cần thanh toán {amount}",
            (
                "Hồ sơ {code} ({procedure}) cần thực hiện nghĩa vụ tài chính: {amount}. Thời gian"
                " chờ thanh toán không tính vào thời hạn giải quyết."
            ),
        ),
        "en": (
            "Dossier {code} awaits a payment of {amount}",
            (
                "For dossier {code} ({procedure}) {amount} is to be paid. The clock stands still"
                " until it is."
            ),
        ),
    },
    "dossier.obligation_fulfilled": {
        "vi": (
            "Hồ sơ {code} đã hoàn thành nghĩa vụ tài chính",
            "Nghĩa vụ tài chính của hồ sơ {code} ({procedure}) đã hoàn thành.{due_again}",
        ),
        "en": (
            "The payment for dossier {code} is settled",
            "What was owed for dossier {code} ({procedure}) is settled.{due_again}",
        ),
    },
    "dossier.paused": {
        "vi": (
            "Hồ sơ {code} tạm dừng giải quyết",
            "Việc giải quyết hồ sơ {code} ({procedure}) tạm dừng. Lý do được nêu trong hồ sơ.",
        ),
        "en": (
            "Dossier {code} has been paused",
            "The work on dossier {code} ({procedure}) stands still. The dossier says why.",
        ),
    },
    "dossier.resumed": {
        "vi": (
            "Hồ sơ {code} được tiếp tục giải quyết, hẹn trả {due}",
            "Hồ sơ {code} ({procedure}) được tiếp tục giải quyết. Hẹn trả kết quả: {due}.",
        ),
        "en": (
            "The work on dossier {code} goes on, due {due}",
            "The work on dossier {code} ({procedure}) goes on. The result is due {due}.",
        ),
    },
    "dossier.deadline_extended": {
        "vi": (
            "Xin lỗi: hồ sơ {code} được hẹn lại {due}",
            (
                "Cơ quan giải quyết xin lỗi vì hồ sơ {code} ({procedure}) chưa thể trả đúng hẹn."
                " Hẹn trả lại: {due}. Lý do được nêu trong hồ sơ."
            ),
        ),
        "en": (
            "We are sorry: dossier {code} is now due {due}",
            (
                "The agency apologises: dossier {code} ({procedure}) cannot be answered in time. It"
                " is now due {due}. The dossier says why."
            ),
        ),
    },
    "dossier.overdue": {
        "vi": (
            "Xin lỗi: hồ sơ {code} đã quá hạn",
            (
                "Cơ quan giải quyết xin lỗi: hồ sơ {code} ({procedure}) đã quá giờ hẹn trả và vẫn"
                " đang được giải quyết."
            ),
        ),
        "en": (
            "We are sorry: dossier {code} is late",
            (
                "The agency apologises: dossier {code} ({procedure}) is past its appointment and"
                " still being worked on."
            ),
        ),
    },
    "dossier.withdrawal_approved": {
        "vi": (
            "Hồ sơ {code} đã được rút",
            "Yêu cầu rút hồ sơ {code} ({procedure}) đã được chấp thuận. Hồ sơ kết thúc tại đây.",
        ),
        "en": (
            "Dossier {code} has been withdrawn",
            "Your wish to withdraw dossier {code} ({procedure}) was granted. It ends here.",
        ),
    },
    "dossier.withdrawal_declined": {
        "vi": (
            "Hồ sơ {code} không được rút",
            (
                "Yêu cầu rút hồ sơ {code} ({procedure}) không được chấp thuận. Lý do được nêu trong"
                " hồ sơ."
            ),
        ),
        "en": (
            "Dossier {code} has not been withdrawn",
            (
                "Your wish to withdraw dossier {code} ({procedure}) was declined. The dossier says"
                " why."
            ),
        ),
    },
    "dossier.stopped": {
        "vi": (
            "Hồ sơ {code} dừng giải quyết",
            "Hồ sơ {code} ({procedure}) dừng giải quyết. Lý do được nêu trong hồ sơ.",
        ),
        "en": (
            "The work on dossier {code} has stopped",
            "The work on dossier {code} ({procedure}) has stopped. The dossier says why.",
        ),
    },
    "dossier.processed": {
        "vi": (
            "Hồ sơ {code} đã giải quyết xong",
            "Hồ sơ {code} ({procedure}) đã giải quyết xong. Kết quả chờ được trả.",
        ),
        "en": (
            "Dossier {code} has been decided",
            "Dossier {code} ({procedure}) has been decided. The result waits for you.",
        ),
    },
    "dossier.result_returned": {
        "vi": (
            "Kết quả hồ sơ {code} đã được trả",
            "Kết quả giải quyết hồ sơ {code} ({procedure}) đã được trả.",
        ),
        "en": (
            "The result of dossier {code} has been returned",
            "The result of dossier {code} ({procedure}) has been returned.",
        ),
    },
    "dossier.result_withdrawn": {
        "vi": (
            "Kết quả hồ sơ {code} được thu lại để đính chính",
            "Kết quả của hồ sơ {code} ({procedure}) có sai sót và được thu lại để đính chính.",
        ),
        "en": (
            "The result of dossier {code} is being corrected",
            "The result of dossier {code} ({procedure}) was wrong and is being corrected.",
        ),
    },
    "dossier.result_corrected": {
        "vi": (
            "Kết quả hồ sơ {code} đã được đính chính",
            "Kết quả đã đính chính của hồ sơ {code} ({procedure}) chờ được trả.",
        ),
        "en": (
            "The result of dossier {code} has been corrected",
            "The corrected result of dossier {code} ({procedure}) waits for you.",
        ),
    },
}
"""Title and body by event type and language; of other events nobody is told."""

_UNTIL: dict[Language, str] = {"vi": " trước {0}", "en": " before {0}"}
_DUE_AGAIN: dict[Language, str] = {
    "vi": " Hẹn trả kết quả: {0}.",
    "en": " The result is due {0}.",
}
_LINK: dict[Language, str] = {"vi": "\n\nTra cứu: {0}", "en": "\n\nFollow it at {0}"}
_MOMENT: dict[Language, Callable[[datetime], str]] = {
    "vi": lambda at: f"{at:%H:%M ngày %d/%m/%Y}",
    "en": lambda at: f"{at:%H:%M on %d/%m/%Y}",
}
_DONG: dict[Language, str] = {"vi": "{0} đồng", "en": "{0} VND"}


def told(event: DossierEvent, procedure: str, language: Language, link: str) -> Text:
    """What is said of an event of `WORDS`; `link` is where the dossier is tracked, or empty."""

    def said(wording: dict[Language, str], value: str) -> str:
        return wording[language].format(value) if value else ""

    def moment(at: datetime | None) -> str:
        return _MOMENT[language](at.astimezone(HANOI)) if at else ""

    clock, amount = getattr(event, "clock", None), getattr(event, "amount", None)
    due = moment(clock.due_at if clock and clock.runs_from else None)
    grouped = "" if amount is None else f"{amount:,}".replace(",", ".")
    values: dict[str, Any] = {
        "code": event.code,
        # A line break in a name must not break an e-mail's subject.
        "procedure": " ".join(procedure.split()),
        "due": due,
        "due_again": said(_DUE_AGAIN, due),
        "until": said(_UNTIL, moment(getattr(event, "until", None))),
        "amount": said(_DONG, grouped),
    }
    title, body = (words.format(**values) for words in WORDS[event.type][language])
    return Text(title=title, body=body + said(_LINK, link))
