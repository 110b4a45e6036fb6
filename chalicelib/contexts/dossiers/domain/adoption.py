"""Dossiers that another system keeps: what its messages say is adopted, if it is possible.

A message may come twice or late, and some may never come. The dossier's code and the moment of the
state decide: what was said before is silence.
"""

from datetime import timedelta

from chalicelib.contexts.dossiers.domain.acts import act, said
from chalicelib.contexts.dossiers.domain.commands import (
    AdoptState,
)
from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    DossierStateAdopted,
)
from chalicelib.contexts.dossiers.domain.refusals import (
    KeptHere,
    NotYourDossier,
    SyncFromTheFuture,
    SyncImpossible,
)
from chalicelib.contexts.dossiers.domain.state import Dossier, end_told

NEXT: dict[int, frozenset[int]] = {
    1: frozenset(range(1, 11)),
    2: frozenset({2, 4, 5, 6, 7, 8, 9, 10}),
    3: frozenset({3}),
    4: frozenset(range(4, 11)),
    5: frozenset(range(1, 11)),
    6: frozenset(range(1, 11)),
    7: frozenset(range(1, 11)),
    8: frozenset({8}),
    9: frozenset({4, 9, 10}),
    10: frozenset({4, 10}),
}
"""Which portal states may follow which when another system tells us. Messages may be missing, so
steps may be skipped; but what ended stays ended, and what was accepted was accepted."""
BEFORE_INTAKE = frozenset({1, 3})
"""Portal states that an accepted dossier never has."""


def adopt(command: AdoptState, state: Dossier) -> list[AnyDossierEvent]:
    """The state that `command` brings; nothing if it is late, or is known.

    Raises:
        KeptHere, NotYourDossier: it is not that system's to tell.
        SyncImpossible, SyncFromTheFuture: it cannot be so.
    """
    if state.stage != "absent":
        raise KeptHere(field="code")
    last = state.elsewhere
    if last:
        if command.agency != state.agency:
            raise NotYourDossier(field="code")
        # Several states may be of one second, and come again one after the other.
        known = command.state_at == last.state_at and command.portal in state.heard
        if known or command.state_at < last.state_at:
            return []
    _refuse_impossible(command, state)
    return [_adopted(command, state)]


def _refuse_impossible(command: AdoptState, state: Dossier) -> None:
    if command.state_at > command.at + timedelta(seconds=command.limits.ahead_s):
        raise SyncFromTheFuture(field="state_at")
    if command.received_at and command.due_at and command.due_at < command.received_at:
        raise SyncImpossible("it is due before it was received", field="due_at")
    last = state.elsewhere
    if last is None:
        return
    if command.procedure != last.procedure:
        raise SyncImpossible(f"it is a dossier for {last.procedure}", field="procedure")
    back = state.taken_in and command.portal in BEFORE_INTAKE
    if back or command.portal not in NEXT[last.portal]:
        raise SyncImpossible(f"{command.portal} cannot follow {last.portal}", field="portal")


def _adopted(command: AdoptState, state: Dossier) -> DossierStateAdopted:
    subject = command.subject or command.dossier
    personal = {
        name: value and {"subject": subject, "value": value}
        for name, value in (
            ("applicant", command.applicant),
            ("contact", command.contact),
            ("summary", command.summary or None),
            ("note", command.note or None),
        )
    }
    common = {"subject", "agency", "code", "procedure", "channel"}
    own = said(command).keys() - common - personal.keys()
    filed = Dossier(
        code=command.code,
        agency=command.agency,
        procedure=command.procedure,
        channel=command.channel,
    )
    return act(
        DossierStateAdopted,
        command,
        filed,
        **personal,
        **{name: getattr(command, name) for name in own},
        ended_before=state.processed_at is not None,
        on_time=_on_time(command, state),
    )


def _on_time(command: AdoptState, state: Dossier) -> bool | None:
    last = state.elsewhere
    if last and last.on_time is not None:
        return last.on_time  # The first end is the one that is measured, whatever comes later.
    ended_at = state.processed_at or end_told(command)
    if ended_at is None or command.due_at is None:
        return None
    return ended_at <= command.due_at and command.supplements <= command.limits.free_supplements
