"""A dossier's state as the portal and the one-stop systems tell it one another (DongBoHoSoMC).

The same form both ways, under the standard's field names. What the standard's message lacks is the
moment of the state, by which late and repeated messages are told: `ThoiDiemXuLy`, as progress
messages name it. Pure.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from chalicelib.contexts.dossiers.domain.events import PortalState
from chalicelib.contexts.dossiers.domain.procedure import Code
from chalicelib.kernel import Value
from chalicelib.working_time import HANOI

MAX_PARTS = 500
"""Items of a list inside one message."""
FIRST_YEAR, LAST_YEAR = 1990, 9000
"""No moment of a dossier lies outside."""
_MOMENT = re.compile(r"[0-9]{14}")
_FORMAT = "%Y%m%d%H%M%S"


def read_moment(given: Any) -> Any:
    """A moment from `yyyyMMddHHmmss` of Hanoi's clock (UTC); None if nothing stands there.

    Raises:
        ValueError: it is no such moment.
    """
    if given is None or given == "" or isinstance(given, datetime):
        return given or None
    text = str(given).strip()
    if not _MOMENT.fullmatch(text) or not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
        raise ValueError("not a moment yyyyMMddHHmmss")
    return datetime.strptime(text, _FORMAT).replace(tzinfo=HANOI).astimezone(UTC)


def read_open(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """What `read` makes of it, None if nothing: where the standard leaves open how it looks.

    True and false are the portal's "1" and "0".
    """
    try:
        return read(str(int(given)) if isinstance(given, bool) else given)
    except ValidationError:
        return None


def write_moment(moment: datetime | None) -> str | None:
    """The same in Hanoi's clock, as the portal writes it."""
    return moment.astimezone(HANOI).strftime(_FORMAT) if moment else None


Moment = Annotated[datetime, BeforeValidator(read_moment), PlainSerializer(write_moment)]
MaybeMoment = Annotated[
    datetime | None, BeforeValidator(read_moment), PlainSerializer(write_moment)
]
Word = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=2_000)]
OpenWord = Annotated[Word | None, WrapValidator(read_open)]
OpenText = Annotated[Text | None, WrapValidator(read_open)]
DossierCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Z0-9]{2,3}(\.[A-Z0-9]{2,3}){0,7}-[A-Za-z0-9-]{1,40}$")
]
"""An agency's code, in either form, and what tells its dossiers apart; widths vary."""


class Part(Value):
    """An item of a list in the message; what we do not know of is passed over."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _said(cls, given: Any) -> Any:
        """Null says as much as a field that is not there."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}


class Paper(Part):
    """TaiLieuNop: a component; `id` is the digest of its file, if it has one.

    `digitised`: there is a file; `reused`: it was digitised before, and taken from there; `link`
    is read and never written, as nobody could follow ours without a token.
    """

    code: Word = Field(default="", alias="MaThanhPhanHoSo")
    name: Word = Field(default="", alias="TenTepDinhKem")
    id: Word = Field(default="", alias="TepDinhKemId")
    deleted: OpenWord = Field(default=None, alias="IsDeleted")
    link: OpenText = Field(default=None, alias="DuongDanTaiTepTin", repr=False)
    digitised: OpenWord = Field(default=None, alias="DuocSoHoa")
    reused: OpenWord = Field(default=None, alias="DuocLayTuKhoDMQG")


class Charge(Part):
    """DanhSachLePhi: what it costs. Partners number `kind` differently: it is read, not written."""

    code: Word = Field(default="", alias="MaPhiLePhi")
    name: Word = Field(default="", alias="TenPhiLePhi")
    collected: Word = Field(default="", alias="HinhThucThu")
    amount: Word = Field(default="", alias="Gia")
    kind: OpenWord = Field(default=None, alias="LoaiPhiLePhi")


OpenPapers = Annotated[
    tuple[Paper, ...] | None, Field(max_length=MAX_PARTS), WrapValidator(read_open)
]
OpenCharges = Annotated[
    tuple[Charge, ...] | None, Field(max_length=MAX_PARTS), WrapValidator(read_open)
]


