"""What can happen to money.

Streams: `payment-<id>` holds a request, its transactions and its refunds, so that no two of them
can disagree about what is left; `receipt-<id>` one receipt; `settlement-<provider>.<date>` one
provider's day; `provider-<code>` and `payee-<agency>` who takes part. Agency codes are canonical
(`G22`). Money is in whole đồng. What is about a person is `Personal`.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from chalicelib.kernel import Event, Value
from chalicelib.privacy.personal import Personal

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Dong = Annotated[int, Field(ge=0, le=10**15)]
"""An amount in đồng, which has no smaller unit."""

LineKind = Literal["fee", "charge", "fine", "tax"]
"""Phí, lệ phí, tiền phạt, thuế. Partners number them differently, so nothing here does."""
Learnt = Literal["notice", "query", "settlement"]
"""How we came to know what became of a transaction: only what a provider signed or answered."""


class Line(Value):
    """One item to pay. `chapter` and `subsection` are the budget's (MA_CHUONG, MA_TMUC)."""

    code: str
    name: str
    kind: LineKind
    amount: Dong
    chapter: str = ""
    subsection: str = ""


class Payee(Value):
    """Whose account the money goes to. Fines and taxes go to the treasury's."""

    agency: str
    account: str
    bank: str
    holder: str


class Payer(Value):
    """Who pays, as they are named on a receipt."""

    name: str
    identity_number: str = ""
    address: str = ""


class Beneficiary(Value):
    """The account that a refund goes to."""

    name: str
    account: str
    bank: str


class Part(Value):
    """A share of a refund: of a kind of line, or of what was paid too much."""

    kind: LineKind | Literal["overpaid"]
    amount: Dong


class PaymentEvent(Event):
    """Something that happened to payment `payment`; `agency` is its payee."""

    payment: str
    agency: str
    at: AwareDatetime


class PaymentRequested(PaymentEvent):
    """`payer` owes the sum of `lines`, to be paid before `expires_at` if that is given.

    `subject` is who pays: an opaque identifier. `dossier` and `obligation` name what it is paid
    for; both are empty if an agency asked directly.
    Rule: the amount is the sum of the lines (PaymentPlatform 1.0.6, PhiLePhi and DSKhoanNop).
    """

    type: Literal["payment.requested"] = "payment.requested"
    dossier: str = ""
    obligation: str = ""
    subject: str
    payer: Personal[Payer] | None = None
    lines: tuple[Line, ...]
    amount: Dong
    payee: Payee | None = None
    partial: bool = False
    expires_at: AwareDatetime | None = None


class PaymentTransactionInitiated(PaymentEvent):
    """The payer was sent to a provider with reference `transaction` to pay `amount`.

    `payer` and `payee` are who pays and whose account it goes to, where that is known by now. If
    the provider has said nothing by `ask_at`, it is asked.
    Rule: PaymentPlatform 1.0.6, INIT (MaThamChieu); state KHOI_TAO.
    """

    type: Literal["payment.transaction_initiated"] = "payment.transaction_initiated"
    transaction: str
    provider: str
    amount: Dong
    payer: Personal[Payer] | None = None
    payee: Payee | None = None
    expires_at: AwareDatetime
    ask_at: AwareDatetime


class PaymentCaptured(PaymentEvent):
    """A provider has taken `amount` for a transaction: `provider_reference` is its own name for it.

    Rule: MaLoi 00 of a verified notice; TrangThaiGD 1 of a query.
    """

    type: Literal["payment.captured"] = "payment.captured"
    transaction: str
    provider: str
    provider_reference: str
    amount: Dong
    paid_at: AwareDatetime
    learnt: Learnt


class PaymentCapturedLate(PaymentEvent):
    """The same, after the transaction was held to have failed, or the request to be done with.

    The money is there, whatever we said before: a correction, and an event of its own. `before` is
    what was said.
    Rule: MaLoi 00 or TrangThaiGD 1, though TrangThaiGD was 4, or the request was closed.
    """

    type: Literal["payment.captured_late"] = "payment.captured_late"
    transaction: str
    provider: str
    provider_reference: str
    amount: Dong
    paid_at: AwareDatetime
    learnt: Learnt
    before: Literal["failed", "expired", "cancelled", "paid"]


