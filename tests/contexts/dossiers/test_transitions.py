from contextlib import suppress

import pytest
from contexts.dossiers.demo_dossiers import LIVES, ask, state_of

from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import PORTAL
from chalicelib.contexts.dossiers.domain.transitions import (
    COMMANDS,
    STATUSES,
    TABLE,
    markdown,
    outcome,
)
from chalicelib.kernel import Refused
from infra import dossier_states

# The portal's own edges, written down apart from the code: DossierProcessed, say, is 4 to 9.
EDGES = {
    (None, 1), (1, 2), (1, 3), (1, 5), (1, 6), (1, 7), (2, 4), (2, 7), (4, 5), (4, 6), (4, 7),
    (4, 8), (4, 9), (5, 1), (5, 4), (5, 7), (5, 8), (6, 1), (6, 4), (6, 7), (6, 8), (7, 8),
    (9, 10), (9, 4), (10, 4),
}  # fmt: skip
PREVIOUS = {1, 2, 4, 5, 6}


def answered(kind, status):
    state = state_of(status)
    try:
        events = dossier.decide(ask(kind, state), state)
    except Refused:
        return state, [], "refused"
    return state, events, "granted" if events else "silent"


def test_every_status_is_lived_and_projected():
    assert set(LIVES) == set(STATUSES)
    assert set(PORTAL) == set(STATUSES) - {"absent"}
    assert set(PORTAL.values()) == set(range(1, 11))
    for status in LIVES:
        state = state_of(status)
        assert state.status == status
        assert state.portal == PORTAL.get(status)


def test_the_table_has_every_command():
    assert TABLE.keys() == set(COMMANDS)
    for cells in TABLE.values():
        assert not cells.granted & cells.silent


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("status", STATUSES)
def test_every_cell(kind, status):
    state, events, found = answered(kind, status)
    assert found == outcome(kind, status)
    for event in events:
        before, state = state, dossier.fold([event], state)
        assert (event.before, event.status) == (before.status, state.status)
        step = (before.portal, state.portal)
        # A wish to withdraw that is declined leads back to where it was.
        back = before.portal == 7 and state.portal in PREVIOUS
        adopted = before.portal is None and state.elsewhere
        assert before.portal == state.portal or step in EDGES or back or adopted


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("status", STATUSES)
def test_the_same_wish_twice_is_silence(kind, status):
    state = state_of(status)
    wish = ask(kind, state)
    with suppress(Refused):
        after = dossier.fold(dossier.decide(wish, state), state)
        assert dossier.decide(wish, after) == []


def test_the_documentation_prints_every_cell():
    lines = markdown().splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    assert set(rows) == {*STATUSES, *(kind.__name__ for kind in COMMANDS)}
    signs = {"granted": "**yes**", "silent": "quiet", "refused": "-"}
    for kind in COMMANDS:
        cells = [cell.strip() for cell in rows[kind.__name__].strip("|").split("|")][1:]
        assert cells == [signs[outcome(kind, status)] for status in STATUSES]


def test_the_page_is_up_to_date(tmp_path):
    copy = tmp_path / "page.md"
    copy.write_text(dossier_states.PAGE.read_text("utf-8") + "stale\n", encoding="utf-8")
    dossier_states.write(copy)
    written = dossier_states.PAGE.read_text("utf-8")
    assert copy.read_text("utf-8") == written, "run python -m infra.dossier_states"
    assert markdown() in written
