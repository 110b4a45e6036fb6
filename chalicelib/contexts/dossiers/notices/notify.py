"""Who is told what, and when: the follower of history that tells applicants."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import runtime
from chalicelib.contexts.dossiers.configured import configuration
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import (
    PORTAL,
    AnyDossierEvent,
    Contact,
    DossierSubmitted,
)
from chalicelib.contexts.dossiers.notices.ledger import Ledger, Notice, ledger
from chalicelib.contexts.dossiers.notices.ways import (
    Fate,
    Letter,
    Outcome,
    Poster,
    Ways,
    email,
    sms,
    webhook,
)
from chalicelib.contexts.dossiers.notices.wording import WORDS, told
from chalicelib.delivery.outbox import message_id
from chalicelib.eventstore.store import Commit, EventStore
from chalicelib.history.reader import Newer, Reader
from chalicelib.http.problems import blame
from chalicelib.paper.qr import lookup_link
from chalicelib.privacy.personal import Erased, Open
from chalicelib.projector.checkpoints import NOTIFY, Run
from chalicelib.projector.projection import event_types

STALE = timedelta(days=3)
"""Nobody is told of what happened longer ago: after an outage, or a restore, it only confuses."""
PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""How long a notice that did not go out waits before each further try."""
TOGETHER = 20
"""Notices that are sent side by side: a slow receiver holds up nobody else."""

_log = Logger(service="lien-thong")


class Filed(NamedTuple):
    """Whom the events of a dossier are told to."""

    event: DossierSubmitted
    contact: Contact


@dataclass(frozen=True)
class Notifier:
    """Writes down what is to be told, and tells it; `tracking` stands before codes in links."""

    store: EventStore
    ledger: Ledger
    ways: Ways
    open: Open
    clock: Callable[[], datetime]
    tracking: str = ""

    def follow(self, reader: Reader, run: Run, over: Callable[[], bool]) -> None:
        """Write down what history holds beyond the follower's checkpoint.

        What only a newer program knows, and what comes after it, waits for that program.
        """
        ours, known = f"{dossier.category}-", event_types(dossier.events)
        try:
            for stretch in reader.after(run.at(NOTIFY), lambda s: s.startswith(ours), known):
                if over():
                    return
                telling = [commit for _, commit in stretch.commits if _tells(commit)]
                openings = self.store.commits([(commit.stream, 1) for commit in telling])
                for commit in telling:
                    for notice in self._notices(commit, openings[commit.stream, 1]):
                        self.ledger.put(notice)
                run.reach([NOTIFY], stretch.last)
                run.write()
        except Newer as newer:
            self._report(NOTIFY, blame(newer))

    def send(self, over: Callable[[], bool]) -> None:
        """Send what is due, until nothing is or the time is `over`."""
        with ThreadPoolExecutor(TOGETHER) as sending:
            while not over():
                due = self.ledger.due(self.clock(), TOGETHER)
                # What the index still shows though it was begun would come again and again.
                if not any(list(sending.map(self._send, due))):
                    return

    def _notices(self, commit: Commit, opening: Commit) -> Iterator[Notice]:
        """What a commit gives to tell, unless its applicant wants to hear nothing."""
        now = self.clock()
        try:
            filed, events = self._filed(opening), _events(commit)
        except (ClientError, BotoCoreError):
            raise
        except Exception as error:  # noqa: BLE001 -- one case is no reason to hold up all others.
            self._report(commit.seen, blame(error))
            return
        if filed is None or filed.contact.notify == "none":
            return
        for index, event in enumerate(events):
            if event.type in WORDS and now - event.at <= STALE:
                yield Notice(
                    stream=commit.stream,
                    commit=commit.number,
                    index=index,
                    type=event.type,
                    at=event.at,
                    way=filed.contact.notify,
                    changed_at=now,
                )

    def _send(self, notice: Notice) -> bool:
        """Send one notice, unless somebody else does; whether it was ours."""
        begun = self.ledger.begin(notice, self.clock())
        if begun is None:
            return False
        try:
            outcome = self._sent(begun)
        except Exception as error:  # noqa: BLE001 -- nobody knows whether it went out.
            self._report(f"{notice.stream}@{notice.commit}", blame(error))
            outcome = Outcome(Fate.FAILED, type(error).__name__)
        now = self.clock()
        match outcome.fate:
            case Fate.NOT_YET if begun.tries < len(PAUSES):
                self.ledger.again(begun, now, now + PAUSES[begun.tries], outcome.why)
            case Fate.SENT:
                self.ledger.end(begun, now, "sent", "")
            case _:
                self.ledger.end(begun, now, "failed", outcome.why)
        return True

    def _sent(self, notice: Notice) -> Outcome:
        if self.clock() - notice.at > STALE:
            return Outcome(Fate.FAILED, "too-late")
        send = self.ways.get(notice.way)
        if send is None:
            return Outcome(Fate.FAILED, "not-configured")
        first, place = (notice.stream, 1), (notice.stream, notice.commit)
        commits = self.store.commits([first, place])
        filed = self._filed(commits[first])
        if filed is None:
            return Outcome(Fate.FAILED, "erased")
        event = _events(commits[place])[notice.index]
        return send(self._letter(notice, event, filed))

    def _letter(self, notice: Notice, event: AnyDossierEvent, filed: Filed) -> Letter:
        language, name = filed.event.language, filed.event.terms.name
        # Without a page to track it at there is nothing to follow.
        link = lookup_link(self.tracking, event.code) if self.tracking else ""
        about: dict[str, Any] = {
            "type": event.type,
            "source": "/dossiers",
            "subject": event.code,
            "time": event.at.isoformat(),
            "data": {
                "code": event.code,
                "agency": event.agency,
                "status": event.status,
                "portal": PORTAL.get(event.status),
                "language": language,
            },
        }
        id_ = message_id(notice.stream, notice.commit, notice.index, "applicant")
        return Letter(id_, filed.contact, told(event, name, language, link), about)

    def _filed(self, opening: Commit) -> Filed | None:
        """Whom to tell; None if another system keeps the dossier and tells them, or erased."""
        first = _events(opening)[0]
        if not isinstance(first, DossierSubmitted):
            return None
        try:
            return Filed(first, first.contact.open(self.open))
        except Erased:
            return None

    @staticmethod
    def _report(about: str, why: dict[str, Any]) -> None:
        _log.error("notice failed", extra={"about": about, **why})


def notifier() -> Notifier:
    """Who tells applicants in this deployment: by the ways that it has."""
    chosen = configuration()
    poster = Poster(
        runtime.sender(), runtime.signing_seed, runtime.now, loopback=runtime.settings().loopback
    )
    ways: Ways = {"webhook": webhook(poster)}
    if chosen.email_from:
        ways["email"] = email(runtime.client("ses"), chosen.email_from)
    if chosen.sms_gateway:
        ways["sms"] = sms(poster, chosen.sms_gateway)
    return Notifier(
        store=runtime.event_store(),
        ledger=ledger(),
        ways=ways,
        open=runtime.vault().open,
        clock=runtime.now,
        tracking=chosen.tracking_url,
    )


def _tells(commit: Commit) -> bool:
    return not WORDS.keys().isdisjoint(data["type"] for data in commit.data())


def _events(commit: Commit) -> list[AnyDossierEvent]:
    return dossier.codec.validate_json(commit.body, extra="ignore")