class PaymentTransactionFailed(PaymentEvent):
    """A provider said that nothing was paid; `said` is its code for why.

    Rule: MaLoi other than 00; TrangThaiGD 4.
    """

    type: Literal["payment.transaction_failed"] = "payment.transaction_failed"
    transaction: str
    provider: str
    said: str
    learnt: Learnt


class PaymentTransactionUnknown(PaymentEvent):
    """The provider was asked and did not know yet; at `ask_at` it is asked again, if that is given.

    `said` is its code, or `no-answer`.
    Rule: TrangThaiGD 3; asked again from 30 minutes to 3 days after the start.
    """

    type: Literal["payment.transaction_unknown"] = "payment.transaction_unknown"
    transaction: str
    provider: str
    said: str = ""
    ask_at: AwareDatetime | None = None


class PaymentNoticeDisputed(PaymentEvent):
    """A notice with a good signature says something that cannot be: nothing was captured by it.

    It names another amount than the transaction's, another `provider_reference` than before, or a
    failure after the money was there (then `amount` is 0). Said once for each such notice.
    Rule: the amount of a confirmed payment is the amount asked for (INIT, SoTien).
    """

    type: Literal["payment.notice_disputed"] = "payment.notice_disputed"
    transaction: str
    provider: str
    provider_reference: str
    amount: Dong
    expected: Dong
    why: Literal["amount", "other_reference", "after_success"]
    learnt: Learnt


class PaymentPaid(PaymentEvent):
    """All of it is there: `amount` was owed, `over` was paid too much. Said once.

    It is in the same commit as what made it so. Whoever waits for the money goes on.
    Rule: TrangThaiHoSo 6: a dossier goes on once its obligation is paid.
    """

    type: Literal["payment.paid"] = "payment.paid"
    dossier: str
    obligation: str
    subject: str
    payer: Personal[Payer] | None = None
    payee: Payee | None = None
    lines: tuple[Line, ...]
    amount: Dong
    over: Dong = 0


class PaymentExpired(PaymentEvent):
    """The time to pay is over; `captured` was paid in part until then.

    Rule: a request states until when it may be paid (vnp_ExpireDate).
    """

    type: Literal["payment.expired"] = "payment.expired"
    captured: Dong = 0


class PaymentCancelled(PaymentEvent):
    """It need not be paid any more; `captured` was paid in part until then.

    `reason` is the agency's, or a word: `desk`, `waived` (settled otherwise), `withdrawn`,
    `stopped` (its dossier ended).
    Rule: TrangThaiHoSo 8: a dossier that ended waits for no money.
    """

    type: Literal["payment.cancelled"] = "payment.cancelled"
    reason: Text
    captured: Dong = 0


class PaymentRefundRequested(PaymentEvent):
    """Somebody asks that `amount` of what a transaction brought be given back.

    `parts` say of what: first what was paid too much, then of the lines in order. `by` is who asks,
    `words` are theirs; before version 2 they stood unsealed in `reason`.
    Rule: the account for a refund is taken down beforehand (TenTaiKhoanHoanPhi).
    """

    version: ClassVar[int] = 2
    type: Literal["payment.refund_requested"] = "payment.refund_requested"
    refund: str
    transaction: str
    provider: str
    amount: Dong
    parts: tuple[Part, ...]
    reason: Text = ""
    words: Personal[str] | None = None
    beneficiary: Personal[Beneficiary] | None = None
    by: str


class PaymentRefundApproved(PaymentEvent):
    """A second person agrees: from here on it is owed to the payer.

    Rule: nobody approves their own request for money (four eyes).
    """

    type: Literal["payment.refund_approved"] = "payment.refund_approved"
    refund: str
    transaction: str
    provider: str
    amount: Dong
    parts: tuple[Part, ...]
    by: str


class PaymentRefundRejected(PaymentEvent):
    """It is not given back, for a reason.

    Rule: nobody decides on their own request for money (four eyes).
    """

    type: Literal["payment.refund_rejected"] = "payment.refund_rejected"
    refund: str
    reason: Text
    by: str


class PaymentRefundSubmitted(PaymentEvent):
    """The provider is told to give it back.

    Rule: the provider's refund command (vnp_Command refund).
    """

    type: Literal["payment.refund_submitted"] = "payment.refund_submitted"
    refund: str
    provider: str


class PaymentRefundSettled(PaymentEvent):
    """The payer has it back.

    Rule: the provider's answer to its refund command, or its settlement file.
    """

    type: Literal["payment.refund_settled"] = "payment.refund_settled"
    refund: str
    provider: str
    provider_reference: str
    amount: Dong
    parts: tuple[Part, ...]


