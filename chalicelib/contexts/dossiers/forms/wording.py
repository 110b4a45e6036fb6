"""What stands on each form: read from a dossier's events. Pure; the wording is our own.

A form can be printed once what it says has happened, and says the same ever after; of supplements
asked for, form 02 is about the last.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar, get_args

from chalicelib.contexts.dossiers.control_sheet import Doing, Stay, control_sheet
from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Applicant,
    Channel,
    Clock,
    Contact,
    CopyKind,
    DossierAccepted,
    DossierApologyDrafted,
    DossierDeadlineExtended,
    DossierNotAccepted,
    DossierStopped,
    DossierSubmitted,
    DossierSupplementRequested,
    DossierWithdrawalApproved,
    DossierWithdrawalRequested,
    ReturnMeans,
)
from chalicelib.http.personal import Opened
from chalicelib.kernel import Conflict, Event, NotFound
from chalicelib.paper.sheet import (
    BLANK,
    Facts,
    Grid,
    Prose,
    Sheet,
    clean,
    moment,
)
from chalicelib.privacy.personal import Personal
from chalicelib.working_time import Calendar

Form = Literal["01", "02", "03", "04", "05", "06"]
FORMS: tuple[Form, ...] = get_args(Form)
HOUR_S, DAY_S = 3_600, 8 * 3_600
"""Working seconds; 8 working hours are one working day."""

E = TypeVar("E", bound=Event)


class FormUnknown(NotFound):
    """There is no form of this number: there are 01 to 06, and the register (07) is a list."""

    code = "form-unknown"
    rule = "Circular 03/2025/TT-VPCP, Annex I"


class FormNotIssued(Conflict):
    """What this form says has not happened to the dossier, or not here."""

    code = "form-not-issued"
    rule = "Circular 03/2025/TT-VPCP, Annex I"


_KINDS: dict[CopyKind, str] = {
    "original": "Bản chính",
    "copy": "Bản sao",
    "electronic": "Bản điện tử",
}
_CHANNELS: dict[Channel, str] = {
    "direct": "Trực tiếp",
    "online": "Trực tuyến",
    "post": "Bưu chính công ích",
}
_MEANS: dict[ReturnMeans, str] = {
    "desk": "Tại bộ phận một cửa",
    "post": "Qua bưu chính công ích",
    "electronic": "Bản điện tử",
}
_APPLICANT = "Người nộp hồ sơ"
_DOING: dict[Doing, str] = {
    "intake": "Tiếp nhận hồ sơ",
    "step": "",
    "applicant": "Bổ sung hồ sơ, nghĩa vụ tài chính",
    "paused": "Tạm dừng giải quyết",
    "handover": "Chờ trả kết quả",
    "correction": "Đính chính kết quả",
    "over": "",
}
"""What a stretch of time went into; a step has its own name."""


@dataclass(frozen=True)
class Story:
    """A dossier's events, and what is needed to tell them.

    `name` gives an agency's name by its code, `open` a personal value, None where it is not to
    be seen; `tracking` is what the QR code says, `word` the check word, empty where it is
    not to be seen.
    """

    events: Sequence[AnyDossierEvent]
    name: Callable[[str], str]
    open: Opened
    tracking: str
    word: str = ""

    @property
    def filed(self) -> DossierSubmitted:
        """How it was filed.

        Raises:
            FormNotIssued: it was not filed here.
        """
        return self.first(DossierSubmitted)

    @property
    def applicant(self) -> Applicant:
        """Who asks."""
        return self.open(self.filed.applicant) or Applicant(name="")

    @property
    def contact(self) -> Contact:
        """How they are reached."""
        return self.open(self.filed.contact) or Contact()

    def first(self, kind: type[E]) -> E:
        """The first event of this kind.

        Raises:
            FormNotIssued: there is none.
        """
        return self._one(kind, self.events)

    def last(self, kind: type[E]) -> E:
        """The last event of this kind.

        Raises:
            FormNotIssued: there is none.
        """
        return self._one(kind, self.events[::-1])

    def has(self, *kinds: type[Event]) -> bool:
        """Whether something of this kind has happened."""
        return any(isinstance(event, kinds) for event in self.events)

    def said(self, reason: Personal[str]) -> str:
        """A personal text as it can be printed."""
        return clean(self.open(reason))

    @staticmethod
    def _one(kind: type[E], events: Sequence[AnyDossierEvent]) -> E:
        for event in events:
            if isinstance(event, kind):
                return event
        raise FormNotIssued


def sheet(form: str, story: Story) -> Sheet:
    """The form as it stands.

    Raises:
        FormUnknown: there is no such form.
        FormNotIssued: what it says has not happened.
    """
    match form:
        case "01":
            return _receipt(story)
        case "02":
            return _supplement(story)
        case "03":
            return _refusal(story)
        case "04":
            return _apology(story)
        case "05":
            return _stop(story)
        case "06":
            return _control(story)
    raise FormUnknown(f"there is no form {form[:20]}")


def _receipt(story: Story) -> Sheet:
    accepted, filed, contact = story.first(DossierAccepted), story.filed, story.contact
    names = {rule.code: rule.name for rule in filed.terms.components}
    rows = (
        (str(number), one.code, clean(names.get(one.code)), _kind(one.kind, one.digitised))
        for number, one in enumerate(filed.components, start=1)
    )
    facts = (
        *_about(story),
        ("Địa chỉ", clean(contact.address or story.applicant.address)),
        ("Số điện thoại", clean(contact.phone)),
        ("Thư điện tử", clean(contact.email)),
        ("Hình thức nộp", _CHANNELS[accepted.channel]),
        ("Số biên nhận", accepted.receipt),
        ("Tiếp nhận lúc", moment(accepted.at)),
        ("Thời hạn giải quyết", working(accepted.clock.allowed_s)),
        ("Hẹn trả kết quả lúc", moment(accepted.clock.due_at)),
        *_present_appointment(story, accepted.clock),
        ("Nơi nhận kết quả", _MEANS[filed.wanted]),
        *([("Từ khóa tra cứu", story.word)] if story.word else []),
    )
    parts = (
        Facts(rows=facts),
        Grid(
            title="Thành phần hồ sơ đã nộp",
            head=("STT", "Mã", "Tên giấy tờ", "Hình thức"),
            widths=(8, 20, 50, 22),
            rows=tuple(rows),
        ),
        Prose(
            text="Khi hồ sơ phải chờ bổ sung hoặc chờ thực hiện nghĩa vụ tài chính, thời gian chờ"
            " không tính vào thời hạn giải quyết và ngày hẹn trả được tính lại."
        ),
    )
    return _made(
        story,
        "01",
        "Giấy tiếp nhận hồ sơ và hẹn trả kết quả",
        accepted.at,
        parts,
        signers=("Người nộp hồ sơ", "Người tiếp nhận hồ sơ"),
    )


def _present_appointment(story: Story, first: Clock) -> Iterator[tuple[str, str]]:
    clocks = [clock for event in story.events if (clock := getattr(event, "clock", None))]
    if clocks[-1].due_at != first.due_at:
        yield "Hẹn trả được tính lại", moment(clocks[-1].due_at)


def _supplement(story: Story) -> Sheet:
    asked, terms = story.last(DossierSupplementRequested), story.filed.terms
    names = {rule.code: rule.name for rule in terms.components}
    facts = (
        *_about(story),
        ("Yêu cầu lần thứ", str(asked.number)),
        ("Nội dung cần bổ sung", story.said(asked.reason)),
        *([("Bổ sung trước", moment(asked.until))] if asked.until else []),
    )
    papers = Grid(
        title="Giấy tờ cần bổ sung, hoàn thiện",
        head=("STT", "Mã", "Tên giấy tờ"),
        widths=(8, 22, 70),
        rows=tuple(
            (str(number), code, clean(names.get(code)))
            for number, code in enumerate(asked.components, start=1)
        ),
    )
    listed: tuple[Grid, ...] = (papers,) if papers.rows else ()
    parts: tuple[Facts | Grid | Prose, ...] = (
        Facts(rows=facts),
        *listed,
        Prose(
            text="Thời gian chờ bổ sung không tính vào thời hạn giải quyết. Có thể bổ sung trực"
            " tuyến hoặc tại bộ phận một cửa."
        ),
    )
    title = "Phiếu yêu cầu bổ sung, hoàn thiện hồ sơ"
    return _made(story, "02", title, asked.at, parts)


def _refusal(story: Story) -> Sheet:
    refused = story.first(DossierNotAccepted)
    facts = (*_about(story), ("Lý do không tiếp nhận", story.said(refused.reason)))
    parts = (
        Facts(rows=facts),
        Prose(text="Hồ sơ không được tiếp nhận giải quyết vì lý do nêu trên."),
    )
    title = "Phiếu từ chối tiếp nhận giải quyết hồ sơ"
    return _made(story, "03", title, refused.at, parts)


def _apology(story: Story) -> Sheet:
    title = "Văn bản xin lỗi và đề nghị gia hạn"
    if not story.has(DossierDeadlineExtended):
        drafted = story.last(DossierApologyDrafted)
        facts = (
            *_about(story),
            ("Đã hẹn trả lúc", moment(drafted.due_at)),
            ("Lý do", BLANK),
            ("Hẹn trả lại lúc", BLANK),
        )
        return _made(story, "04", title, drafted.at, (*_sorry(facts),), draft=True)
    extended = story.last(DossierDeadlineExtended)
    facts = (
        *_about(story),
        ("Đã hẹn trả lúc", moment(extended.due_before)),
        ("Lý do", story.said(extended.reason)),
        ("Thời gian gia hạn", working(extended.more_s)),
        ("Hẹn trả lại lúc", moment(extended.clock.due_at)),
    )
    return _made(story, "04", title, extended.at, (*_sorry(facts),))


def _sorry(facts: tuple[tuple[str, str], ...]) -> Iterator[Facts | Prose]:
    yield Prose(
        text="Cơ quan chúng tôi xin lỗi vì hồ sơ dưới đây chưa thể giải quyết đúng thời hạn đã hẹn"
        " và đề nghị gia hạn như sau."
    )
    yield Facts(rows=facts)


def _stop(story: Story) -> Sheet:
    title = "Thông báo dừng giải quyết hồ sơ"
    if story.has(DossierWithdrawalApproved):
        ended = story.last(DossierWithdrawalApproved).at
        wish = story.said(story.last(DossierWithdrawalRequested).reason)
        why = f"Người nộp rút hồ sơ: {wish}"
    else:
        stopped = story.first(DossierStopped)
        ended, why = stopped.at, story.said(stopped.reason)
    facts = (*_about(story), ("Dừng giải quyết lúc", moment(ended)), ("Lý do", why))
    parts = (Facts(rows=facts), Prose(text="Hồ sơ được dừng giải quyết kể từ thời điểm nêu trên."))
    return _made(story, "05", title, ended, parts)


def _control(story: Story) -> Sheet:
    # Up to the last event: the form says what has happened, whenever it is printed.
    last = story.events[-1].at
    told = control_sheet((story.filed, *story.events[1:]), Calendar(), last)
    rows = tuple(
        (
            str(number),
            clean(_holder(story, stay)),
            clean(_DOING[stay.doing] or stay.name or "Giải quyết hồ sơ"),
            moment(stay.since),
            moment(stay.until),
            working(stay.worked_s),
            {True: "Đúng hạn", False: "Quá hạn", None: BLANK}[stay.on_time],
        )
        for number, stay in enumerate((s for s in told.stays if s.doing != "over"), start=1)
    )
    grid = Grid(
        title="Quá trình giải quyết",
        head=("STT", "Nơi giữ hồ sơ", "Công việc", "Nhận lúc", "Chuyển lúc", "Thời gian", "Hạn"),
        widths=(6, 22, 18, 15, 15, 12, 12),
        rows=rows,
    )
    title = "Phiếu kiểm soát quá trình giải quyết hồ sơ"
    return _made(story, "06", title, last, (Facts(rows=(*_about(story),)), grid))


def _holder(story: Story, stay: Stay) -> str:
    if stay.doing == "applicant":
        return _APPLICANT
    unit = f" - {stay.unit}" if stay.unit else ""
    return f"{story.name(stay.agency)}{unit}" if stay.agency else BLANK


def _about(story: Story) -> Iterator[tuple[str, str]]:
    """What every form says: of which dossier, whose, for what."""
    filed = story.filed
    yield "Mã hồ sơ", filed.code
    yield _APPLICANT, clean(story.applicant.name)
    yield "Thủ tục hành chính", f"{filed.terms.procedure} - {clean(filed.terms.name)}"


def _made(
    story: Story,
    form: Form,
    title: str,
    issued_at: datetime,
    parts: tuple[Facts | Grid | Prose, ...],
    *,
    signers: tuple[str, str] = ("", "Đại diện cơ quan"),
    draft: bool = False,
) -> Sheet:
    return Sheet(
        title=title,
        after=f"Theo mẫu số {form}, Phụ lục I, Thông tư 03/2025/TT-VPCP",
        agency=clean(story.name(story.filed.agency)),
        code=story.filed.code,
        issued_at=issued_at,
        tracking=story.tracking,
        parts=parts,
        signers=signers,
        stamp="DỰ THẢO" if draft else "",
    )


def _kind(kind: CopyKind, digitised: str) -> str:
    return f"{_KINDS[kind]} (dùng lại)" if digitised else _KINDS[kind]


def working(seconds: int) -> str:
    """A working time in the words of the law: days of 8 hours, else hours and minutes."""
    if seconds and seconds % DAY_S == 0:
        return f"{seconds // DAY_S} ngày làm việc"
    hours, minutes = seconds // HOUR_S, seconds % HOUR_S // 60
    return f"{hours} giờ {minutes:02} phút làm việc" if minutes else f"{hours} giờ làm việc"
