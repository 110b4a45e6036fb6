"""The table of contents: every route, question, reaction and correspondence, one line each."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from chalice.app import Blueprint

from chalicelib import runtime
from chalicelib.contexts.agencies import reactions as reorganisations
from chalicelib.contexts.agencies import routes as agencies
from chalicelib.contexts.agencies.projections import (
    how_is_an_agency_reached,
    which_agencies_did_it_succeed,
    which_agencies_take_part,
    which_systems_are_connected,
    which_units_belong_to_an_agency,
)
from chalicelib.contexts.documents import letters, messages, reactions
from chalicelib.contexts.documents import routes as documents
from chalicelib.contexts.documents.projections import (
    where_is_my_document,
    which_documents_answer_this_one,
    which_documents_came_to_my_agency,
    which_documents_did_my_agency_send,
    who_takes_part,
)
from chalicelib.contexts.operations import routes as operations
from chalicelib.delivery.address import Address
from chalicelib.delivery.deliver import Letter
from chalicelib.delivery.outbox import Message, Routing
from chalicelib.eventstore.store import Commit
from chalicelib.http.identity import identity
from chalicelib.http.resource import Resource
from chalicelib.kernel import Command, Decider, Event, Origin
from chalicelib.projector.projection import Projection, event_types

Follow = tuple[Decider[Any, Any, Any], str, Command]
"""A command that follows from an event: whose it is, of which id, and what."""


class Reaction(NamedTuple):
    """Events of other streams, and the commands that follow from them."""

    name: str
    types: Mapping[str, type[Event]]
    react: Callable[[Any, Origin], Iterable[Follow]]


class Correspondence(NamedTuple):
    """A context's mail: who hears of what, what is posted, and what a receipt means."""

    types: Mapping[str, type[Event]]
    routing: Routing
    compose: Callable[[Message, Commit, Any, Address], Letter]
    delivered: Callable[[Message, Any, Origin], Follow | None]


RESOURCES: list[Resource] = [agencies.routes, documents.routes, operations.routes]
BLUEPRINTS: list[Blueprint] = [identity, *(resource.blueprint for resource in RESOURCES)]

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
]

REACTIONS: list[Reaction] = [
    Reaction("reorganise", event_types(reorganisations.EVENTS), reorganisations.react),
    Reaction("open-copies", event_types(reactions.EVENTS), reactions.react),
]

CORRESPONDENCE: list[Correspondence] = [
    Correspondence(
        event_types(messages.Told), messages.answer, letters.compose, messages.delivered
    ),
]


def address(agency: str) -> Address | None:
    """Where an agency's documents are posted; None if no system of it is registered."""
    row: Address | None = runtime.views().row(how_is_an_agency_reached.answer, f"agency-{agency}")
    return row
