"""The table of contents: every route, question, reaction and correspondence, one line each."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, NamedTuple

from chalice.app import Blueprint

from chalicelib import runtime
from chalicelib.contexts.agencies import reactions as reorganisations
from chalicelib.contexts.agencies import routes as agencies
from chalicelib.contexts.agencies.domain.agency import agency
from chalicelib.contexts.agencies.domain.reorganisation import reorganisation
from chalicelib.contexts.agencies.projections import (
    how_is_an_agency_reached,
    which_agencies_did_it_succeed,
    which_agencies_take_part,
    which_systems_are_connected,
    which_units_belong_to_an_agency,
)
from chalicelib.contexts.audit import access_log, log_routes, personal
from chalicelib.contexts.audit import routes as audit
from chalicelib.contexts.audit.domain.access import access
from chalicelib.contexts.audit.domain.subject import subject
from chalicelib.contexts.audit.projections import (
    what_belongs_to_a_case,
    which_erasures_are_due,
)
from chalicelib.contexts.documents import letters, messages, reactions
from chalicelib.contexts.documents import routes as documents
from chalicelib.contexts.documents.domain.copy import ReceptionTerms, copy
from chalicelib.contexts.documents.domain.document import document
from chalicelib.contexts.documents.projections import (
    where_is_my_document,
    which_copies_await_reception,
    which_documents_answer_this_one,
    which_documents_came_to_my_agency,
    which_documents_did_my_agency_send,
    who_takes_part,
)
from chalicelib.contexts.documents.register import Register
from chalicelib.contexts.dossiers import (
    components,
    consulting,
    desk,
    procedures,
    public,
    questions,
    sync,
)
from chalicelib.contexts.dossiers import letters as dossier_letters
from chalicelib.contexts.dossiers import messages as portal
from chalicelib.contexts.dossiers import reactions as following
from chalicelib.contexts.dossiers import routes as dossiers
from chalicelib.contexts.dossiers.configured import configuration, terms
from chalicelib.contexts.dossiers.domain.component import component
from chalicelib.contexts.dossiers.domain.consultation import consultation
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.offer import offer
from chalicelib.contexts.dossiers.domain.procedure import procedure
from chalicelib.contexts.dossiers.forms import routes as forms
from chalicelib.contexts.dossiers.notices import routes as notices
from chalicelib.contexts.dossiers.projections import (
    how_many_dossiers_were_there,
    what_changed_in_the_catalogue,
    what_is_an_agency_called,
    what_is_late,
    what_waits_at_my_desk,
    where_is_my_dossier,
    which_agencies_offer_a_procedure,
    which_dossiers_are_mine,
    which_dossiers_are_registered,
    which_dossiers_fall_due,
    which_procedures_are_there,
    which_procedures_does_an_agency_offer,
)
from chalicelib.contexts.operations import contract, inbox
from chalicelib.contexts.operations import routes as operations
from chalicelib.contexts.payments import ledger_routes, providers_routes
from chalicelib.contexts.payments import reactions as paying
from chalicelib.contexts.payments import routes as payments
from chalicelib.contexts.payments.configured import limits as payment_limits
from chalicelib.contexts.payments.domain.payee import payee
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.provider import provider
from chalicelib.contexts.payments.domain.receipt import receipt
from chalicelib.contexts.payments.domain.settlement import settlement
from chalicelib.contexts.payments.domain.tax_enquiry import tax_enquiry
from chalicelib.contexts.payments.projections import (
    do_the_books_agree,
    how_did_a_day_settle,
    what_did_a_provider_take,
    what_does_the_ledger_hold,
    what_moved_on_a_day,
    when_did_a_providers_day_move,
    which_payments_are_asked_of_me,
    which_payments_await_an_agency,
    which_payments_expire,
    which_providers_are_there,
    which_receipts_were_issued,
    which_refunds_are_to_be_paid,
    which_tax_enquiries_wait,
    which_transactions_are_open,
)
from chalicelib.contexts.payments.receipts import reactions as receipting
from chalicelib.contexts.payments.receipts import routes as receipts
from chalicelib.contexts.payments.reconciliation import reactions as deciding
from chalicelib.contexts.payments.reconciliation import routes as reconciliation
from chalicelib.contexts.payments.taxes import reactions as taxing
from chalicelib.contexts.payments.taxes import routes as taxes
from chalicelib.correspondence import Correspondence, Follow, Mail
from chalicelib.delivery.address import Address
from chalicelib.delivery.outbox import Message, Notice, Routing
from chalicelib.http.identity import identity
from chalicelib.http.resource import Resource
from chalicelib.kernel import Command, Decider, Event, Origin
from chalicelib.projector.projection import Projection, event_types


class Reaction(NamedTuple):
    """Events of other streams, and the commands that follow from them.

    `counter` names the gap-free series that a command takes its number from, if it takes one.
    """

    name: str
    types: Mapping[str, type[Event]]
    react: Callable[[Any, Origin], Iterable[Follow]]
    counter: Callable[[Command], str | None] = lambda _command: None


class Deadline(NamedTuple):
    """A question whose rows fall due, and the command that follows from a row that has.

    The rows in group `by` are those whose clock runs; the projection's `sort` is the due moment.
    The command must be silent where it is too early, too late or said before.
    """

    name: str
    projection: Projection[Any]
    by: str
    follow: Callable[[Any, Origin], Follow]


PROJECTIONS: list[Projection[Any]] = [
    which_agencies_take_part.answer,
    which_units_belong_to_an_agency.answer,
    which_agencies_did_it_succeed.answer,
    which_systems_are_connected.answer,
    how_is_an_agency_reached.answer,
    who_takes_part.answer,
    which_documents_did_my_agency_send.answer,
    which_documents_came_to_my_agency.answer,
    which_documents_answer_this_one.answer,
    where_is_my_document.answer,
    which_procedures_are_there.answer,
    what_changed_in_the_catalogue.answer,
    which_agencies_offer_a_procedure.answer,
    which_procedures_does_an_agency_offer.answer,
    what_is_an_agency_called.answer,
    which_copies_await_reception.answer,
    where_is_my_dossier.answer,
    which_dossiers_are_mine.answer,
    what_waits_at_my_desk.answer,
    what_is_late.answer,
    which_dossiers_fall_due.answer,
    which_dossiers_are_registered.answer,
    how_many_dossiers_were_there.answer,
    which_receipts_were_issued.answer,
    which_payments_are_asked_of_me.answer,
    which_payments_await_an_agency.answer,
    which_payments_expire.answer,
    which_transactions_are_open.answer,
    which_refunds_are_to_be_paid.answer,
    which_tax_enquiries_wait.answer,
    which_providers_are_there.answer,
    what_did_a_provider_take.answer,
    when_did_a_providers_day_move.answer,
    how_did_a_day_settle.answer,
    what_does_the_ledger_hold.answer,
    what_moved_on_a_day.answer,
    do_the_books_agree.answer,
    what_belongs_to_a_case.answer,
    which_erasures_are_due.answer,
]

DECIDERS: list[Decider[Any, Any, Any]] = [
    agency,
    reorganisation,
    access,
    subject,
    document,
    copy,
    dossier,
    component,
    consultation,
    offer,
    procedure,
    payment,
    receipt,
    tax_enquiry,
    payee,
    provider,
    settlement,
]

EVENTS: frozenset[str] = frozenset(
    type_ for decider in DECIDERS for type_ in event_types(decider.events)
)
"""The types of events that this program knows: only a newer one writes others."""


@wraps(following.react)
def _follow_dossiers(event: following.EVENTS, origin: Origin) -> Iterable[Follow]:
    """What follows in dossiers, under this deployment's calendar and limits, by the register."""
    for decider, id_, command in following.react(event, origin, **terms()):
        yield decider, id_, consulting.for_predecessors(command, event.at)


