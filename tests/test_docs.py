"""The documentation says what is so: links lead somewhere, names exist, code runs."""

import base64
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import pytest
from ballot import COPY, VoteCast, cast
from ballot import ballot as decider
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib import registry
from chalicelib.contexts.agencies.domain.agency import MAX_SYSTEMS
from chalicelib.contexts.documents import files, intake, originals
from chalicelib.contexts.documents.domain.copy import CODES, REASON_CHARS
from chalicelib.contexts.documents.domain.document import MAX_ATTACHMENTS, MAX_RECEIVERS
from chalicelib.contexts.documents.edxml import model, stream, unpack
from chalicelib.contexts.documents.letters import CLOUDEVENT_BYTES, EDXML_BYTES
from chalicelib.contexts.documents.signatures import examine, xmldsig
from chalicelib.contexts.documents.submission import asked as documents_asked
from chalicelib.contexts.documents.submission import examined, statuses
from chalicelib.contexts.dossiers import (
    asked,
    catalogue,
    catalogue_import,
    portal_form,
    public,
    questions,
    search,
    sync,
    tables,
)
from chalicelib.contexts.dossiers.configured import Configuration
from chalicelib.contexts.dossiers.domain.events import Line
from chalicelib.contexts.dossiers.domain.procedure import MAX_PARTS
from chalicelib.contexts.dossiers.filing import MAX_COMPONENT_BYTES
from chalicelib.contexts.dossiers.messages import MESSAGE_BYTES
from chalicelib.contexts.operations import inbox
from chalicelib.contexts.payments import books, ledger, providers, providers_routes
from chalicelib.contexts.payments.domain import events
from chalicelib.contexts.payments.domain.events import ProviderTerms
from chalicelib.contexts.payments.domain.settlement import MAX_NOTED
from chalicelib.contexts.payments.projections import do_the_books_agree
from chalicelib.contexts.payments.reconciliation import comparing
from chalicelib.contexts.payments.reconciliation.matching import Reading
from chalicelib.delivery import deliver, lanes, send, signatures
from chalicelib.eventstore import dynamodb
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.numbers import BLOCK
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import handle
from chalicelib.history.pages import MemoryHistory
from chalicelib.history.sequencer import Sequencer
from chalicelib.http import paging, resource
from chalicelib.http.problems import _title, status_of
from chalicelib.http.resource import PUBLIC, SIGNED
from chalicelib.kernel import Refused
from chalicelib.projector import runner, table
from chalicelib.text import b64url
from infra.grants import GRANTS
from infra.template import DOORBELLS, GATEWAY_ERRORS, PARAMETERS, QUEUES, TABLES

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *ROOT.glob("events/*.md"),
        *ROOT.glob("docs/**/*.md"),
    ]
)
PORTAL, AGENCY, AUDITOR, OPERATOR = (
    (ROOT / "docs" / f"{name}.md").read_text()
    for name in ("portal", "agency", "auditor", "operator")
)
MIB = 1024 * 1024

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def rows(text: str) -> list[list[str]]:
    """The cells of every table's rows."""
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def anchors(page: Path) -> set[str]:
    """The places a page can be entered at, as GitHub names them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            yield page, target
        for target in re.findall(r"^\[[^\]]+\]: (\S+)$", page.read_text(), re.MULTILINE):
            yield page, target


def test_every_relative_link_leads_somewhere():
    inside = [(page, target) for page, target in links() if "://" not in target]
    assert len(inside) > 30
    for page, target in inside:
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(found), f"{page.name}: {target}"


def test_every_page_is_reached_from_the_readme():
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        targets = [t.partition("#")[0] for p, t in links() if p == page and "://" not in t]
        found = {(page.parent / target).resolve() for target in targets if target}
        todo += [p for p in found if p.suffix == ".md" and p not in reached]
    assert reached >= set(PAGES)


def test_the_picture_is_an_svg_that_github_shows():
    picture = (ROOT / "docs" / "flow.svg").read_text()
    assert "](docs/flow.svg)" in (ROOT / "README.md").read_text()
    assert not re.search(r"<script|<foreignObject|href=|@import", picture)
    for worker in ("sequence", "project", "seal", "react", "deliver"):
        assert f">{worker}<" in picture


@every_page
def test_make_targets_and_modules_exist(page):
    text = page.read_text()
    code = "\n".join([*re.findall(r"`([^`\n]+)`", text), *blocks(text, "sh")])
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"\bmake ([a-z]+)", code):
        assert target in targets
    for module in re.findall(r"python -m ([\w.]+)", code):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists()


def test_the_readme_names_the_commands():
    readme = (ROOT / "README.md").read_text()
    assert {"make run", "make test", "make demo", "make demo EDXML=FILE"} <= set(
        re.findall(r"make [a-z]+(?: EDXML=FILE)?", readme)
    )


@every_page
def test_shell_commands_are_well_formed(page):
    for block in blocks(page.read_text(), "sh"):
        done = subprocess.run(
            ["bash", "-n"],  # noqa: S607 -- found on PATH.
            input=block, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_every_route_is_documented_with_its_roles():
    def who(allow):
        return {PUBLIC: "public", SIGNED: "signed"}.get(allow) or ", ".join(sorted(allow))

    written = {
        (row[0].strip("`"), row[1])
        for page in PAGES
        for section in re.findall(
            r"^## Routes\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL
        )
        for row in rows(section)
        if re.fullmatch(r"`(?:GET|POST|PUT|DELETE) /\S+`", row[0]) and len(row) == 3
    }
    served = {
        (f"{route.method} {route.path}", who(route.allow))
        for one in registry.RESOURCES
        for route in one.table
    }
    assert written == served


@every_page
def test_routes_named_in_passing_exist(page):
    served = {f"{r.method} {r.path}" for one in registry.RESOURCES for r in one.table}
    named = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`\s]*)`", page.read_text()))
    assert named <= served


def test_every_act_that_needs_a_recent_login_is_listed():
    section = PORTAL.split("### Acts that need a recent login")[1].split("\n## ")[0]
    asked = {(r.method, r.path) for one in registry.RESOURCES for r in one.table if r.step_up}
    assert {row[0] for row in rows(section)[1:]} == {f"`{m} {path}`" for m, path in asked}
    assert f"`acr` at least {resource.STEP_UP_LEVEL}" in section
    assert PARAMETERS["StepUpSeconds"]["Default"] == "900"


def refusals(kind: type[Refused] = Refused) -> Iterator[type[Refused]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("chalicelib."):
            yield one
        yield from refusals(one)


def test_every_problem_is_listed_with_its_status():
    section = PORTAL.split("## Problems")[1].split("Before a request reaches")[0]
    written = [row for row in rows(section) if row[0].isdecimal()]
    expected = [
        [str(status), f"`{code}`", title]
        for status, code, title in sorted({(status_of(r()), r.code, _title(r)) for r in refusals()})
    ]
    # The two that no refusal stands behind.
    assert [row[1] for row in written if row not in expected] == ["`internal-error`", "`try-again`"]
    assert written[:-2] == expected


def test_the_gateways_own_problems_are_listed():
    section = PORTAL.split("Before a request reaches")[1]
    for kind, code, title, status in GATEWAY_ERRORS:
        shown = str(status or kind.removeprefix("DEFAULT_").lower())
        assert [shown, f"`{code}`", title] in rows(section)


def test_the_example_of_a_problem_is_one():
    (example,) = blocks(PORTAL, "json")
    shown = json.loads(example)
    kind = next(r for r in refusals() if r.code == shown["code"])
    assert (shown["title"], shown["status"], shown["rule"], shown["gateway_error"]) == (
        _title(kind), status_of(kind()), kind.rule, kind.gateway_error,
    )  # fmt: skip


def test_limits_are_those_of_the_code():
    document = documents_asked.NewDocument.model_fields

    def longest(field):
        return next(m.max_length for m in document[field].metadata if hasattr(m, "max_length"))

    written = {row[0]: row[1] for row in rows(PORTAL.split("## Limits")[1])[1:]}
    assert written == {
        "body of a request": f"{resource.MAX_BODY_BYTES // MIB} MiB",
        "answer": f"{resource.MAX_ANSWER_BYTES // MIB} MiB",
        "JSON: levels": f"{resource.MAX_DEPTH}",
        "receivers of a document": f"{MAX_RECEIVERS}",
        "attachments of a document": f"{MAX_ATTACHMENTS}",
        "one attachment": f"{files.MAX_FILE_BYTES // MIB} MiB",
        "subject": f"{longest('subject'):,} characters",
        "content": f"{longest('content'):,} characters",
        "reason or note of a status": f"{REASON_CHARS:,} characters",
        "a message whose XML signature is computed": f"{examine.MAX_XML // MIB} MiB",
        "uploaded PDF files of a document that are searched for signatures": (
            f"{examined.MAX_FETCHED // MIB} MiB"
        ),
        "signatures reported of a document / of a file or message": (
            f"{examine.MAX_REPORTS} / {xmldsig.MAX_SIGNATURES}"
        ),
        "an edXML message that is kept as it came": f"{originals.MAX_KEPT // MIB} MiB",
        "an upload or download link is good for": f"{files.LINK_S} s",
        "messages of an inbox's page": f"{inbox.LIMIT}, at most {inbox.MAX_LIMIT}",
        "items of a list's page": f"{paging.DEFAULT_LIMIT}, at most {paging.MAX_LIMIT}",
        "rows a filtered list looks at for one page": f"{table.EXAMINED:,}",
        "a list waits for `seen`": f"{table.WAIT_S:g} s",
        "a cursor outlives a replaced view by": f"{table.RETIRED_S:,} s",
        "a submission can be asked for during": f"{intake.KEPT_S // 86_400} days",
        "an Idempotency-Key is remembered across streams for": (f"{dynamodb.COMMAND_DAYS} days"),
        "edXML message, uploaded": f"{stream.MAX_MESSAGE // MIB} MiB",
        "edXML: files unpacked, one / all together": (
            f"{unpack.MAX_EXPANDED // MIB} MiB / {stream.MAX_EXPANDED_TOTAL // MIB} MiB"
        ),
        "edXML: levels / elements": f"{stream.MAX_DEPTH} / {stream.MAX_ELEMENTS:,}",
        "edXML: one text / all text outside files": (
            f"{model.MAX_TEXT:,} / {stream.MAX_TOTAL_TEXT:,} characters"
        ),
        "a webhook's clock may be off by": f"{signatures.TOLERANCE_S} s",
        "systems of an agency": f"{MAX_SYSTEMS}",
    }


def test_limits_and_defaults_of_dossiers_are_those_of_the_code():
    text = (ROOT / "docs" / "dossiers.md").read_text()
    written = {row[0]: row[1] for row in rows(text.split("## Limits of dossiers")[1])[1:]}
    [reason] = (m.max_length for m in get_args(Line)[1:] if hasattr(m, "max_length"))
    assert written == {
        "one file of a dossier": f"{MAX_COMPONENT_BYTES // MIB} MiB",
        "components of a dossier": f"{MAX_PARTS}",
        "fields of a form": f"{asked.MAX_ANSWERS}",
        "a reason": f"{reason} characters",
        "a question, an address": f"{asked.MAX_NOTE:,} characters",
        "agencies consulted at once": f"{asked.MAX_ASKED}",
        "results": f"{asked.MAX_RESULTS}",
        "states of dossiers told in one request": f"{sync.MAX_STATES}",
        "a request that tells states works for": f"{sync.WORKED_S} s",
        "items of a list in such a message": f"{portal_form.MAX_PARTS}",
    }
    assert f"larger than {MESSAGE_BYTES // 1024} KiB" in text
    assert f"at most {questions.MAX_MONTHS}, and {questions.MAX_COUNTS:,} counts" in text
    assert f"counts the first {questions.MAX_LATE:,}" in text
    [told] = (json.loads(b) for b in blocks(text, "json") if "MaHoSo" in b)
    assert portal_form.DossierMessage.model_validate(told).written().items() >= told.items()
    defaults = Configuration()
    assert f"| `codes` | `{defaults.codes}` |" in text
    assert f"| `notation` | `{defaults.notation}` |" in text
    for name, value in defaults.limits.model_dump().items():
        assert f"`{name}` {value}" in text
    assert f"each process takes {BLOCK} at a time" in text


def test_limits_of_procedures_are_those_of_the_code():
    text = (ROOT / "docs" / "public.md").read_text()
    written = {row[0]: row[1] for row in rows(text.split("## Limits of procedures")[1])[1:]}
    assert written == {
        "components, fees or steps of a procedure": f"{MAX_PARTS}",
        "a table with the request / uploaded": (
            f"{resource.MAX_BODY_BYTES // MIB} MiB / {tables.MAX_BYTES // MIB} MiB"
        ),
        "rows of a table": f"{tables.MAX_ROWS:,}",
        "faults named of one row": f"{catalogue_import.MAX_FAULTS}",
        "an import can be asked for during": f"{catalogue_import.KEPT_S // 86_400} days",
        "a look-up's `q`": f"{search.MAX_WORDS} words, {search.MAX_CHARS} characters",
        "an answer of a look-up is fresh for": f"{public.FRESH_S} s",
        "a look-up is behind the view of the catalogue by at most": f"{catalogue.FRESH_S} s",
    }
    columns = text.split("| column | a cell |")[1].split("\n\n")[0]
    named = {name for row in rows(columns) for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(tables.COLUMNS)
    [example] = blocks(text, "csv")
    [row] = tables.rows(example.encode(), "csv")
    assert tables.WISHES.validate_python(row.said).code == "1.000001"


def test_how_notices_are_answered_is_as_in_the_code():
    text = (ROOT / "docs" / "payments.md").read_text()
    reached = ProviderTerms(name="", kind="vnpay", merchant="", pay_url="", return_url="")
    doors = [providers.spoken("demo", reached.model_copy(update={"kind": kind}), "demo")
             for kind in ("vnpay", "platform", "sandbox")]  # fmt: skip
    made = ["confirmed", "already", "disputed", "unknown", "amount", "untrusted"]
    made += ["unreadable", "broken"]
    words = ("RspCode", "MaLoi", "status")
    said = [[door.reply(verdict) for door in doors] for verdict in made]
    section = text.split("## Notices (IPN)")[1].split("\n## ")[0]
    written = [row[1:] for row in rows(section)[1:]]
    assert written == [
        [str(reply.body.get(word, reply.status)) for reply, word in zip(line, words, strict=True)]
        for line in said
    ]
    assert f"at most {providers_routes.NOTICE_BYTES // 1024} KiB" in section
    assert f"({reached.minutes} unless said)" in text
    assert f"LoaiPhiLePhi: {reached.fee_code} and {reached.charge_code} unless said" in text
    assert f"(`{reached.checksum.algorithm}` unless said;" in text


def test_what_the_agencies_are_told_of_delivery_is_so():
    assert f"{deliver.RETRY_BASE_S} s × 2^(n−1)" in AGENCY  # noqa: RUF001 -- as printed.
    assert deliver.RETRY_CAP_S == 3_600
    assert "at most an hour" in AGENCY
    assert f"no answer within {send.READ_S:g} seconds" in AGENCY
    assert f"no connection within {send.CONNECT_S:g}" in AGENCY
    assert f"at most {CLOUDEVENT_BYTES // 1024} KiB" in AGENCY
    assert f"at most {EDXML_BYTES // MIB} MiB" in AGENCY
    assert f"holds a lane for {lanes.LEASE_S} s" in OPERATOR


def test_what_the_accountants_are_told_is_so():
    text = (ROOT / "docs" / "reconciliation.md").read_text()
    assert f"Over {comparing.MAX_DISCREPANCIES:,} differences" in text
    assert f"find over {MAX_NOTED:,} differences" in text
    assert f"at most {books.MAX_REPLAYED:,} commits" in text
    assert timedelta(minutes=10) == books.PATIENCE
    [example] = blocks(text, "csv")
    assert len(list(Reading([example.encode()], date(2026, 6, 1)))) == 2
    listed = {name for row in rows(text) for name in re.findall(r"`(\w+)`", row[0])}
    for words in (
        ledger.Account,
        events.DiscrepancyKind,
        events.Decision,
        do_the_books_agree.Wrong,
    ):
        assert {*get_args(words)} <= listed


def test_the_status_table_is_that_of_the_code():
    section = AGENCY.split("## Statuses")[1].split("## Reporting")[0]
    listed = [row for row in rows(section) if row[0].isdecimal()]
    assert {row[0] for row in listed} == {*CODES.values(), *statuses._COMMANDS}
    codes = {one.code for one in refusals()}
    named = {code for row in listed for code in re.findall(r"`([a-z]+-[a-z-]+)`", row[-1])}
    assert named == {
        "no-recall-pending", "reason-missing", "reception-was-refused", "status-goes-back",
    }  # fmt: skip
    assert named <= codes


def test_warnings_are_those_of_the_code():
    folder = ROOT / "chalicelib/contexts/documents/edxml"
    known = set(re.findall(r'(?:_warn\(|yield )"([a-z-]+)"', (folder / "parse.py").read_text()))
    section = AGENCY.split("| warning |")[1]
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", section)) == known


def test_the_operator_is_told_of_everything_there_is():
    for name in (*GRANTS, *TABLES, *PARAMETERS, *(f"{queue}Queue" for queue in QUEUES)):
        assert f"`{name}`" in OPERATOR
    assert f"more than {runner.NEAR} positions behind" in OPERATOR
    (tries, hidden), (intake_tries, intake_hidden) = QUEUES[DOORBELLS[0]], QUEUES["Intake"]
    assert f"tried {tries} times, hidden for {hidden} s" in OPERATOR
    assert f"tried {intake_tries} times, hidden for {intake_hidden} s" in OPERATOR


def test_the_changelog_lists_every_event():
    events = (ROOT / "CHANGELOG.md").read_text().split("### Events")[1]
    listed = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", events))
    assert listed == {path.stem for path in (ROOT / "events").glob("*.json")}
    assert "document.sent" in listed


def run(text: str, index: int = 0) -> dict:
    names: dict = {"__name__": "documentation"}
    exec(blocks(text, "python")[index], names)  # noqa: S102 -- our own documentation.
    return names


@every_page
def test_every_python_block_runs(page):
    for index in range(len(blocks(page.read_text(), "python"))):
        run(page.read_text(), index)


def test_the_receiver_takes_what_the_axis_signs_and_nothing_else():
    names = run(AGENCY)
    key = Ed25519PrivateKey.generate()
    names["AXIS_KEYS"].append({"x": b64url(key.public_key().public_bytes_raw())})
    server = ThreadingHTTPServer(("127.0.0.1", 0), names["Inbox"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sender = send.Sender(loopback=True)

    def post(body, *, signed=None, at=None, seed=None):
        now = at or int(datetime.now(UTC).timestamp())
        made = signatures.sign_ed25519(
            seed or key.private_bytes_raw(), "msg_1", now, body if signed is None else signed
        )
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": made}
        return sender.post(f"http://127.0.0.1:{server.server_port}/inbox", headers, body).status

    try:
        assert post(b'{"demo": 1}') == 204
        assert post(b'{"demo": 1}') == 204
        assert names["HANDLED"] == {"msg_1": {"demo": 1}}
        assert post(b'{"demo": 2}', signed=b'{"demo": 1}') == 401
        assert post(b"{}", at=int(datetime.now(UTC).timestamp()) - 301) == 401
        assert post(b"{}", seed=Ed25519PrivateKey.generate().private_bytes_raw()) == 401
        assert names["HANDLED"] == {"msg_1": {"demo": 1}}
    finally:
        server.shutdown()
        server.server_close()


def test_the_axis_takes_what_the_sample_signs():
    names = run(AGENCY, 1)
    signatures.verify(
        names["headers"],
        names["body"],
        [base64.b64decode(names["to_register"])],
        [],
        datetime.now(UTC),
    )
    event = json.loads(names["body"])
    assert event["data"].keys() <= {"document", "reference", "receiver", "code", "note"}


def exported():
    """Two streams and their history as the AWS command line prints them."""
    store = EventStore(MemoryShelf(), release="demo")
    for number in range(3):
        handle(store, decider, COPY.removeprefix("copy-"), cast(f"key {number}"))
    last = store.append(COPY, None, [VoteCast(voter="demo")], cast("a").origin)
    store.append(COPY, last, [VoteCast(voter="demo"), VoteCast(voter="demo")], cast("b").origin)
    history = MemoryHistory()
    places = list(store.shelf.every_place())
    sequencer = Sequencer(store, history)
    for place in places:
        sequencer.number([place])

    def b64(data):
        return {"B": base64.b64encode(data).decode()}

    commits = [
        {
            "stream": {"S": commit.stream},
            "number": {"N": str(commit.number)},
            "header": b64(commit.header),
            "hash": b64(commit.hash),
            "body": b64(commit.body),
        }
        for commit in store.commits(places).values()
    ]
    pages = [
        {
            "first": {"N": str(page.first)},
            "entries": {
                "L": [
                    {"L": [{"S": e.stream}, {"N": str(e.number)}, b64(e.hash)]}
                    for e in page.entries
                ]
            },
        }
        for page in history.pages(0)
    ]
    return {"Items": commits}, {"Items": pages}


def test_the_auditors_program_proves_a_whole_history():
    names = run(AUDITOR)
    events, history = exported()
    proven = names["check_streams"](events)
    assert len(proven) == len(events["Items"]) == 5
    assert names["check_history"](history, proven) == 5


@pytest.mark.parametrize("damage", ["header", "body", "hash", "removed", "renumbered", "rewritten"])
def test_the_auditors_program_finds_damage(damage):
    names = run(AUDITOR)
    events, history = exported()
    first = min(events["Items"], key=lambda i: (i["stream"]["S"], int(i["number"]["N"])))
    if damage == "removed":
        events["Items"].remove(first)
    elif damage == "renumbered":
        first["number"]["N"] = "7"
    elif damage == "rewritten":  # With a hash that fits: only the next commit gives it away.
        header = base64.b64decode(first["header"]["B"]).replace(b'"jwt"', b'"operator"')
        first["header"]["B"] = base64.b64encode(header).decode()
        first["hash"]["B"] = base64.b64encode(sha256(header).digest()).decode()
    else:
        other = next(i for i in events["Items"] if i is not first)
        first[damage] = other[damage] if damage != "body" else {"B": "W10="}
    with pytest.raises(ValueError, match="@"):
        names["check_history"](history, names["check_streams"](events))


@pytest.mark.parametrize("damage", ["a page", "an entry", "a rewritten commit", "no position"])
def test_the_auditors_program_finds_a_history_that_was_touched(damage):
    names = run(AUDITOR)
    events, history = exported()
    proven = names["check_streams"](events)
    if damage == "a page":
        history["Items"].pop(1)
    elif damage == "no position":
        history["Items"].pop()
    elif damage == "an entry":
        history["Items"][1]["entries"] = history["Items"][0]["entries"]
    else:
        proven[next(iter(proven))] = b"another"
    with pytest.raises(ValueError, match="position"):
        names["check_history"](history, proven)


def test_roles_are_all_explained():
    for role in get_args(resource.Role):
        assert f"`{role}`" in PORTAL
