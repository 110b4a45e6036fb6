"""A document on its way between agencies with systems of different kinds, seen by all of them."""

import pytest
from journeys.journey import DAY, digest, edxml_status, id_of, reference, until

from chalicelib.delivery.outbox import message_id

CONTENT = b"%PDF-1.7 demo attachment"
NAME = "tờ trình.pdf"


class Sent:
    """A document with a file, sent to two agencies and arrived at both."""

    def __init__(self, journey):
        self.sender = journey.join()
        self.first, self.second = journey.join(), journey.join("edxml")
        self.answer = journey.send(
            self.sender,
            [self.first, self.second],
            number="15",
            notation="QĐ-DEMO",
            subject="Demo: về một văn bản",
            attachments=[journey.upload(self.sender, CONTENT, NAME, "application/pdf")],
        )
        self.id = id_of(self.answer)
        self.path = f"/documents/{self.id}"
        self.reference = reference(self.sender, "15", "QĐ-DEMO")
        until("the document at both", lambda: self.first.received and self.second.received)
        journey.told(self.sender, self.id, "01", "01")


@pytest.fixture(scope="module")
def sent(journey):
    return Sent(journey)


@pytest.fixture(scope="module")
def answered(journey, sent):
    """The same, after each receiver has reported; the version its last report led to."""
    journey.status(sent.first, sent.id, sent.first, "03")
    sent.first.report(journey.api, sent.id, "05")
    message = edxml_status(sent.second, sent.sender, sent.reference, "06", "xong")
    return sent.second.post(journey.api, message).seen


def test_both_receivers_have_it_with_its_file(journey, sent):
    got = sent.first.received[0]
    assert got.id == message_id(f"document-{sent.id}", 1, 0, sent.first.code)
    assert (got.lane, got.sequence) == ("normal", 1)
    assert got.data["official"]["reference"] == sent.reference
    [file] = got.data["attachments"]
    assert journey.fetch(file["url"]) == CONTENT
    got = sent.second.received[0]
    assert got.id == message_id(f"document-{sent.id}", 1, 0, sent.second.code)
    assert got.data["reference"] == sent.reference
    assert got.data["files"] == [(NAME, digest(CONTENT))]
    assert not sent.first.rejected + sent.second.rejected + sent.sender.rejected


def test_statuses_come_back_by_api_by_webhook_and_by_edxml(journey, sent, answered):
    journey.told(sent.sender, sent.id, "01", "01", "03", "05", "06")
    told = {m.data["code"]: m.data for m in sent.sender.received if m.data["code"] != "01"}
    assert {code: data["receiver"] for code, data in told.items()} == {
        "03": sent.first.code,
        "05": sent.first.code,
        "06": sent.second.code,
    }
    assert told["06"]["note"] == "xong"
    assert [m.sequence for m in sent.sender.received] == [1, 2, 3, 4, 5]


def last_of_first(journey, sent):
    """The version of the first receiver's copy: it may be opened and arrive in one commit."""
    stream = f"copy-{sent.id}.{sent.first.code}"
    return f"{stream}@{max(number for of, number in journey.commits() if of == stream)}"


def test_a_status_may_skip_steps_and_its_repeat_is_silent(journey, sent, answered):
    again = journey.status(sent.first, sent.id, sent.first, "05")
    assert (again.seen, again.body["duplicate"]) == (last_of_first(journey, sent), True)
    assert journey.status(sent.first, sent.id, sent.first, "01").seen == again.seen


@pytest.mark.parametrize("role", ["sender", "first", "second"])
def test_everybody_with_a_part_in_it_sees_the_document(journey, sent, role):
    shown = journey.get(getattr(sent, role), sent.path)
    assert shown["official"]["subject"] == "Demo: về một văn bản"
    assert shown["receivers"] == [sent.first.code, sent.second.code]
    assert journey.fetch(shown["attachments"][0]["url"]) == CONTENT


def test_an_attachment_is_fetched_by_its_digest(journey, sent):
    path = f"{sent.path}/attachments/{digest(CONTENT)}"
    link = journey.get(sent.first, path)
    assert (link["name"], link["size"]) == (NAME, len(CONTENT))
    assert journey.fetch(link["url"]) == CONTENT
    other = f"{sent.path}/attachments/{digest(b'other')}"
    journey.refused(404, "document-unknown", journey.get, sent.first, other)