@wraps(following.fall_due)
def _fall_due(row: Any, origin: Origin) -> Follow:
    """What follows when a dossier's time has come, under the same."""
    return following.fall_due(row, origin, **terms())


@wraps(paying.react)
def _follow_payments(event: paying.EVENTS, origin: Origin) -> Iterable[Follow]:
    """What follows in payments, under this deployment's limits."""
    return paying.react(event, origin, payment_limits())


REACTIONS: list[Reaction] = [
    Reaction("reorganise", event_types(reorganisations.EVENTS), reorganisations.react),
    # Before the documents': a question waits for its answers before it is sent.
    Reaction("follow-dossiers", event_types(following.EVENTS), _follow_dossiers),
    Reaction("open-copies", event_types(reactions.EVENTS), reactions.react),
    Reaction("ask-for-money", event_types(paying.EVENTS), _follow_payments),
    Reaction(
        "issue-receipts", event_types(receipting.EVENTS), receipting.react, receipting.numbered_in
    ),
    Reaction("request-taxes", event_types(taxing.EVENTS), taxing.react),
    Reaction("correct-books", event_types(deciding.EVENTS), deciding.react),
]

DEADLINES: list[Deadline] = [
    Deadline("reception", which_copies_await_reception.answer, "due", reactions.reception_overdue),
    Deadline("appointment", which_dossiers_fall_due.answer, "due", _fall_due),
    Deadline("time-to-pay", which_payments_expire.answer, "due", paying.expire),
]


