"""Which payment providers are there? Those that payers may choose from, by name."""

from chalicelib.contexts.payments.domain.events import (
    ProviderChanged,
    ProviderEvent,
    ProviderKind,
    ProviderRegistered,
    ProviderResumed,
    ProviderSuspended,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class PaymentProvider(Value):
    """A provider, and whether payers are sent to it at the moment."""

    listed: str = "all"
    provider: str
    name: str
    kind: ProviderKind
    suspended: bool = False


def evolve(row: PaymentProvider | None, event: ProviderEvent) -> PaymentProvider | None:
    """The row after `event`."""
    match event:
        case ProviderRegistered() | ProviderChanged():
            return PaymentProvider(
                provider=event.provider,
                name=event.terms.name,
                kind=event.terms.kind,
                suspended=row is not None and row.suspended,
            )
        case ProviderSuspended() | ProviderResumed() if row:
            suspended = isinstance(event, ProviderSuspended)
            return row.model_copy(update={"suspended": suspended})
        case _:
            return row


answer = Projection(PaymentProvider, ProviderEvent, evolve, by="listed", sort="name")
