"""What can be asked of a dossier where: one table for every status and every command.

Three answers: *granted* (if whoever asks may, and what they bring is right), *silent* (the same
wish again, or nothing to do; another wish is refused), *refused*. The decider stands on this table,
and `markdown` prints it.
"""

from typing import Literal, NamedTuple, get_args

from chalicelib.contexts.dossiers.domain.adoption import NEXT
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    AdoptState,
    AnyDossierCommand,
    ApproveWithdrawal,
    CloseConsultation,
    CompleteDossier,
    ConsultAgencies,
    CorrectResult,
    DeclineWithdrawal,
    DossierCommand,
    ExtendDeadline,
    ForwardStep,
    FulfilObligation,
    NoteApologyDrafted,
    NoteConsultationAnswer,
    NoteDueSoon,
    NoteOverdue,
    NoteSync,
    PauseDossier,
    RaiseObligation,
    ReassignStep,
    ReceiveSupplement,
    RefuseDossier,
    RequestSupplement,
    RequestWithdrawal,
    ResumeDossier,
    ReturnResult,
    ReturnStep,
    StartProcessing,
    StopDossier,
    SubmitDossier,
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.events import PORTAL, Status

Outcome = Literal["granted", "silent", "refused"]
STATUSES: tuple[Status, ...] = get_args(Status)
COMMANDS: tuple[type[DossierCommand], ...] = get_args(AnyDossierCommand)


class Cells(NamedTuple):
    """Where a command is granted and where it is silent; everywhere else it is refused."""

    granted: frozenset[Status]
    silent: frozenset[Status]


def _cells(granted: str, silent: str = "") -> Cells:
    known: dict[str, Status] = {status: status for status in STATUSES}
    return Cells(
        frozenset(known[name] for name in granted.split()),
        frozenset(known[name] for name in silent.split()),
    )


_EVERY = " ".join(status for status in STATUSES if status != "absent")
_INTAKE = "submitted intake_supplement intake_payment intake_withdrawal"
_HOLDS = "supplement payment paused"
_BEFORE_END = f"{_INTAKE} accepted processing consulting {_HOLDS} withdrawal"
_ENDED = "not_accepted withdrawn stopped processed returned correcting"
_RUNS = "accepted processing consulting withdrawal"
_STANDS = f"absent {_INTAKE} {_HOLDS} {_ENDED}"

TABLE: dict[type[DossierCommand], Cells] = {
    SubmitDossier: _cells("absent", _EVERY),
    AcceptDossier: _cells(
        "submitted",
        f"accepted processing consulting {_HOLDS} withdrawal processed returned correcting",
    ),
    RefuseDossier: _cells("submitted", "not_accepted"),
    RequestSupplement: _cells("submitted processing consulting", "intake_supplement supplement"),
    ReceiveSupplement: _cells("intake_supplement supplement"),
    StartProcessing: _cells("accepted", f"processing consulting {_HOLDS} withdrawal"),
    ForwardStep: _cells("accepted processing"),
    ReturnStep: _cells("processing"),
    ReassignStep: _cells(f"accepted processing consulting {_HOLDS} withdrawal"),
    ConsultAgencies: _cells("processing consulting"),
    NoteConsultationAnswer: _cells(
        "consulting", f"absent {_BEFORE_END} {_ENDED}".replace(" consulting", "")
    ),
    CloseConsultation: _cells("consulting"),
    RaiseObligation: _cells("submitted processing consulting", "intake_payment payment"),
    FulfilObligation: _cells("intake_payment payment"),
    PauseDossier: _cells("processing consulting", "paused"),
    ResumeDossier: _cells("paused", "processing consulting"),
    ExtendDeadline: _cells("accepted processing consulting"),
    RequestWithdrawal: _cells(
        f"submitted intake_supplement intake_payment accepted processing consulting {_HOLDS}",
        "intake_withdrawal withdrawal",
    ),
    ApproveWithdrawal: _cells("intake_withdrawal withdrawal", "withdrawn"),
    DeclineWithdrawal: _cells("intake_withdrawal withdrawal"),
    StopDossier: _cells(
        f"intake_supplement intake_payment processing consulting {_HOLDS}", "stopped"
    ),
    CompleteDossier: _cells("processing", "processed"),
    ReturnResult: _cells("processed", "returned"),
    WithdrawResult: _cells("processed returned", "correcting"),
    CorrectResult: _cells("correcting"),
    NoteDueSoon: _cells(_RUNS, _STANDS),
    NoteApologyDrafted: _cells(_RUNS, _STANDS),
    NoteOverdue: _cells(_RUNS, _STANDS),
    AdoptState: _cells("absent"),
    NoteSync: _cells(_EVERY),
}


def outcome(command: type[DossierCommand], status: Status) -> Outcome:
    """The cell of the table."""
    cells = TABLE[command]
    if status in cells.granted:
        return "granted"
    return "silent" if status in cells.silent else "refused"


def markdown() -> str:
    """The tables as the documentation shows them: the portal's states, all cells, what may sync."""
    lines = ["| status | TrangThaiHoSo |", "|---|---|"]
    lines += [f"| `{status}` | {PORTAL.get(status, '-')} |" for status in STATUSES]
    lines += ["", f"| command | {' | '.join(f'`{s}`' for s in STATUSES)} |"]
    lines += [f"|---|{'---|' * len(STATUSES)}"]
    signs = {"granted": "**yes**", "silent": "quiet", "refused": "-"}
    for command in COMMANDS:
        cells = (signs[outcome(command, status)] for status in STATUSES)
        lines.append(f"| `{command.__name__}` | {' | '.join(cells)} |")
    lines += ["", "| synced TrangThaiHoSo | may be followed by |", "|---|---|"]
    lines += [f"| {code} | {', '.join(str(c) for c in sorted(NEXT[code]))} |" for code in NEXT]
    return "\n".join(lines) + "\n"