@wraps(messages.delivered)
def _arrived(message: Message, event: Any, origin: Origin) -> Follow | None:
    """What a receipt of a document means, under this deployment's terms of reception."""
    minutes = runtime.settings().urgent_reception_minutes
    terms = ReceptionTerms(calendar=runtime.calendar(), urgent_minutes=minutes)
    return messages.delivered(message, event, origin, terms)


@wraps(portal.route)
def _portal_hears(_stream: str, event: Any) -> Iterable[Notice]:
    """What this deployment's portal hears of, if it has one."""
    return portal.route(event, configuration().portal)


@wraps(portal.delivered)
def _portal_knows(_message: Message, event: Any, origin: Origin) -> Follow:
    """What it means that the portal has taken it, under this deployment's calendar and limits."""
    return portal.delivered(event, origin, **terms())


CORRESPONDENCE: list[Correspondence] = [
    Correspondence(
        event_types(messages.Told),
        messages.answer,
        letters.compose,
        _arrived,
        messages.refused,
    ),
    Correspondence(
        event_types(portal.Told),
        Routing(portal.Told, _portal_hears),
        dossier_letters.compose,
        _portal_knows,
        portal.refused,
    ),
]


def address(agency: str) -> Address | None:
    """Where an agency's documents are posted; None if no system of it is registered.

    What is on its way to an agency that was merged goes to its successor: same ids, same order.
    """
    views, reached, stream = runtime.views(), how_is_an_agency_reached.answer, f"agency-{agency}"
    found = views.together([(who_takes_part.answer, stream), (reached, stream)])
    register = Register(runtime.now())
    row = found.get((who_takes_part.answer.name, stream))
    heir = agency if row and row.active(register.on) else register.heir(agency) or agency
    address: Address | None = (
        found.get((reached.name, stream))
        if heir == agency
        else views.row(reached, f"agency-{heir}")
    )
    return address


MAIL = Mail(CORRESPONDENCE, address)

RESOURCES: list[Resource] = [
    agencies.routes,
    documents.routes,
    dossiers.routes,
    desk.routes,
    components.routes,
    procedures.routes,
    public.routes,
    questions.routes,
    sync.routes,
    forms.routes,
    notices.routes,
    payments.routes,
    receipts.routes,
    taxes.routes,
    providers_routes.routes,
    reconciliation.routes,
    ledger_routes.routes,
    operations.routes,
    contract.routes,
    inbox.resource(MAIL.deliverer),
    audit.resource({decider.category: decider for decider in DECIDERS}),
    personal.routes,
    log_routes.routes,
]
# Before it is shown, it is written down.
Resource.told = access_log.write
BLUEPRINTS: list[Blueprint] = [identity, *(resource.blueprint for resource in RESOURCES)]