def test_the_sender_sees_every_copy_and_a_receiver_its_own(journey, sent, answered):
    path = f"{sent.path}/copies?seen={answered}"
    shown = journey.get(sent.sender, path)
    steps = {row["receiver"]: [step["code"] for step in row["steps"]] for row in shown["items"]}
    assert steps == {sent.first.code: ["01", "03", "05"], sent.second.code: ["01", "06"]}
    assert not shown["stale"]
    assert [row["receiver"] for row in journey.get(sent.first, path)["items"]] == [sent.first.code]


def test_a_copy_is_read_as_it_is_now(journey, sent, answered):
    answer = journey.api.call(
        "GET", f"{sent.path}/copies/{sent.first.code}", role="system", agency=sent.first.code
    )
    assert (answer.body["status"], answer.body["code"]) == ("processing", "05")
    number = last_of_first(journey, sent).rpartition("@")[2]
    assert answer.headers["etag"] == f'"{number}"'
    other = f"{sent.path}/copies/{sent.second.code}"
    journey.refused(404, "document-unknown", journey.get, sent.first, other)


def test_every_message_shows_its_attempts(journey, sent, answered):
    journey.told(sent.sender, sent.id, "01", "01", "03", "05", "06")
    path = f"{sent.path}/copies/{sent.first.code}/messages"
    messages = journey.get(sent.sender, path)["items"]
    assert [(m["type"], m["to"]) for m in messages] == [
        ("document.sent", sent.first.code),
        ("copy.arrived", sent.sender.code),
        ("copy.received", sent.sender.code),
        ("copy.processing_started", sent.sender.code),
    ]
    assert {a["status"] for m in messages for a in m["attempts"]} == {200}
    path = f"/messages/{messages[0]['id']}/attempts"
    for agency in (sent.sender, sent.first):
        shown = journey.get(agency, path)
        assert (shown["lane"], shown["sequence"]) == (f"{sent.first.code}#normal", 1)
        assert [(a["attempt"], a["status"]) for a in shown["attempts"]] == [(1, 200)]
    journey.refused(404, "message-unknown", journey.get, sent.second, path)
    journey.refused(404, "message-unknown", journey.get, sent.first, "/messages/msg_x/attempts")


@pytest.fixture(scope="module")
def stranger(journey):
    return journey.join()


PATHS = ["", "/copies", "/copies/{first}", "/copies/{first}/messages", "/attachments/{file}"]


@pytest.mark.parametrize("path", PATHS)
def test_who_has_no_part_in_it_learns_nothing(journey, sent, stranger, path):
    path = sent.path + path.format(first=sent.first.code, file=digest(CONTENT))
    journey.refused(404, "document-unknown", journey.get, stranger, path)
    journey.refused(403, "role-not-allowed", journey.api.get, path, role="citizen")
    assert journey.api.get(path, role="auditor")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("", True, id="all"),
        pytest.param("receiver={first}", True, id="to this receiver"),
        pytest.param("receiver={stranger}", False, id="to another receiver"),
        pytest.param("status=06", True, id="somebody has finished"),
        pytest.param("status=02", False, id="nobody has refused"),
        pytest.param("from=2020-01-01&to=9999-01-01", True, id="in these years"),
        pytest.param("from=9999-01-01", False, id="later"),
        pytest.param("to=2020-01-01", False, id="earlier"),
        pytest.param("q=VĂN BẢN", True, id="a word of the subject"),
        pytest.param("q=15/qđ-demo", True, id="its number"),
        pytest.param("q=nowhere", False, id="another word"),
        pytest.param("receiver={second}&status=05&q=demo", True, id="several"),
    ],
)
def test_what_an_agency_sent(journey, sent, stranger, answered, query, found):
    query = query.format(first=sent.first.code, second=sent.second.code, stranger=stranger.code)
    shown = journey.get(sent.sender, f"/documents?seen={answered}&{query}")
    assert [row["document"] for row in shown["items"]] == [sent.id] * found
    assert shown["as_of"] > 0
    assert not shown["stale"]
    for row in shown["items"]:
        assert row["statuses"] == {sent.first.code: "05", sent.second.code: "06"}
        assert row["promulgated_on"] == DAY.isoformat()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("", True, id="all"),
        pytest.param("sender={sender}", True, id="from this sender"),
        pytest.param("sender={stranger}", False, id="from another sender"),
        pytest.param("status=05", True, id="as we reported"),
        pytest.param("status=06", False, id="as others reported"),
        pytest.param("from=2020-01-01&to=9999-01-01&q=demo", True, id="in these years"),
        pytest.param("from=9999-01-01", False, id="later"),
        pytest.param("to=2020-01-01", False, id="earlier"),
        pytest.param("q=nowhere", False, id="another word"),
    ],
)
def test_what_came_to_an_agency(journey, sent, stranger, answered, query, found):
    query = query.format(sender=sent.sender.code, stranger=stranger.code)
    shown = journey.get(sent.first, f"/copies?seen={answered}&{query}")
    assert [row["document"] for row in shown["items"]] == [sent.id] * found
    assert [row["status"] for row in shown["items"]] == ["05"] * found