class PaymentRefundFailed(PaymentEvent):
    """The provider could not give it back; it may be submitted again.

    Rule: the provider's answer to its refund command.
    """

    type: Literal["payment.refund_failed"] = "payment.refund_failed"
    refund: str
    provider: str
    said: str


class PaymentRefundPaidByHand(PaymentEvent):
    """The agency gave it back itself, from its own account, as the provider could not.

    `reference` is the bank's name for the transfer; `by` says so, and is not who asked for it.
    Rule: PaymentPlatform 1.0.6 has no command that gives money back.
    """

    type: Literal["payment.refund_paid_by_hand"] = "payment.refund_paid_by_hand"
    refund: str
    amount: Dong
    parts: tuple[Part, ...]
    reference: str
    by: str


PaymentEvents = Annotated[
    PaymentRequested
    | PaymentTransactionInitiated
    | PaymentCaptured
    | PaymentCapturedLate
    | PaymentTransactionFailed
    | PaymentTransactionUnknown
    | PaymentNoticeDisputed
    | PaymentPaid
    | PaymentExpired
    | PaymentCancelled
    | PaymentRefundRequested
    | PaymentRefundApproved
    | PaymentRefundRejected
    | PaymentRefundSubmitted
    | PaymentRefundSettled
    | PaymentRefundFailed
    | PaymentRefundPaidByHand,
    Field(discriminator="type"),
]


# Who takes part: providers (`provider-<code>`) and payees (`payee-<agency>`).

ProviderKind = Literal["vnpay", "platform", "sandbox"]
"""The protocol a provider speaks: VNPay's, the portal's payment platform's, our demo's."""
Algorithm = Literal["md5", "sha256", "sha512", "hmac-sha256", "hmac-sha512"]
"""How MaXacThuc is computed; md5 is what some partners still speak."""


