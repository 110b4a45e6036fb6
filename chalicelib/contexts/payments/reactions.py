"""What follows in payments from what happens to dossiers, and from the time alone. Pure."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from chalicelib.contexts.dossiers.domain.events import (
    DossierObligationFulfilled,
    DossierObligationRaised,
    DossierStopped,
    DossierWithdrawalApproved,
)
from chalicelib.contexts.payments.domain.commands import (
    CancelPayment,
    ExpirePayment,
    Limits,
    RequestPayment,
)
from chalicelib.contexts.payments.domain.events import Line
from chalicelib.contexts.payments.domain.payment import payment, payment_of_obligation
from chalicelib.contexts.payments.projections.which_payments_expire import Expiring
from chalicelib.kernel import Command, Decider, Origin

EVENTS = (
    DossierObligationRaised
    | DossierObligationFulfilled
    | DossierWithdrawalApproved
    | DossierStopped
)


def react(
    event: EVENTS, origin: Origin, limits: Limits
) -> Iterable[tuple[Decider[Any, Any, Any], str, Command]]:
    """What a dossier's obligation asks is requested; what it asks no more is cancelled."""
    match event:
        case DossierObligationRaised():
            id_ = payment_of_obligation(event.dossier, event.obligation)
            until = origin.at + timedelta(days=limits.pay_days) if limits.pay_days else None
            request = RequestPayment(
                origin=origin,
                payment=id_,
                agency=event.agency,
                dossier=event.dossier,
                obligation=event.obligation,
                subject=event.subject,
                lines=tuple(Line(**line.model_dump()) for line in event.lines),
                amount=event.amount,
                expires_at=until,
            )
            yield payment, id_, request
        case DossierObligationFulfilled():
            # What was paid online came from the payment itself.
            if event.means != "online":
                yield _cancelled(event.dossier, event.obligation, event.means, origin)
        case DossierWithdrawalApproved() | DossierStopped():
            reason = "stopped" if isinstance(event, DossierStopped) else "withdrawn"
            for obligation in event.owed:
                yield _cancelled(event.dossier, obligation, reason, origin)


def expire(row: Expiring, origin: Origin) -> tuple[Decider[Any, Any, Any], str, ExpirePayment]:
    """What follows when the time to pay is over."""
    return payment, row.payment, ExpirePayment(origin=origin, payment=row.payment)


def _cancelled(
    dossier: str, obligation: str, reason: str, origin: Origin
) -> tuple[Decider[Any, Any, Any], str, CancelPayment]:
    id_ = payment_of_obligation(dossier, obligation)
    return payment, id_, CancelPayment(origin=origin, payment=id_, reason=reason)