def test_whose_list_may_be_asked_for(journey, sent, stranger):
    own = f"/documents?agency={sent.sender.code}"
    assert journey.get(sent.sender, own)["items"]
    journey.refused(403, "not-your-agency", journey.get, stranger, own)
    assert journey.api.get(own, role="auditor")["items"]
    journey.refused(422, "agency-needed", journey.api.get, "/documents", role="auditor")
    journey.refused(403, "role-not-allowed", journey.api.get, "/documents", role="citizen")
    assert journey.get(stranger, "/documents")["items"] == []


def test_a_long_list_comes_page_by_page(journey, stranger):
    reader = journey.join()
    answers = [journey.send(stranger, [reader]) for _ in range(5)]
    newest_first = [id_of(answer) for answer in reversed(answers)]
    journey.settled()
    path = f"/documents?limit=2&seen={answers[-1].seen}"
    pages, cursor = [], ""
    while cursor is not None:
        page = journey.get(stranger, path + (cursor and f"&cursor={cursor}"))
        pages.append([row["document"] for row in page["items"]])
        cursor = page["next"]
    assert [id_ for page in pages for id_ in page] == newest_first
    assert [len(page) for page in pages if page] == [2, 2, 1]


def test_a_list_says_when_it_does_not_hold_what_was_seen_yet(journey, stranger):
    shown = journey.get(stranger, "/documents?seen=document-nobodysent@1")
    assert shown["stale"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=made-up", 400, "invalid-cursor"),
        ("limit=0", 400, "invalid-limit"),
        ("limit=201", 400, "invalid-limit"),
        ("limit=ten", 400, "invalid-limit"),
        ("seen=nothing", 400, "invalid-seen"),
        ("from=yesterday", 422, "invalid-day"),
        ("receiver=nobody", 422, "agency-code-invalid"),
    ],
)
def test_questions_that_cannot_be_answered(journey, sent, query, status, code):
    journey.refused(status, code, journey.get, sent.sender, f"/documents?{query}")


def test_a_refusal_reaches_the_sender_with_its_reason(journey):
    sender, receiver = journey.join(), journey.join()
    id_ = id_of(journey.send(sender, [receiver]))
    journey.told(sender, id_, "01")
    report = (journey.status, receiver, id_, receiver)
    journey.refused(422, "reason-missing", *report, "02")
    journey.status(receiver, id_, receiver, "02", "wrong department")
    journey.told(sender, id_, "01", "02")
    assert sender.received[-1].data["note"] == "wrong department"
    journey.refused(409, "reception-was-refused", *report, "03")


def test_a_recall_is_refused_agreed_and_agreed_in_an_older_code(journey):
    sender, receivers = journey.join(), [journey.join(), journey.join("edxml"), journey.join()]
    refuses, agrees, agreed_once = receivers
    sent = journey.send(sender, receivers, number="77", priority=2)
    id_ = id_of(sent)
    journey.told(sender, id_, "01", "01", "01")
    for receiver in receivers:
        journey.status(sender, id_, receiver, "13", "sent too early")
    until("13 at all", lambda: all(len(receiver.received) > 1 for receiver in receivers))
    for receiver in receivers:
        asked = receiver.received[1]
        assert (asked.data["code"], asked.data["note"]) == ("13", "sent too early")
        assert (asked.lane, asked.sequence) == ("urgent", 2)
    report = (journey.status, refuses, id_, refuses)
    journey.refused(409, "recall-pending", *report, "05")
    journey.refused(422, "reason-missing", *report, "16")
    journey.status(refuses, id_, refuses, "16", "already published")
    agrees.post(journey.api, edxml_status(agrees, sender, reference(sender, "77"), "15"))
    agreed_once.report(journey.api, id_, "14")
    journey.told(sender, id_, "01", "01", "01", "15", "15", "16")
    notes = {m.data["receiver"]: m.data["note"] for m in sender.received if m.data["code"] != "01"}
    assert notes == {refuses.code: "already published", agrees.code: "", agreed_once.code: ""}
    journey.status(refuses, id_, refuses, "05")
    after = (journey.status, agrees, id_, agrees, "05")
    journey.refused(409, "copy-was-recalled", *after)
