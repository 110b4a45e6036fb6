"""Applicants hear of their dossier once, as they chose, and whoever fails them holds up nobody."""

import json
import logging
from datetime import timedelta
from itertools import count
from threading import Event, Thread

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from contexts.dossiers.demo_dossiers import (
    DOSSIER_CODE,
    LIVES,
    PROCESSING,
    SUBJECT,
    TERMS,
    ask,
    live,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from deployed import on_moto
from faults import Died
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from receivers import receiver

from chalicelib import runtime
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    AdoptState,
    ExtendDeadline,
    RaiseObligation,
    ReceiveSupplement,
    RequestSupplement,
    SubmitDossier,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import AnyDossierEvent, Contact
from chalicelib.contexts.dossiers.notices.ledger import Ledger
from chalicelib.contexts.dossiers.notices.notify import PAUSES, STALE, TOGETHER, Notifier
from chalicelib.contexts.dossiers.notices.ways import Poster, email, sms, webhook
from chalicelib.contexts.dossiers.notices.wording import WORDS, told
from chalicelib.delivery.send import Sender
from chalicelib.delivery.signatures import verify
from chalicelib.handle import handle
from chalicelib.projector.checkpoints import NOTIFY, Run
from chalicelib.projector.projection import event_types

SENDER = "portal@example.org"
SEED = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
NAME, PHONE, EMAIL = "Nguyễn Văn Thử", "+84900000000", "demo@example.org"
PAGE = "https://portal.example/tra-cuu?ma="
EVERY = event_types(AnyDossierEvent)


@pytest.fixture(scope="module")
def deployment():
    with on_moto():
        boto3.client("ses").verify_email_identity(EmailAddress=SENDER)
        yield


@pytest.fixture
def portal():
    with receiver() as system:
        yield system


class Town:
    """Dossiers, and those who tell their applicants. `passed` is how long ago it all began."""

    towns = count(1)

    def __init__(self, portal=None):
        self.name = f"town{next(self.towns)}"
        self.passed = timedelta()
        self.ledger = Ledger(runtime.client("dynamodb"), runtime.table("notices"))
        self.poster = Poster(Sender(loopback=True), lambda: SEED, self.now, loopback=True)
        self.ways = {"email": email(runtime.client("ses"), SENDER), "webhook": webhook(self.poster)}
        if portal:
            self.ways["sms"] = sms(self.poster, portal.url)
        self.began = runtime.now()
        self.last = {}

    def now(self):
        return self.began + self.passed

    def happen(self, id_, *kinds, **contact):
        """Commands about one dossier, one after the other, all at this moment."""
        for each in kinds:
            kind, changes = each if isinstance(each, tuple) else (each, {})
            if kind is SubmitDossier and contact:
                changes = {"contact": Contact(**contact)} | changes
            state = self.last.get(id_, dossier.initial)
            at = max(self.now(), state.last_at or self.now())
            key = {"dossier": self.name + id_}
            wish = ask(kind, state, at=at, **key | changes)
            done = handle(runtime.event_store(), dossier, self.name + id_, wish)
            events = dossier.codec.validate_json(done.commit.body)
            self.last[id_] = dossier.fold(events, state)
            runtime.sequencer().number([done.commit.place])

    def notifier(self, ways=None, ledger=None):
        return Notifier(
            store=runtime.event_store(),
            ledger=ledger or self.ledger,
            ways=self.ways if ways is None else ways,
            open=runtime.vault().open,
            clock=self.now,
            tracking=PAGE,
        )

    def tell(self, ways=None, ledger=None):
        """One run of the worker."""
        notifier = self.notifier(ways, ledger)
        notifier.follow(runtime.reader(), Run(runtime.checkpoints()), lambda: False)
        notifier.send(lambda: False)

    def states(self, id_):
        found = self.ledger.about(f"dossier-{self.name}{id_}")
        return [(notice.type, notice.state, notice.reason) for notice in found]


@pytest.fixture
def town(deployment, portal):
    # What earlier tests left waiting, and what they mailed, is none of this one's business.
    dynamodb, table = runtime.client("dynamodb"), runtime.table("notices")
    for item in dynamodb.scan(TableName=table)["Items"]:
        dynamodb.delete_item(TableName=table, Key={k: item[k] for k in ("stream", "place")})
    mailed().clear()
    return Town(portal)


def mailed():
    return ses_backends[DEFAULT_ACCOUNT_ID]["ap-southeast-1"].sent_messages


# What is said.


def test_each_text_is_about_an_event_that_exists():
    assert WORDS.keys() <= EVERY.keys()


TOLD = {
    event.type: event
    for kinds in (
        *LIVES.values(),
        (*LIVES["payment"],),
        (*LIVES["supplement"], ReceiveSupplement),
        (*LIVES["correcting"],),
    )
    for event in live(*kinds)[0]
}


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("type_", sorted(WORDS))
def test_a_text_is_whole_in_both_languages(type_, language):
    event = TOLD.get(type_) or EVERY[type_].model_construct(
        type=type_, code=DOSSIER_CODE, clock=live(*PROCESSING)[1].clock
    )
    said = told(event, "Thủ tục\nthử nghiệm", language, PAGE)
    assert DOSSIER_CODE in said.title
    assert "\n" not in said.title
    assert "Thủ tục thử nghiệm" in said.body
    assert said.body.endswith(PAGE)
    assert "{" not in said.title + said.body
    assert "  " not in said.title + said.body
    assert len(said.title) <= 120, "an SMS gateway takes it"


@pytest.mark.parametrize(
    ("kinds", "language", "title"),
    [
        pytest.param(
            (SubmitDossier, AcceptDossier),
            "vi",
            "Hồ sơ Z01-260601-0001 đã được tiếp nhận, hẹn trả 10:00 ngày 08/06/2026",
            id="the appointment",
        ),
        pytest.param(
            (SubmitDossier, AcceptDossier),
            "en",
            "Dossier Z01-260601-0001 has been accepted, due 10:00 on 08/06/2026",
            id="the appointment in English",
        ),
        pytest.param(
            (*PROCESSING, RaiseObligation),
            "vi",
            "Hồ sơ Z01-260601-0001 cần thanh toán 50.000 đồng",
            id="an amount",
        ),
        pytest.param(
            (*PROCESSING, RequestSupplement),
            "en",
            "Dossier Z01-260601-0001 needs a supplement",
            id="without a last moment",
        ),
        pytest.param(
            (*PROCESSING, ExtendDeadline),
            "vi",
            "Xin lỗi: hồ sơ Z01-260601-0001 được hẹn lại 10:00 ngày 10/06/2026",
            id="an apology",
        ),
    ],
)
def test_what_is_said(kinds, language, title):
    event = live(*kinds)[0][-1]
    assert told(event, TERMS.name, language, "").title == title


def test_without_a_page_to_track_at_no_link_is_given():
    event = live(SubmitDossier)[0][-1]
    assert told(event, TERMS.name, "vi", "").body.endswith("giải quyết.")


# Who hears it, and how.


def test_an_applicant_hears_by_email_in_their_language(town):
    town.happen("one", (SubmitDossier, {"language": "en"}), notify="email", email=EMAIL)
    town.tell()
    (mail,) = mailed()
    assert mail.source == SENDER
    assert mail.destinations["ToAddresses"] == [EMAIL]
    assert mail.subject == f"Dossier {DOSSIER_CODE} has been filed"
    assert mail.body.endswith(PAGE + DOSSIER_CODE)
    assert town.states("one") == [("dossier.submitted", "sent", "")]


def test_a_portal_hears_by_webhook_and_can_prove_who_speaks(town, portal):
    town.happen("one", SubmitDossier, AcceptDossier, notify="webhook", webhook=portal.url)
    town.tell()
    assert len(portal.posts) == 2
    for post in portal.posts:
        verify(post.headers, post.body, [PUBLIC], [], town.now())
    said = {json.loads(post.body)["type"]: json.loads(post.body) for post in portal.posts}
    accepted = said["dossier.accepted"]
    assert accepted["subject"] == DOSSIER_CODE
    assert accepted["data"]["portal"] == 2
    assert accepted["data"]["language"] == "vi"
    assert accepted["data"]["title"].startswith(f"Hồ sơ {DOSSIER_CODE} đã được tiếp nhận")
    assert {json.loads(p.body)["id"] for p in portal.posts} == {
        p.headers["webhook-id"] for p in portal.posts
    }
    assert SUBJECT not in json.dumps(said)


def test_a_gateway_for_sms_gets_the_number_and_the_title(town, portal):
    town.happen("one", SubmitDossier, notify="sms", phone=PHONE)
    town.tell()
    (post,) = portal.posts
    verify(post.headers, post.body, [PUBLIC], [], town.now())
    sent = json.loads(post.body)
    assert sent == {
        "id": post.headers["webhook-id"],
        "to": PHONE,
        "text": f"Hồ sơ {DOSSIER_CODE} đã được nộp",
    }


def test_who_wants_to_hear_nothing_hears_nothing(town, portal):
    town.happen("one", SubmitDossier, AcceptDossier, notify="none", email=EMAIL, webhook=portal.url)
    town.tell()
    assert (mailed(), portal.posts, town.states("one")) == ([], [], [])


def test_inner_steps_are_nobodys_business(town):
    town.happen("one", *PROCESSING, notify="email", email=EMAIL)
    town.tell()
    assert [type_ for type_, _, _ in town.states("one")] == [
        "dossier.submitted",
        "dossier.accepted",
    ]


def test_who_keeps_a_dossier_elsewhere_tells_its_applicant(town):
    contact = Contact(notify="email", email=EMAIL)
    town.happen("one", (AdoptState, {"contact": contact, "subject": SUBJECT}))
    town.tell()
    assert (mailed(), town.states("one")) == ([], [])


def test_events_of_one_commit_are_told_each(town):
    town.happen("one", *PROCESSING, notify="email", email=EMAIL)
    late = town.last["one"].clock.due_at + timedelta(days=1)
    town.passed = late - town.began
    town.happen("one", RequestSupplement)
    town.tell()
    assert [type_ for type_, _, _ in town.states("one")] == [
        "dossier.overdue",
        "dossier.supplement_requested",
    ]


# Once.


def test_nothing_is_told_twice_however_often_the_worker_runs(town, portal):
    town.happen("one", SubmitDossier, AcceptDossier, notify="webhook", webhook=portal.url)
    for _ in range(3):
        town.tell()
    assert len(portal.posts) == 2


def test_nothing_is_told_again_when_the_follower_starts_anew(town, portal):
    del town.ways["sms"]  # Of earlier tests' dossiers, which are read again, nobody hears.
    town.happen("one", SubmitDossier, AcceptDossier, notify="webhook", webhook=portal.url)
    town.tell()
    place = runtime.checkpoints().place
    runtime.client("dynamodb").update_item(
        **place, UpdateExpression="REMOVE #n", ExpressionAttributeNames={"#n": NOTIFY}
    )
    assert Run(runtime.checkpoints()).at(NOTIFY) == 0
    town.tell()
    assert len(portal.posts) == 2


def test_two_workers_at_once_tell_it_once(town, portal):
    for number in range(TOGETHER):
        town.happen(f"d{number}", SubmitDossier, notify="webhook", webhook=portal.url)
    gathered = Event()

    def work():
        gathered.wait()
        town.notifier().send(lambda: False)

    town.notifier().follow(runtime.reader(), Run(runtime.checkpoints()), lambda: False)
    workers = [Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    gathered.set()
    for worker in workers:
        worker.join()
    told_of = [post.headers["webhook-id"] for post in portal.posts]
    assert len(told_of) == len(set(told_of)) == TOGETHER


def test_a_worker_that_dies_while_sending_does_not_send_again(town, portal):
    town.happen("one", SubmitDossier, notify="webhook", webhook=portal.url)

    def dies(letter):
        town.ways["webhook"](letter)
        raise Died

    with pytest.raises(Died):
        town.tell({"webhook": dies})
    assert town.states("one") == [("dossier.submitted", "sending", "")]
    town.passed = timedelta(hours=1)
    town.tell()
    assert len(portal.posts) == 1


def test_a_worker_that_dies_before_sending_leaves_it_to_the_next(town, portal):
    town.happen("one", SubmitDossier, AcceptDossier, notify="webhook", webhook=portal.url)

    class Mortal(Ledger):
        def put(self, notice):
            super().put(notice)
            raise Died

    with pytest.raises(Died):
        town.tell(ledger=Mortal(town.ledger.dynamodb, town.ledger.table))
    town.tell()
    assert [state for _, state, _ in town.states("one")] == ["sent", "sent"]
    assert len(portal.posts) == 2


# When it fails.


def test_what_surely_did_not_go_out_is_tried_again_and_then_given_up(town, portal):
    portal.answer = lambda _post: (503, {}, b"")
    town.happen("one", SubmitDossier, notify="webhook", webhook=portal.url)
    town.tell()
    town.tell()
    assert len(portal.posts) == 1, "not before it is due"
    assert town.states("one") == [("dossier.submitted", "waiting", "503")]
    for pause in PAUSES:
        town.passed += pause
        town.tell()
    assert len(portal.posts) == 1 + len(PAUSES)
    assert town.states("one") == [("dossier.submitted", "failed", "503")]
    town.passed += PAUSES[-1]
    town.tell()
    assert len(portal.posts) == 1 + len(PAUSES)


def test_what_may_have_gone_out_is_not_sent_again(town, portal):
    portal.answer = lambda _post: (500, {}, b"")
    town.happen("one", SubmitDossier, notify="webhook", webhook=portal.url)
    for hours in range(3):
        town.passed = timedelta(hours=hours)
        town.tell()
    assert len(portal.posts) == 1
    assert town.states("one") == [("dossier.submitted", "failed", "500")]


def test_a_throttled_mail_service_is_asked_again(town):
    ses = boto3.client("ses")
    tries = count()

    def throttle(**_call):
        if next(tries) == 0:
            raise ses.exceptions.ClientError({"Error": {"Code": "Throttling"}}, "SendEmail")

    ses.meta.events.register("before-call.ses.SendEmail", throttle)
    ways = {"email": email(ses, SENDER)}
    town.happen("one", SubmitDossier, notify="email", email=EMAIL)
    town.tell(ways)
    assert town.states("one") == [("dossier.submitted", "waiting", "Throttling")]
    town.passed = PAUSES[0]
    town.tell(ways)
    assert town.states("one") == [("dossier.submitted", "sent", "")]
    assert len(mailed()) == 1


@pytest.mark.parametrize(
    ("error", "why"),
    [
        pytest.param(
            lambda ses: ses.exceptions.ClientError({"Error": {"Code": "MessageRejected"}}, "x"),
            "MessageRejected",
            id="SES does not take it",
        ),
        pytest.param(
            lambda _ses: EndpointConnectionError(endpoint_url="https://ses.example"),
            "EndpointConnectionError",
            id="SES cannot be reached, or went silent",
        ),
    ],
)
def test_a_mail_that_is_refused_is_given_up(town, error, why):
    ses = boto3.client("ses")

    def refuse(**_call):
        raise error(ses)

    ses.meta.events.register("before-call.ses.SendEmail", refuse)
    town.happen("one", SubmitDossier, notify="email", email=EMAIL)
    town.tell({"email": email(ses, SENDER)})
    assert town.states("one") == [("dossier.submitted", "failed", why)]


@pytest.mark.parametrize(
    ("contact", "why"),
    [
        pytest.param({"notify": "email"}, "no-address", id="no e-mail address"),
        pytest.param({"notify": "sms"}, "no-address", id="no number"),
        pytest.param({"notify": "webhook"}, "no-address", id="no webhook"),
        pytest.param(
            {"notify": "webhook", "webhook": "ftp://portal.example/"}, "not-https", id="not HTTPS"
        ),
        pytest.param(
            {"notify": "webhook", "webhook": "http://10.0.0.1/"}, "address-refused", id="private"
        ),
        pytest.param(
            {"notify": "webhook", "webhook": "http://169.254.169.254/latest/meta-data/"},
            "address-refused",
            id="the metadata address",
        ),
    ],
)
def test_an_address_that_cannot_be_used_is_said_to_be_so(town, contact, why):
    town.happen("one", SubmitDossier, **contact)
    town.tell()
    assert town.states("one") == [("dossier.submitted", "failed", why)]


def test_plain_http_is_for_the_local_profile_alone(town, portal):
    outside = Poster(Sender(loopback=False), lambda: SEED, town.now, loopback=False)
    town.happen("one", SubmitDossier, notify="webhook", webhook=portal.url)
    town.tell({"webhook": webhook(outside)})
    assert town.states("one") == [("dossier.submitted", "failed", "not-https")]
    assert portal.posts == []


def test_a_way_that_the_deployment_does_not_have_is_said_to_be_so(town):
    town.happen("one", SubmitDossier, notify="sms", phone=PHONE)
    town.tell({})
    assert town.states("one") == [("dossier.submitted", "failed", "not-configured")]


def test_one_that_breaks_holds_up_nobody_else_and_names_nobody(town, caplog, capsys):
    def breaks(letter):
        if letter.to.email == "broken@example.org":
            raise ValueError(letter.to.email)
        return town.ways["email"](letter)

    town.happen("one", SubmitDossier, notify="email", email="broken@example.org")
    town.happen("two", SubmitDossier, notify="email", email=EMAIL)
    with caplog.at_level(logging.DEBUG):
        town.tell({"email": breaks})
    assert town.states("one") == [("dossier.submitted", "failed", "ValueError")]
    assert town.states("two") == [("dossier.submitted", "sent", "")]
    logged = caplog.text + "".join(capsys.readouterr())
    assert "notice failed" in logged
    assert "broken@example.org" not in logged


def test_a_dossier_that_cannot_be_read_holds_up_nobody_else(town):
    town.happen("one", SubmitDossier, notify="email", email=EMAIL)
    town.happen("two", SubmitDossier, notify="email", email=EMAIL)

    def opens(subject, where, sealed):
        if where.startswith(f"dossier-{town.name}one@"):
            raise ValueError(subject)
        return runtime.vault().open(subject, where, sealed)

    notifier = town.notifier()
    notifier = Notifier(**{**vars(notifier), "open": opens})
    notifier.follow(runtime.reader(), Run(runtime.checkpoints()), lambda: False)
    notifier.send(lambda: False)
    assert town.states("one") == []
    assert town.states("two") == [("dossier.submitted", "sent", "")]


# When it is too late.


def test_a_person_who_was_forgotten_hears_nothing(town):
    town.happen("one", SubmitDossier, notify="email", email=EMAIL)
    notifier = town.notifier()
    notifier.follow(runtime.reader(), Run(runtime.checkpoints()), lambda: False)
    runtime.client("dynamodb").delete_item(
        TableName=runtime.table("subject_keys"), Key={"subject": {"S": SUBJECT}}
    )
    runtime.vault().keys._plain.clear()
    notifier.send(lambda: False)
    town.happen("one", AcceptDossier)
    town.tell()
    assert mailed() == []
    assert town.states("one") == [("dossier.submitted", "failed", "erased")]


def test_nobody_is_told_of_what_happened_long_ago(town):
    town.happen("one", SubmitDossier, notify="email", email=EMAIL)
    town.notifier().follow(runtime.reader(), Run(runtime.checkpoints()), lambda: False)
    town.happen("two", SubmitDossier, notify="email", email=EMAIL)
    town.passed = STALE + timedelta(seconds=1)
    town.tell()
    assert mailed() == []
    assert town.states("one") == [("dossier.submitted", "failed", "too-late")]
    assert town.states("two") == []


def test_what_there_is_no_time_for_is_done_by_the_next_run(town):
    town.happen("one", SubmitDossier, notify="email", email=EMAIL)
    town.notifier().follow(runtime.reader(), Run(runtime.checkpoints()), lambda: True)
    assert town.states("one") == []
    town.notifier().follow(runtime.reader(), Run(runtime.checkpoints()), lambda: False)
    town.notifier().send(lambda: True)
    assert mailed() == []
    town.tell()
    assert len(mailed()) == 1


# What is written down.


def test_what_is_written_down_names_nobody(town):
    town.happen("one", SubmitDossier, notify="email", email=EMAIL, phone=PHONE, address="Phố Thử")
    town.tell()
    items = town.ledger.dynamodb.scan(TableName=town.ledger.table)["Items"]
    written = json.dumps(items, ensure_ascii=False)
    assert len(items) == 1
    for secret in (EMAIL, PHONE, "Phố Thử", SUBJECT, TERMS.name):
        assert secret not in written


def test_only_what_waits_is_in_the_index(town):
    town.happen("one", SubmitDossier, notify="email", email=EMAIL)
    town.notifier().follow(runtime.reader(), Run(runtime.checkpoints()), lambda: False)
    (waiting,) = town.ledger.due(town.now(), 10)
    begun = town.ledger.begin(waiting, town.now())
    assert begun is not None
    assert town.ledger.begin(waiting, town.now()) is None
    assert town.ledger.due(town.now(), 10) == []
    town.ledger.again(begun, town.now(), town.now() + timedelta(hours=1), "503")
    assert town.ledger.due(town.now(), 10) == []
    (again,) = town.ledger.due(town.now() + timedelta(hours=1), 10)
    assert (again.tries, again.reason) == (1, "503")
    assert town.ledger.begin(waiting, town.now()) is None, "it is another try now"
