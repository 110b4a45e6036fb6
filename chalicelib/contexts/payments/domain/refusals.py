"""Why a wish about a payment is not granted."""

from chalicelib.kernel import Conflict, Forbidden, Invalid, NotFound


class PaymentUnknown(NotFound):
    """There is no such payment, or none that the caller may know of."""

    code = "payment-unknown"
    rule = "Law 91/2025/QH15: what somebody pays is nobody else's business"


class TransactionUnknown(NotFound):
    """The provider was never asked for this transaction."""

    code = "transaction-unknown"
    rule = "INIT, MaThamChieu; vnp_TxnRef"


class RefundUnknown(NotFound):
    """The payment has no such refund."""

    code = "refund-unknown"
    rule = "A refund is decided on under the id it was given"


class NotYourPayment(Forbidden):
    """Only the agency that the money is owed to does this."""

    code = "not-your-payment"
    rule = "The payee answers for a payment"


class PaymentAlreadyRequested(Conflict):
    """This obligation already has a payment that says something else."""

    code = "payment-already-requested"
    rule = "An obligation is paid once"


class AmountWrong(Invalid):
    """The amount is not the sum of the lines, or is nothing."""

    code = "amount-wrong"
    rule = "PaymentPlatform 1.0.6: SoTien is the sum of PhiLePhi, or of DSKhoanNop"


class CurrencyUnsupported(Invalid):
    """The state is paid in đồng."""

    code = "currency-unsupported"
    rule = "MaTienTe VND; vnp_CurrCode VND"


class ExpiryPast(Invalid):
    """The time to pay must lie in the future."""

    code = "expiry-past"
    rule = "A request states until when it may be paid (vnp_ExpireDate)"


class PaymentIsPaid(Conflict):
    """All of it has been paid."""

    code = "payment-already-paid"
    rule = "An obligation is paid once"


class PaymentHasExpired(Conflict):
    """The time to pay is over."""

    code = "payment-expired"
    rule = "A request states until when it may be paid (vnp_ExpireDate)"


class PaymentIsCancelled(Conflict):
    """It need not be paid any more."""

    code = "payment-cancelled"
    rule = "TrangThaiHoSo 8: a dossier that ended waits for no money"


class PartialNotAllowed(Conflict):
    """This payment is paid in one sum."""

    code = "partial-not-allowed"
    rule = "SoTien is the whole sum, unless the agency takes parts"


class AmountTooLarge(Conflict):
    """More than is left to pay."""

    code = "amount-too-large"
    rule = "An obligation is paid once"


class TooManyTransactions(Conflict):
    """A payment cannot be tried any more often."""

    code = "too-many-transactions"
    rule = "vnp_TxnRef, MaThamChieu: a reference ends in three digits"


class RefundTooEarly(Conflict):
    """What is still being paid is not given back: it is cancelled first, or left to expire."""

    code = "refund-too-early"
    rule = "What may still be owed is not given back"


class RefundTooLarge(Conflict):
    """More than is left of what was paid; each refund is of one transaction."""

    code = "refund-too-large"
    rule = "Never more is given back than was paid"


class SamePersonApproves(Forbidden):
    """Who asked for a refund does not decide on it."""

    code = "same-person-approves"
    rule = "Nobody decides on their own request for money"


class AnotherRefundUnderWay(Conflict):
    """The provider has another refund of this transaction in hand, and takes one at a time."""

    code = "refund-under-way"
    rule = "vnp_ResponseCode 94: a refund of this transaction is being worked on"


class RefundStandsElsewhere(Conflict):
    """Where the refund stands, this cannot be done."""

    code = "refund-transition-refused"
    rule = "requested, approved, submitted, settled or failed; or requested, rejected"