class Checksum(Value):
    """How a partner's version of the payment platform computes MaXacThuc.

    A hash is over the fields and the shared secret, an HMAC over the fields alone, joined by `|`,
    each message kind with its own fields in their order.
    Rule: PaymentPlatform 1.0.6, MaXacThuc; algorithm and order differ by partner.
    """

    algorithm: Algorithm = "sha256"
    init: tuple[str, ...] = (
        *("LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "SoTien", "LoaiHinhThanhToan"),
        *("MaKenhThanhToan", "MaThietBi", "NgonNgu", "MaTienTe", "MaNganHang"),
        *("ThongTinGiaoDich", "ThoiGianGD", "Ip"),
    )
    notice: tuple[str, ...] = (
        *("LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "MaGiaoDich", "SoTien", "MaTienTe"),
        *("MaLoi", "ThoiGianGD"),
    )
    query: tuple[str, ...] = ("LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "ThoiGianGD")
    answer: tuple[str, ...] = (
        *("LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "MaGiaoDich", "SoTien", "MaTienTe"),
        *("TrangThaiGD", "ThoiGianGD"),
    )


class ProviderTerms(Value):
    """How a provider is reached and spoken to: `merchant` is the code it knows us by.

    Payers are sent to `pay_url`, or a payment is begun there; `query_url` answers what became of
    one, `refund_url` gives money back; empty: it cannot. The browser comes back to `return_url`,
    which proves nothing. A transaction is open for `minutes`. An empty `version` is the protocol's
    default. `checksum`, `fee_code` and `charge_code` (LoaiPhiLePhi) are for the platform alone:
    its partners number them differently.
    """

    name: str
    kind: ProviderKind
    merchant: str
    pay_url: str
    query_url: str = ""
    refund_url: str = ""
    return_url: str
    version: str = ""
    minutes: int = 15
    checksum: Checksum = Checksum()
    fee_code: str = "1"
    charge_code: str = "2"


class ProviderRegistered(Event):
    """Payers can be sent to a provider from now on.

    The shared `secret` is sealed under a key of its own; `secret_print` (an HMAC under the
    deployment's secret) tells whether another is the same.
    Rule: VNPay 2.1.0, vnp_HashSecret; PaymentPlatform 1.0.6, MaXacThuc.
    """

    type: Literal["provider.registered"] = "provider.registered"
    provider: str
    terms: ProviderTerms
    secret: Personal[str]
    secret_print: str
    at: AwareDatetime


class ProviderChanged(Event):
    """A provider is reached in another way, or has another secret, in place of what was known.

    Rule: VNPay 2.1.0, vnp_HashSecret; PaymentPlatform 1.0.6, MaXacThuc.
    """

    type: Literal["provider.changed"] = "provider.changed"
    provider: str
    terms: ProviderTerms
    secret: Personal[str]
    secret_print: str
    at: AwareDatetime


class ProviderSuspended(Event):
    """Nobody is sent to a provider until it is resumed. What it says of money still counts.

    Rule: An administrator of the backbone suspends and resumes providers.
    """

    type: Literal["provider.suspended"] = "provider.suspended"
    provider: str
    reason: Text
    at: AwareDatetime


class ProviderResumed(Event):
    """Payers are sent to a provider again.

    Rule: An administrator of the backbone suspends and resumes providers.
    """

    type: Literal["provider.resumed"] = "provider.resumed"
    provider: str
    at: AwareDatetime


ProviderEvent = Annotated[
    ProviderRegistered | ProviderChanged | ProviderSuspended | ProviderResumed,
    Field(discriminator="type"),
]

AccountUse = Literal["agency", "treasury"]
"""Whose account it is: the agency's own (phí, lệ phí) or the treasury's (fines and taxes)."""


class PayeeAccountSet(Event):
    """Money for an agency goes to this account from now on, as far as `use` says.

    Rule: PaymentPlatform 1.0.6, TKThuHuong, MaNHThuHuong, TenTKThuHuong and TaiKhoanThuNSNN.
    """

    type: Literal["payee.account_set"] = "payee.account_set"
    agency: str
    use: AccountUse
    payee: Payee
    at: AwareDatetime


PayeeEvent = PayeeAccountSet


# What a provider says of a day: settlements (`settlement-<provider>.<date>`).

LineOf = Literal["payment", "refund"]
"""What a line of a settlement file is about: money taken, or money given back."""
DiscrepancyKind = Literal["only_ours", "only_theirs", "amount_diff", "status_diff"]
Standing = Literal["absent", "open", "done", "failed"]
"""How a payment or refund stands in somebody's books; `done`: the money has moved."""
Decision = Literal["another_day", "provider_corrects", "we_correct", "written_off", "not_ours"]
"""What was decided of a discrepancy.

All but `not_ours` take what the provider says it moved as moved; `written_off` gives up the rest;
`we_correct` books what the provider says as having happened, where we had begun it.
"""


class Discrepancy(Value):
    """A line on which our books and the provider's differ: what each says, and of which day.

    `id` is the same whenever the same difference is found. `agency` and `payment` are empty if we
    know of no such payment. `moved_at` is when the money moved, by the provider's clock.
    `other_day`: we hold the line, but on that day. Amounts in đồng.
    """

    id: str
    kind: DiscrepancyKind
    line: LineOf
    reference: str
    provider_reference: str = ""
    agency: str = ""
    payment: str = ""
    ours: Dong = 0
    theirs: Dong = 0
    fee: Dong = 0
    our_status: Standing = "absent"
    their_status: Standing = "absent"
    since: date
    moved_at: AwareDatetime | None = None
    other_day: date | None = None


class Tally(Value):
    """What agrees of an agency's lines of a day: how many, and how many đồng by what they are."""

    agency: str
    matched: int = 0
    payments: Dong = 0
    refunds: Dong = 0
    fees: Dong = 0


class Settled(Value):
    """What a closed day settles of an agency's money with the provider, in đồng.

    `written_off` is what was given up; it is negative where we keep more than was ours.
    """

    agency: str
    payments: Dong = 0
    refunds: Dong = 0
    fees: Dong = 0
    written_off: int = 0


class SettlementEvent(Event):
    """Something that happened to the settlement of provider `provider` for day `on` (Hanoi)."""

    provider: str
    on: date
    at: AwareDatetime


class SettlementFileReceived(SettlementEvent):
    """A provider's file of the day is to be read; one that came before it counts no more.

    `name` is what its sender calls it, `size` its bytes. `by` is who brought it.
    Rule: đối soát: each provider's file is compared with our own record, day by day.
    """

    type: Literal["settlement.file_received"] = "settlement.file_received"
    sha256: str
    name: Text
    size: int
    by: str


class SettlementChunkRead(SettlementEvent):
    """Part `number` of the file was read: `lines` lines, `amount` đồng, bytes with that digest.

    Rule: đối soát: each provider's file is compared line by line.
    """

    type: Literal["settlement.chunk_read"] = "settlement.chunk_read"
    number: int
    lines: int
    amount: Dong
    sha256: str


class SettlementFileRefused(SettlementEvent):
    """The file cannot be used, and none of it counts: `why` at `line` (0: no line in particular).

    Rule: a settlement file is whole, adds up to its own total, and names no line twice.
    """

    type: Literal["settlement.file_refused"] = "settlement.file_refused"
    sha256: str
    line: int
    why: Text


class SettlementDiscrepancyFound(SettlementEvent):
    """Our books and the provider's differ on a line.

    Rule: đối soát: only ours, only theirs, another amount, another status.
    """

    type: Literal["settlement.discrepancy_found"] = "settlement.discrepancy_found"
    discrepancy: Discrepancy


class SettlementFileCompared(SettlementEvent):
    """The whole file was compared with our books as of history position `as_of`.

    It has `lines` lines of together `amount` đồng, as it declares itself. `tallies` say, agency by
    agency, what agrees. `stale` are the ids of what an interrupted run found and this one did not.
    Rule: đối soát: the sum of the lines is the declared sum.
    """

    version: ClassVar[int] = 2
    type: Literal["settlement.file_compared"] = "settlement.file_compared"
    sha256: str
    lines: int
    amount: Dong
    discrepancies: int
    tallies: tuple[Tally, ...]
    as_of: int
    stale: tuple[str, ...] = ()


class SettlementDiscrepancyResolved(SettlementEvent):
    """Somebody decided what a discrepancy is, and why. `by` is who.

    Rule: đối soát: each difference has a decision, and a person who answers for it.
    """

    type: Literal["settlement.discrepancy_resolved"] = "settlement.discrepancy_resolved"
    discrepancy: Discrepancy
    decision: Decision
    note: Text
    by: str


class SettlementDayClosed(SettlementEvent):
    """Nothing of the day is open; what it says stands from now on.

    Rule: đối soát: a closed day is not opened again.
    """

    type: Literal["settlement.day_closed"] = "settlement.day_closed"
    settled: tuple[Settled, ...]
    by: str


SettlementEvents = Annotated[
    SettlementFileReceived
    | SettlementChunkRead
    | SettlementFileRefused
    | SettlementDiscrepancyFound
    | SettlementFileCompared
    | SettlementDiscrepancyResolved
    | SettlementDayClosed,
    Field(discriminator="type"),
]


# Receipts: one stream for each kind of line of a payment, whatever number it bears today.


class ReceiptEvent(Event):
    """Something that happened to receipt `receipt`: what `agency` says was paid of one `kind`."""

    receipt: str
    agency: str
    at: AwareDatetime


class ReceiptIssued(ReceiptEvent):
    """The agency confirms with number `number` of `series` that `amount` was paid for `lines`.

    A series is an agency's, of one kind and one year, and has no gaps. `subject` is who paid.
    Rule: one electronic receipt for phí, another for lệ phí; Decree 254/2026/NĐ-CP.
    """

    type: Literal["receipt.issued"] = "receipt.issued"
    payment: str
    dossier: str
    kind: LineKind
    series: str
    number: int
    subject: str
    payer: Personal[Payer] | None = None
    lines: tuple[Line, ...]
    amount: Dong


class ReceiptReplaced(ReceiptEvent):
    """A new number stands in place of `old_number` of `old_series`, for what that one said wrong.

    `lines` and `payer` are what it says now; `amount` is what was paid and not given back.
    Rule: [R] a wrong receipt is replaced by a new one that names it.
    """

    type: Literal["receipt.replaced"] = "receipt.replaced"
    kind: LineKind
    old_series: str
    old_number: int
    series: str
    number: int
    payer: Personal[Payer] | None = None
    lines: tuple[Line, ...]
    amount: Dong
    reason: Personal[str]


class ReceiptAdjusted(ReceiptEvent):
    """Of what the receipt says, `returned` was given back by `refund`: `left` still stands.

    Rule: [R] a refund in part adjusts a receipt, its number stays good for the rest.
    """

    type: Literal["receipt.adjusted"] = "receipt.adjusted"
    refund: str
    returned: Dong
    left: Dong


class ReceiptCancelled(ReceiptEvent):
    """The receipt is no longer good: all of it was given back by `refund`, or it was a mistake.

    Its number is used up. `reason` is the agency's, for a mistake.
    Rule: [R] a cancelled receipt keeps its number.
    """

    type: Literal["receipt.cancelled"] = "receipt.cancelled"
    refund: str = ""
    reason: Personal[str] | None = None


ReceiptEvents = Annotated[
    ReceiptIssued | ReceiptReplaced | ReceiptAdjusted | ReceiptCancelled,
    Field(discriminator="type"),
]


# Land and tax obligations: what the tax register was asked, and what it said.

TaxOutcome = Literal["owed", "nothing_owed", "not_found"]
"""What the register knows: something is owed; nothing is; dossier and person do not go together."""


class TaxDebt(Value):
    """One row of the register: what is still to be paid of one decision.

    `debt` names the decision and what is owed without saying either: an HMAC under the deployment's
    secret. `chapter` and `subsection` are the budget's, `treasury` and `account` the State
    Treasury's office and account, `collector` the tax office.
    Rule: TRAN_CODE 05011, TYPE 00110: SO_QUYET_DINH, NGAY_QUYET_DINH, MA_CHUONG, MA_TMUC,
    LOAI_TK_NSNN, MA_CQUAN_THU, SHKB, SO_CON_PHAI_NOP, HAN_NOP.
    """

    debt: str
    decision: str
    decided_on: date | None
    chapter: str
    subsection: str
    account: str
    collector: str
    treasury: str
    amount: Dong
    due_on: date | None


class TaxParticular(Value):
    """What of a row is about a person: their tax account, sheet and parcel of their land."""

    tax_account: str
    sheet: str = ""
    parcel: str = ""


class TaxParticulars(Value):
    """The same of every row, in the rows' order."""

    rows: tuple[TaxParticular, ...]


class TaxEnquiryEvent(Event):
    """Something that happened to enquiry `enquiry` about what `subject` owes."""

    enquiry: str
    subject: str
    at: AwareDatetime


class TaxEnquiryAsked(TaxEnquiryEvent):
    """The tax register is asked what is owed for a dossier by a person who names their number.

    `agency` is whose officer asks, "" for the citizen; `code` is the dossier's own. If nothing has
    come of it by `ask_at`, it is asked again. `payable`: `subject` can sign in and pay, as an
    officer has named their account, or they ask themselves.
    Rule: [R] the request that TRAN_CODE 05011, TYPE 00110 answers.
    """

    version: ClassVar[int] = 3
    type: Literal["tax_enquiry.asked"] = "tax_enquiry.asked"
    agency: str = ""
    code: str
    identity_number: Personal[str]
    ask_at: AwareDatetime | None = None
    payable: bool = True


class TaxEnquiryAnswered(TaxEnquiryEvent):
    """The register answered: `total` is owed, row by row, to the tax authority's `agency`.

    `payable`: `subject` can sign in and pay, and is asked to.
    Rule: TRAN_CODE 05011, TYPE 00110; TRANGTHAI 01: dossier and person exist, and debt remains.
    """

    version: ClassVar[int] = 2
    type: Literal["tax_enquiry.answered"] = "tax_enquiry.answered"
    agency: str
    outcome: TaxOutcome
    rows: tuple[TaxDebt, ...] = ()
    total: Dong = 0
    particulars: Personal[TaxParticulars] | None = None
    payable: bool = True


class TaxEnquiryRefused(TaxEnquiryEvent):
    """What the register answered cannot be: nothing is asked of anybody because of it.

    `known_by` is an HMAC of the answer under the deployment's secret, to recognise it by.
    Rule: what is owed is the sum of SO_CON_PHAI_NOP; no row stands twice.
    """

    type: Literal["tax_enquiry.refused"] = "tax_enquiry.refused"
    why: Literal["unreadable", "other_message", "unknown_status", "wrong_row", "wrong_sum"]
    known_by: str


class TaxEnquiryUnavailable(TaxEnquiryEvent):
    """The register did not answer, for `why`; at `ask_at` it is asked again, if that is given.

    Rule: [R] a register that is down delays an enquiry and refuses nothing.
    """

    version: ClassVar[int] = 2
    type: Literal["tax_enquiry.unavailable"] = "tax_enquiry.unavailable"
    why: str
    ask_at: AwareDatetime | None = None


TaxEnquiryEvents = Annotated[
    TaxEnquiryAsked | TaxEnquiryAnswered | TaxEnquiryRefused | TaxEnquiryUnavailable,
    Field(discriminator="type"),
]
