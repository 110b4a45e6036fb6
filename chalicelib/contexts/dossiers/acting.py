"""Who acts on a dossier, and for whom: the one way from a request to its decider."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, TypeVar

from chalicelib import runtime
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers.configured import terms
from chalicelib.contexts.dossiers.domain.commands import (
    AnyDossierCommand,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.refusals import (
    DossierUnknown,
    NotYourDossier,
    NotYourStep,
)
from chalicelib.contexts.dossiers.filing import desk_of, person
from chalicelib.contexts.dossiers.shown import Standing, standing
from chalicelib.handle import Done, check, handle
from chalicelib.http.identity import Caller
from chalicelib.http.resource import Resource
from chalicelib.kernel import Refused

C = TypeVar("C", bound=AnyDossierCommand)


def command(routes: Resource, kind: type[C], dossier_id: str, **said: Any) -> C:
    """A command about a dossier from what the caller said, as the caller they are."""
    origin, caller = routes.origin(), routes.caller()
    return routes.build(kind, origin=origin, dossier=dossier_id, **terms(), **who(caller), **said)


def who(caller: Caller) -> dict[str, str]:
    """Whom a command names: the desk that acts, or the applicant."""
    if desk := desk_of(caller):
        return {"agency": desk, "unit": caller.unit}
    return {"subject": person(caller.subject)}


def decided(wish: AnyDossierCommand) -> Done:
    """What a command leads to.

    Raises:
        Refused: see `dossier.decide`.
    """
    return handle(runtime.event_store(), dossier, wish.dossier, wish)


def carry_out(wish: AnyDossierCommand) -> Done:
    """Carry a command out; an agency that took others' places acts for them.

    Raises:
        Refused: see `dossier.decide`.
    """
    if not wish.dossier.isalnum():
        raise DossierUnknown
    try:
        return decided(wish)
    except (NotYourDossier, NotYourStep):
        return decided(acting(wish))


def acting(wish: C) -> C:
    """The wish in a name in which it may be asked: the caller's agency's, or a predecessor's.

    As it is if there is no such name.
    """
    return next(filter(_may, chain([wish], _for_predecessors(wish))), wish)


def _for_predecessors(wish: C) -> Iterator[C]:
    agency, register = getattr(wish, "agency", ""), Register(wish.at)
    for before in sorted(standing(wish.dossier).holders - {agency}):
        if register.acts_for(agency, before):
            acting: Any = wish.model_copy(update={"agency": before})
            yield acting


def _may(wish: AnyDossierCommand) -> bool:
    """Whether that agency may ask; what else speaks against it is said when it is carried out."""
    try:
        check(runtime.event_store(), dossier, wish.dossier, wish)
    except (NotYourDossier, NotYourStep):
        return False
    except Refused:
        pass
    return True


def seen_by(caller: Caller, dossier_id: str) -> Standing:
    """The dossier, if it is the caller's own, one that their agency has or had, or they audit.

    Raises:
        DossierUnknown: there is none, or none of the caller's business.
    """
    found = standing(dossier_id)
    if caller.role == "auditor":
        return found
    desk = desk_of(caller)
    if not desk:
        if found.subject != person(caller.subject):
            raise DossierUnknown
        return found
    if desk not in found.holders:
        register = Register(runtime.now())
        if not any(register.acts_for(desk, code) for code in found.holders):
            raise DossierUnknown
    return found