class SupplementAsked(Part):
    """DanhSachHoSoBoSung: a request for more, and when it was met (`met`).

    `papers` are those that are asked for, once it is met those that were handed in.
    """

    id: Word = Field(default="", alias="HoSoBoSungId")
    by: Word = Field(default="", alias="NguoiYeuCauBoSung")
    what: Text | None = Field(default=None, alias="NoiDungBoSung", repr=False)
    asked_at: MaybeMoment = Field(default=None, alias="NgayBoSung")
    received_by: OpenWord = Field(default=None, alias="NguoiTiepNhanBoSung")
    note: OpenText = Field(default=None, alias="ThongTinTiepNhan", repr=False)
    received_at: MaybeMoment = Field(default=None, alias="NgayTiepNhanBoSung")
    met: OpenWord = Field(default=None, alias="TrangThaiBoSung")
    papers: OpenPapers = Field(default=None, alias="DanhSachGiayToBoSung")
    charges: OpenCharges = Field(default=None, alias="DanhSachLePhiBoSung")
    due_before: MaybeMoment = Field(default=None, alias="NgayHenTraTruoc")
    due_after: MaybeMoment = Field(default=None, alias="NgayHenTraMoi")


class Given(Part):
    """DanhSachGiayToKetQua: a result; `id` is the digest of its file, if it has one."""

    name: Word = Field(default="", alias="TenGiayTo")
    id: Word = Field(default="", alias="GiayToId")
    code: Word = Field(default="", alias="MaKetQua")
    link: OpenText = Field(default=None, alias="DuongDanTepTinKetQua", repr=False)


class DossierMessage(Part):
    """What one system tells another of a dossier; the lists may be long, and need not be there."""

    code: DossierCode = Field(alias="MaHoSo")
    procedure: Code = Field(alias="MaTTHC")
    procedure_name: Word = Field(default="", alias="TenTTHC")
    field: Word = Field(default="", alias="MaLinhVuc")
    field_name: Word = Field(default="", alias="TenLinhVuc")
    receipt: Word = Field(default="", alias="SoBienNhan")
    name: Word = Field(default="", alias="ChuHoSo", repr=False)
    kind: Annotated[int, Field(ge=0, le=2)] = Field(default=0, alias="LoaiDoiTuong")
    identity_number: Word = Field(default="", alias="MaDoiTuong", repr=False)
    email: Word = Field(default="", alias="Email", repr=False)
    phone: Word = Field(default="", alias="SoDienThoai", repr=False)
    summary: Text = Field(default="", alias="TrichYeuHoSo", repr=False)
    received_at: MaybeMoment = Field(default=None, alias="NgayTiepNhan")
    due_at: MaybeMoment = Field(default=None, alias="NgayHenTra")
    portal: PortalState = Field(alias="TrangThaiHoSo")
    state_at: Moment = Field(alias="ThoiDiemXuLy")
    returned_at: MaybeMoment = Field(default=None, alias="NgayTra")
    ended_at: MaybeMoment = Field(default=None, alias="NgayKetThucXuLy")
    means: Annotated[int, Field(ge=0, le=1)] = Field(default=0, alias="HinhThuc")
    unit: Word = Field(default="", alias="DonViXuLy")
    note: OpenText = Field(default=None, alias="GhiChu", repr=False)
    channel: Annotated[int, Field(ge=1, le=3)] = Field(alias="KenhThucHien")
    papers: tuple[Paper, ...] = Field(default=(), alias="TaiLieuNop", max_length=MAX_PARTS)
    charges: tuple[Charge, ...] = Field(default=(), alias="DanhSachLePhi", max_length=MAX_PARTS)
    others: OpenPapers = Field(default=None, alias="DanhSachTepDinhKemKhac")
    supplements: tuple[SupplementAsked, ...] = Field(
        default=(), alias="DanhSachHoSoBoSung", max_length=MAX_PARTS
    )
    results: tuple[Given, ...] = Field(
        default=(), alias="DanhSachGiayToKetQua", max_length=MAX_PARTS
    )

    def written(self) -> dict[str, Any]:
        """The message as data, under the standard's names; what is not known is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
