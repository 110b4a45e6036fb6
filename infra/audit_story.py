"""An auditor proves what the running system recorded, whatever an almighty operator does to it.

First a mixed run: a document, a dossier, payments and receipts. Then the operator, who may write
every table, and whoever may touch the auditor's folder, change one thing after another; each is
found, by its position, and undone. Last a person is forgotten, and all still holds.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785
import urllib3

from chalicelib.history.checkpoint import Checkpoint
from chalicelib.history.note import Note
from chalicelib.history.tiles import ENTRIES, all_tiles
from chalicelib.text import b64url
from infra import template
from infra.api import Api, Json
from infra.dossier_story import DESK
from infra.package import ROOT
from infra.payment_sandbox import PaymentSandbox
from infra.payment_story import tell_payment
from infra.stack import LocalStack
from infra.story import Story, StoryFailed

PERSON = "Demo Applicant"
"""Who files and pays in the story, and is forgotten at its end."""
RECEIVER = "Z02"
BUCKETS = ("Content", "Staging", "Log")
_OK = 200

Item = dict[str, Any]


@dataclass(frozen=True)
class Audit:
    """The auditor's place: the program, the folder, the key that came at the beginning."""

    story: Story
    stack: LocalStack
    place: Path
    web: urllib3.PoolManager

    @property
    def folder(self) -> Path:
        """The history as it was fetched."""
        return self.place / "history"

    @property
    def key(self) -> Path:
        """The log's key, kept before anything was touched."""
        return self.place / "log-key"

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """The auditor's program, in a process of its own."""
        path = os.pathsep.join((str(ROOT / "cli"), str(ROOT)))
        return subprocess.run(
            [sys.executable, "-m", "lienthong", *map(str, words)],
            env={"PATH": os.defpath, "PYTHONPATH": path, "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *words: object) -> str:
        """What the program says, having found that all holds.

        Raises:
            StoryFailed: it has not.
        """
        done = self.run(*words)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise StoryFailed(f"lienthong {' '.join(map(str, words[:2]))}: {said[:2000]}")
        return done.stdout

    def fetch(self, folder: Path) -> int:
        """Fetch what is new into a folder; the size of the history it then holds."""
        token = self.place / "token"
        token.write_text(self.story.api.token("auditor", None))
        said = self.must(
            "audit", "fetch", self.stack.api_url, folder,
            "--token-file", token, "--purpose", "DEMO-INSPECTION-1", "--json",
        )  # fmt: skip
        return int(json.loads(said)["size"])

    def replay(self, type_: str) -> list[Json]:
        """The exported events of a type."""
        said = self.must(
            "audit", "replay", self.folder, "--type", type_, "--key", self.key, "--json"
        )
        return [json.loads(line) for line in said.splitlines()]

    def read(self, path: str) -> str:
        """What anybody may fetch."""
        answer = self.web.request("GET", self.stack.api_url + path)
        if answer.status != _OK:
            raise StoryFailed(f"{path} answers {answer.status}")
        return answer.data.decode()

    def sealed(self) -> None:
        """Wait until everything that is committed now is covered by a checkpoint."""
        wanted = self.story.commits()

        def covered() -> bool:
            answer = self.web.request("GET", f"{self.stack.api_url}/checkpoint")
            if answer.status != _OK:
                return False
            return Checkpoint.parse(Note.parse(answer.data).text).size >= wanted

        self.story.until(f"a checkpoint of {wanted} commits", covered)


def tell_audit(
    story: Story, stack: LocalStack, sandbox: PaymentSandbox, second: Api, place: Path
) -> str:
    """The auditor's whole story, with files in `place`; answers with a path to look at.

    `second` asks as somebody else than the story's own API.

    Raises:
        StoryFailed, Problem: a step did not happen, or something was not found.
    """
    audit = Audit(story, stack, place, urllib3.PoolManager(retries=False, timeout=60))
    tell_payment(story, stack, sandbox, second)
    _document(story)
    audit.sealed()
    audit.key.write_text(audit.read("/log/keys"))
    story.step("the auditor keeps the log's key")
    size = audit.fetch(audit.folder)
    story.step(f"`audit fetch`: the folder holds {size} commits")
    report = json.loads(audit.must("audit", "verify", audit.folder, "--key", audit.key, "--json"))
    story.step(
        f"`audit verify`: exit 0, {report['commits']} commits of {report['streams']} streams and "
        f"{report['events']} events are as they were sealed"
    )
    kept = place / "kept-checkpoint"
    shutil.copy(audit.folder / "checkpoint", kept)
    _in_the_hand(audit)
    found = _tampering(audit)
    story.step(f"{found} kinds of tampering were found, and undone")
    audit.fetch(audit.folder)
    audit.must("audit", "verify", audit.folder, "--key", audit.key, "--from", kept)
    story.step("`audit verify --from kept-checkpoint`: exit 0 again")
    subject = _forgotten(audit, second, kept)
    return f"/subjects/{subject}/erasure"


def _document(story: Story) -> None:
    receiver = story.join(RECEIVER, "Demo Province", "cloudevents")
    document = {
        "number": f"{datetime.now(UTC):%H%M%S}",
        "notation": "QĐ-DEMO",
        "promulgated_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "subject": "Demo: a document travels the axis",
        "signer": {"position": "Demo signer", "full_name": "Demo Person"},
        "receivers": [receiver.code],
    }
    sent = story.api.call("POST", "/documents", role="system", agency=DESK, body=document)
    story.wrote("Demo One-Stop Desk sent a document", sent)
    id_ = sent.location.rsplit("/", 1)[1]
    story.until("the document at its receiver", lambda: receiver.got(id_))


def _in_the_hand(audit: Audit) -> None:
    """A filing and a receipt, each proven by nothing but the text of a QR code."""
    for what, type_ in (("the filing", "dossier.submitted"), ("a receipt", "receipt.issued")):
        event = audit.replay(type_)[0]
        place = f"{event['subject']}/{event['lienthongcommit']}"
        digits = audit.read(f"/proof/{place}/code?format=text").strip()
        said = audit.must("receipt", "verify", digits, "--key", audit.key).splitlines()[-1]
        audit.story.step(f"the QR code of {what}, {len(digits)} digits, proves it offline: {said}")
        wrong = audit.run("receipt", "verify", digits[:-34] + digits[-17:], "--key", audit.key)
        if wrong.returncode == 0:
            raise StoryFailed("a code with digits missing was believed")


# Tampering: the tables by the operator, the folder by whoever has it.


def _tampering(audit: Audit) -> int:
    tables = _Tables(audit.stack)
    money = audit.replay("payment.captured")[0]
    filed = audit.replay("dossier.submitted")[0]
    given = audit.replay("receipt.issued")[0]
    paid = audit.replay("payment.paid")[0]
    sent = audit.replay("document.sent")[0]
    cases: list[tuple[str, int, Callable[[], Any]]] = [
        ("table: an amount was raised, with all its hashes", _at(money),
         lambda: tables.rewritten(_at(money), body=_raised)),
        ("table: a commit was recorded a month earlier", _at(filed),
         lambda: tables.rewritten(_at(filed), facts=_set_back)),
        ("table: somebody else did it", _at(given),
         lambda: tables.rewritten(_at(given), facts=lambda f: f | {"actor": "officer:demo-other"})),
        ("table: a commit is deleted, another in its place", _at(paid),
         lambda: tables.deleted(_at(paid))),
        ("table: two commits have changed places", _at(sent) - 1,
         lambda: tables.swapped(_at(sent) - 1, _at(sent))),
    ]  # fmt: skip
    for what, position, touched in cases:
        with touched():
            copy = _copy(audit)
            shutil.rmtree(copy / "events")
            audit.fetch(copy)
            _found(audit, what, position, copy)
    size = _size(audit.folder)
    pieces: list[tuple[str, int, Callable[[Path], None]]] = [
        ("folder: a hash of a tile is another", 3, lambda at: _flip(_tile(at, 0), 2 * 32 + 5)),
        ("folder: an entry says something else", 1, _another_entry),
        ("folder: the checkpoint has another root", size, _another_root),
        ("folder: the export ends early", size, lambda at: _lines(at, lambda old: old[:-1])),
        ("folder: an event stands at the end once more", _at(money), _once_more(_at(money))),
        ("folder: an event says something else", _at(sent), _another_event(_at(sent))),
    ]
    for what, position, touch in pieces:
        copy = _copy(audit)
        touch(copy)
        _found(audit, what, position, copy)
    return len(cases) + len(pieces)


def _found(audit: Audit, what: str, position: int, folder: Path) -> None:
    """The program must say that it does not hold, and where."""
    done = audit.run("audit", "verify", folder, "--key", audit.key)
    named = [line for line in done.stdout.splitlines() if f"wrong position {position} " in line]
    if done.returncode != 1 or not named:
        said = (done.stdout + done.stderr).strip()
        raise StoryFailed(
            f"{what}: position {position} was not named: exit {done.returncode}\n{said}"
        )
    audit.story.step(f"  {what}: exit 1, {named[0].removeprefix('wrong ')[:100]}")


def _copy(audit: Audit) -> Path:
    copy = audit.place / "touched"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(audit.folder, copy)
    return copy


def _at(event: Json) -> int:
    return int(event["lienthongposition"])


class _Tables:
    """What the owner of the account can do, and undo."""

    def __init__(self, stack: LocalStack) -> None:
        self._dynamodb = stack.client("dynamodb")
        self._events = stack.outputs()["EventsTable"]
        self._history = stack.outputs()["HistoryTable"]

    @contextmanager
    def rewritten(
        self,
        position: int,
        *,
        body: Callable[[bytes], bytes] = bytes,
        facts: Callable[[Json], Json] = dict,
    ) -> Iterator[None]:
        """A commit says something else, and every hash that this table and its page hold agrees."""
        page, offset = self._page(position)
        item = self._commit(page, offset)
        written = body(bytes(item["body"]["B"]))
        header = rfc8785.dumps(
            facts(json.loads(bytes(item["header"]["B"])))
            | {"body_hash": b64url(sha256(written).digest())}
        )
        digest = {"B": sha256(header).digest()}
        forged = item | {"header": {"B": header}, "body": {"B": written}, "hash": digest}
        stream, number, _ = page["entries"]["L"][offset]["L"]
        with (
            self._instead(self._events, item, forged),
            self._entries(page, {offset: {"L": [stream, number, digest]}}),
        ):
            yield

    @contextmanager
    def deleted(self, position: int) -> Iterator[None]:
        """A commit is gone, and its place in history is another's."""
        page, offset = self._page(position)
        item = self._commit(page, offset)
        other, next_ = self._page(position + 1)
        with self._entries(page, {offset: other["entries"]["L"][next_]}):
            key = {name: item[name] for name in ("stream", "number")}
            self._dynamodb.delete_item(TableName=self._events, Key=key)
            try:
                yield
            finally:
                self._dynamodb.put_item(TableName=self._events, Item=item)

    @contextmanager
    def swapped(self, one: int, other: int) -> Iterator[None]:
        """Two commits stand in history in each other's place."""
        (first, at), (second, to) = self._page(one), self._page(other)
        a, b = first["entries"]["L"][at], second["entries"]["L"][to]
        if first["first"] == second["first"]:
            with self._entries(first, {at: b, to: a}):
                yield
            return
        with self._entries(first, {at: b}), self._entries(second, {to: a}):
            yield

    def _page(self, position: int) -> tuple[Item, int]:
        """The page of a position, and which entry of it."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._history, ConsistentRead=True
        )
        for page in (item for answer in pages for item in answer["Items"]):
            offset = position - int(page["first"]["N"])
            if 0 <= offset < len(page["entries"]["L"]):
                return page, offset
        raise StoryFailed(f"history has no position {position}")

    def _commit(self, page: Item, offset: int) -> Item:
        stream, number, _ = page["entries"]["L"][offset]["L"]
        found = self._dynamodb.get_item(
            TableName=self._events, Key={"stream": stream, "number": number}, ConsistentRead=True
        )
        item: Item = found["Item"]
        return item

    @contextmanager
    def _instead(self, table: str, old: Item, new: Item) -> Iterator[None]:
        self._dynamodb.put_item(TableName=table, Item=new)
        try:
            yield
        finally:
            self._dynamodb.put_item(TableName=table, Item=old)

    @contextmanager
    def _entries(self, page: Item, changed: dict[int, Item]) -> Iterator[None]:
        entries = [changed.get(at, entry) for at, entry in enumerate(page["entries"]["L"])]
        with self._instead(self._history, page, page | {"entries": {"L": entries}}):
            yield


def _raised(body: bytes) -> bytes:
    events = json.loads(body)
    for event in events:
        if "amount" in event:
            event["amount"] *= 10
    return json.dumps(events, separators=(",", ":"), ensure_ascii=False).encode()


def _set_back(facts: Json) -> Json:
    at = datetime.fromisoformat(facts["recorded_at"]) - timedelta(days=30)
    return facts | {"recorded_at": at.isoformat(timespec="microseconds")}


def _size(folder: Path) -> int:
    return Checkpoint.parse(Note.parse((folder / "checkpoint").read_bytes()).text).size


def _tile(folder: Path, level: int) -> Path:
    """The first tile of a level."""
    return folder / next(tile for tile in all_tiles(_size(folder)) if tile.level == level).path


def _flip(path: Path, at: int) -> None:
    """Change a bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _another_entry(folder: Path) -> None:
    """Behind the first entry's length, two bytes, its header: somewhere in it a name."""
    path = _tile(folder, ENTRIES)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"method":"jwt"', b'"method":"JWT"', 1))


def _another_root(folder: Path) -> None:
    path = folder / "checkpoint"
    note = Note.parse(path.read_bytes())
    signed = Checkpoint.parse(note.text)
    forged = Checkpoint(signed.origin, signed.size, sha256(b"another history").digest())
    path.write_text(str(Note(forged.text, note.signatures)))


def _lines(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the lines of the last file of events."""
    path = max((folder / "events").glob("*.jsonl"))
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def _once_more(position: int) -> Callable[[Path], None]:
    mark = f'"lienthongposition":{position},'.encode()
    return lambda folder: _lines(
        folder, lambda old: [*old, *[line for line in old if mark in line]]
    )


def _another_event(position: int) -> Callable[[Path], None]:
    mark = f'"lienthongposition":{position},'.encode()
    return lambda folder: _lines(
        folder,
        lambda old: [
            line.replace(b"travels the axis", b"never arrived") if mark in line else line
            for line in old
        ],
    )


# Forgetting.


def _forgotten(audit: Audit, second: Api, kept: Path) -> str:
    """The person asks, a second person agrees, the key is gone; all proofs hold as before."""
    story, api = audit.story, audit.story.api
    case = audit.replay("dossier.submitted")[0]["subject"].partition("-")[2]

    def name() -> Any:
        seen = api.call("GET", f"/dossiers/{case}", role="officer", agency=DESK).body
        return (seen.get("applicant") or {}).get("name")

    if name() != PERSON:
        raise StoryFailed("the desk does not see whose dossier it is")
    api.call("PUT", "/my/erasure", role="citizen", body={"reason": "Demo: no longer needed"})
    subject = str(api.call("GET", "/my/erasure", role="citizen").body["subject"])
    path = f"/subjects/{subject}/erasure"
    story.step(f"{PERSON} asks to be forgotten; {subject}")
    agreed = second.call("PUT", f"{path}/approval", role="administrator")
    story.wrote("A second person approves", agreed)
    audit.stack.ring("schedule", "Erase")
    story.until(
        "the erasure",
        lambda: api.call("GET", path, role="auditor").body["status"] == "erased",
    )
    # The desk is not asked again: a function that had the key open may know it for five minutes.
    story.step("the person's key is destroyed; a function that had it open forgets it in minutes")
    audit.sealed()
    audit.fetch(audit.folder)
    verified = audit.must("audit", "verify", audit.folder, "--key", audit.key, "--from", kept)
    [erased] = [line.strip() for line in verified.splitlines() if subject in line]
    story.step(f"`audit verify`: exit 0; {erased}")
    _nowhere(audit, case)
    return subject


def _nowhere(audit: Audit, known: str) -> None:
    """The name is in no table, no version of a file, no log; what is known to be there is found."""
    held = dict.fromkeys(("tables", "files", "logs"), 0)
    found: set[str] = set()
    for where, what, content in _everything(audit.stack):
        held[where] += 1
        if PERSON.encode() in content:
            raise StoryFailed(f"{what} still says {PERSON}")
        if known.encode() in content:
            found.add(where)
    if not {"tables", "files"} <= found:
        raise StoryFailed(f"the search finds nothing, not even {known}")
    audit.story.step(
        f"the person's name is nowhere: {held['tables']} items of {len(template.TABLES)} tables, "
        f"{held['files']} versions of files, {held['logs']} lines of logs"
    )


def _everything(stack: LocalStack) -> Iterator[tuple[str, str, bytes]]:
    """Where, what, and what it says."""
    dynamodb, s3, logs = (stack.client(name) for name in ("dynamodb", "s3", "logs"))
    outputs = stack.outputs()
    for table in template.TABLES:
        scan = dynamodb.get_paginator("scan").paginate(
            TableName=outputs[f"{table}Table"], ConsistentRead=True
        )
        for item in (item for page in scan for item in page["Items"]):
            yield "tables", table, repr(item).encode()
    for name in BUCKETS:
        bucket = outputs[f"{name}Bucket"]
        versions = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for one in (one for page in versions for one in page.get("Versions", ())):
            found = s3.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
            yield "files", f"{bucket}/{one['Key']}", one["Key"].encode() + found["Body"].read()
    for group in (
        g for p in logs.get_paginator("describe_log_groups").paginate() for g in p["logGroups"]
    ):
        told = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in (event for page in told for event in page["events"]):
            yield "logs", group["logGroupName"], event["message"].encode()
    yield "logs", "the emulator's log", stack.log.read_bytes()
