"""Why a wish about a dossier is not granted."""

from chalicelib.kernel import Conflict, Forbidden, Invalid, NotFound


class DossierUnknown(NotFound):
    """There is no such dossier, or none that the caller may know of."""

    code = "dossier-unknown"
    rule = "Law 91/2025/QH15: an applicant's dossier is nobody else's business"


class DossierAlreadyFiled(Conflict):
    """This code or id already stands for another dossier."""

    code = "dossier-already-filed"
    rule = "A dossier's code names one dossier"


class NotYourDossier(Forbidden):
    """Only the agency that holds the dossier does this."""

    code = "not-your-dossier"
    rule = "Decree 118/2025/NĐ-CP: the agency that accepted a dossier answers for it"


class NotYourStep(Forbidden):
    """Another unit has the dossier's present step."""

    code = "not-your-step"
    rule = "Circular 03/2025/TT-VPCP, form 06: one unit has the dossier at a time"


class ProcedureNotOffered(Conflict):
    """The agency does not take dossiers for this procedure."""

    code = "procedure-not-offered"
    rule = "Decree 118/2025/NĐ-CP (one-stop shop)"


class ApplicantKindWrong(Invalid):
    """The procedure is not for applicants of this kind."""

    code = "applicant-kind-wrong"
    rule = "LoaiDoiTuong; the procedure's terms"


class ChannelWrong(Invalid):
    """What comes directly or by post is entered by the desk that takes it."""

    code = "channel-wrong"
    rule = "KenhThucHien 1 and 3"


class ComponentUnknown(Invalid):
    """The procedure does not ask for this component."""

    code = "component-unknown"
    rule = "The procedure's components (thành phần hồ sơ)"


class ComponentMissing(Invalid):
    """A component that is needed is not there."""

    code = "component-missing"
    rule = "The procedure's components (thành phần hồ sơ)"


class ComponentKindWrong(Invalid):
    """The component is not taken in this kind (original, copy, electronic)."""

    code = "component-kind-wrong"
    rule = "LoaiBan; the procedure's components"


class ComponentNotReusable(Invalid):
    """A digitised paper is used again only by its owner, with consent, for what it proves."""

    code = "component-not-reusable"
    rule = "Law 91/2025/QH15 on the Protection of Personal Data: consent"


class IntakeFeeUnpaid(Conflict):
    """What is collected at intake must be paid, or waived, before the dossier is accepted."""

    code = "intake-fee-unpaid"
    rule = "HinhThucThu 1: collected at intake"


class TransitionRefused(Conflict):
    """The dossier's state does not allow this."""

    code = "transition-refused"
    rule = "TrangThaiHoSo and its lawful transitions"


class WithdrawalTooLate(Conflict):
    """A dossier that was processed can no longer be withdrawn."""

    code = "withdrawal-too-late"
    rule = "TrangThaiHoSo: 7 follows 1, 2, 4, 5 or 6, never 9"


class SupplementDeadlinePast(Invalid):
    """The time set for the supplement has passed already, so nobody could hand anything in."""

    code = "supplement-deadline-past"
    rule = "Circular 03/2025/TT-VPCP, form 02: the time set for the supplement"


class SupplementTooLate(Conflict):
    """The time for handing in what was asked for has passed."""

    code = "supplement-too-late"
    rule = "Circular 03/2025/TT-VPCP, form 02: the time set for the supplement"


class StepUnknown(Invalid):
    """The procedure has no such step."""

    code = "step-unknown"
    rule = "The procedure's steps"


class StepOutOfOrder(Conflict):
    """A dossier is forwarded to a later step and given back to an earlier one."""

    code = "step-out-of-order"
    rule = "The procedure's steps, in their order"


class StepPassed(Conflict):
    """The dossier is not at this step any more."""

    code = "step-passed"
    rule = "Circular 03/2025/TT-VPCP, form 06: one unit has the dossier at a time"


class ConsultationUnknown(NotFound):
    """No such document asks about this dossier."""

    code = "consultation-unknown"
    rule = "Decree 118/2025/NĐ-CP (one-stop shop)"


class ObligationUnknown(NotFound):
    """The applicant does not owe this."""

    code = "obligation-unknown"
    rule = "TrangThaiHoSo 6"


class ObligationEmpty(Invalid):
    """An obligation is about more than 0 đồng."""

    code = "obligation-empty"
    rule = "TrangThaiHoSo 6"


class DeadlineAlreadyExtended(Conflict):
    """A new appointment is given once."""

    code = "deadline-already-extended"
    rule = "Decree 61/2018/NĐ-CP, art. 19: the new date is set once"


class ApologyTooLate(Conflict):
    """An apology with a new appointment comes at least a day before the old one."""

    code = "apology-too-late"
    rule = "Decree 61/2018/NĐ-CP, art. 19: at least one day before the appointment"


class KeptElsewhere(Conflict):
    """Another system keeps this dossier; it changes there and is synced here."""

    code = "dossier-kept-elsewhere"
    rule = "One authority for the status at each stage"


class KeptHere(Conflict):
    """This dossier is kept here; no other system says how it stands."""

    code = "dossier-kept-here"
    rule = "One authority for the status at each stage"


class SyncImpossible(Conflict):
    """The synced state cannot follow what is known of the dossier."""

    code = "sync-impossible"
    rule = "TrangThaiHoSo and its lawful transitions"


class SyncFromTheFuture(Invalid):
    """The synced state has not happened yet."""

    code = "sync-from-the-future"
    rule = "DongBoHoSoMC: the moment of a state is that at which it began"
