"""`lienthong`: fetch a history, prove it offline, and read it; check a proof on paper.

Exit 0: what was asked was done, and holds. 1: something is not as it was sealed; the position is
named. 2: it could not be checked.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.tree import Tree

from chalicelib.history.code import decode_code
from chalicelib.history.merkle import Unproven
from chalicelib.history.proof import HEADER as PROOF
from chalicelib.history.proof import Bundle, encode_proof
from lienthong import explore, fetching
from lienthong.examine import Finding
from lienthong.explore import Filter, History
from lienthong.folder import CannotCheck, Folder, Told, Wrong, read_header
from lienthong.trust import Trust
from lienthong.verify import LATE, Report, verify

WRONG, CANNOT = 1, 2
LONGEST_NAME = 255

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
audit = typer.Typer(help="Fetch, prove and read a history.", no_args_is_help=True)
app.add_typer(audit, name="audit")
receipt = typer.Typer(help="Check what a citizen holds in their hand.", no_args_is_help=True)
app.add_typer(receipt, name="receipt")


@app.callback()
def _program() -> None:
    """Tools for those who check a Liên Thông deployment from outside."""


FolderPath = Annotated[Path, typer.Argument(metavar="FOLDER", help="where the history is")]
Keys = Annotated[Path | None, typer.Option("--key", help="file of the log's verifier keys")]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="policy of logs and witnesses (C2SP tlog-policy)")
]
Json = Annotated[bool, typer.Option("--json", help="answer in JSON")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@audit.command("fetch")
def fetch_folder(
    url: Annotated[str, typer.Argument(help="the deployment's address")],
    folder: FolderPath,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="file with the auditor's token")
    ] = None,
    purpose: Annotated[str, typer.Option(help="why you read: a reference; it is logged")] = "",
    as_json: Json = False,  # noqa: FBT002 -- an option, by name.
) -> None:
    """Fetch a history into FOLDER, or what is new of it. May be stopped and started again."""
    with _answering():
        token = token_file.read_text(encoding="utf-8").strip() if token_file else ""
        source = fetching.Source(url, token, purpose)
        with _bar() as heard:
            size = fetching.fetch(source, Folder(folder), heard)
        if as_json:
            _json({"folder": str(folder), "size": size})
        else:
            out.print(f"{folder} holds the history up to position {size:,}; now verify it")


@audit.command("verify")
def verify_folder(
    folder: FolderPath,
    old: Annotated[
        Path | None, typer.Option("--from", help="a checkpoint that you kept earlier")
    ] = None,
    key: Keys = None,
    policy: PolicyFile = None,
    tsa: Annotated[
        Path | None, typer.Option("--tsa", help="certificates (PEM) of the time-stamping authority")
    ] = None,
    late: Annotated[
        int, typer.Option(min=0, help="seconds a commit may take to be numbered and sealed")
    ] = int(LATE.total_seconds()),
    jobs: Annotated[int, typer.Option(min=0, help="processes; 0: one for each processor")] = 0,
    as_json: Json = False,  # noqa: FBT002 -- an option, by name.
) -> None:
    """Prove FOLDER offline: signatures, witnesses, times, tree, tiles, chains and events."""
    with _answering():
        place = Folder(folder)
        trust = Trust.read(place, key, policy, tsa)
        with _bar() as heard:
            report = verify(
                place,
                trust,
                old,
                jobs=jobs or os.cpu_count() or 1,
                late=timedelta(seconds=late),
                progress=lambda done, of: heard("commits", done, of),
            )
        if as_json:
            _json(_told(report))
        else:
            _show(report)
        if not report.holds:
            raise typer.Exit(WRONG)


@audit.command("replay")
def replay(  # noqa: PLR0913, PLR0917 -- each is an option of the command line.
    folder: FolderPath,
    stream: str = "",
    actor: str = "",
    agency: str = "",
    type_: Annotated[str, typer.Option("--type")] = "",
    case: Annotated[str, typer.Option(help="a correlation, across streams")] = "",
    since: Annotated[str, typer.Option(help="position or time")] = "1",
    until: Annotated[str, typer.Option(help="position or time")] = "",
    limit: Annotated[int, typer.Option(min=0, help="at most so many; 0: all")] = 0,
    key: Keys = None,
    policy: PolicyFile = None,
    as_json: Json = False,  # noqa: FBT002 -- an option, by name.
) -> None:
    """List events in the order of their positions. In JSON: the exported lines themselves."""
    with _answering():
        history = _history(folder, key, policy)
        wanted = Filter(
            stream,
            actor,
            agency,
            type_,
            case,
            explore.moment(since),
            explore.moment(until) if until else None,
        )
        found = history.replay(wanted)
        for told, index, data in islice(found, limit) if limit else found:
            if as_json:
                _json(told.lines[index].attributes)
                continue
            at, who = told.facts["recorded_at"][:19], told.facts["actor"]
            what = _safe(f"{told.seen}  {data['type']}  {who}")
            out.print(f"{told.position:>9}  {at}Z  {what}")


@audit.command("show")
def show(
    folder: FolderPath,
    stream: str,
    as_of: Annotated[str, typer.Option("--as-of", help="position or time; the end if none")] = "",
    key: Keys = None,
    policy: PolicyFile = None,
    as_json: Json = False,  # noqa: FBT002 -- an option, by name.
) -> None:
    """What stood in STREAM at a moment, as its own rules remember it."""
    with _answering():
        history = _history(folder, key, policy)
        at = explore.moment(as_of) if as_of else None
        commits = history.stream(stream)
        standing = history.standing(commits, at)
        if not standing.number:
            raise CannotCheck(f"{stream} had not begun at {as_of}")
        standing.state = explore.unsealed(standing.state, history.erasures(), commits)
        if as_json:
            _json(asdict(standing))
            return
        place = _safe(f"{stream}@{standing.number}")
        out.print(f"{place}, position {standing.position}, {standing.recorded_at}")
        out.print_json(data=standing.state)


@audit.command("diff")
def diff(
    folder: FolderPath,
    stream: str,
    since: Annotated[str, typer.Argument(metavar="FROM", help="position or time")],
    until: Annotated[str, typer.Argument(metavar="TO", help="position or time")],
    key: Keys = None,
    policy: PolicyFile = None,
    as_json: Json = False,  # noqa: FBT002 -- an option, by name.
) -> None:
    """What changed in STREAM between two moments: its events, and each field that differs."""
    with _answering():
        history = _history(folder, key, policy)
        commits = history.stream(stream)
        old = history.standing(commits, explore.moment(since))
        new = history.standing(commits, explore.moment(until))
        erasures = history.erasures()
        for standing in (old, new):
            standing.state = explore.unsealed(standing.state, erasures, commits)
        changed = (
            explore.changes(old, new)
            if old.number
            else explore.changes(explore.Standing(stream), new)
        )
        between = [c for c in commits if old.number < c.facts["number"] <= new.number]
        if as_json:
            _json(
                {
                    "stream": stream,
                    "from": old.number,
                    "to": new.number,
                    "events": [line.attributes for told in between for line in told.lines],
                    "changed": [
                        {"field": place, "before": was, "after": is_} for place, was, is_ in changed
                    ],
                }
            )
            return
        out.print(f"{_safe(stream)}: from commit {old.number} to {new.number}")
        for told in between:
            kinds = ", ".join(line.attributes["type"] for line in told.lines)
            out.print(f"{told.position:>9}  {told.facts['recorded_at'][:19]}Z  {_safe(kinds)}")
        table = Table("field", "before", "after")
        for place, was, is_ in changed:
            table.add_row(*(_safe(one) for one in (place, _short(was), _short(is_))))
        out.print(table)


@audit.command("explain")
def explain(
    folder: FolderPath,
    event: Annotated[str, typer.Argument(help="stream@number, stream@number#index, or position")],
    key: Keys = None,
    policy: PolicyFile = None,
    as_json: Json = False,  # noqa: FBT002 -- an option, by name.
) -> None:
    """What an event means, why it happened, what followed, and the proof that it did."""
    with _answering():
        history = _history(folder, key, policy)
        told = history.find(event)
        proof = history.prove(told)
        case = told.facts["correlation"]
        commits = history.case(case) if case else [told]
        lines = [x for x in told.lines if "#" not in event or x.attributes["id"] == event]
        if not lines:
            raise CannotCheck(f"{told.seen} has no event {event}")
        erasures = history.erasures()
        if as_json:
            _json(
                {
                    "position": told.position,
                    "header": told.facts,
                    "events": [
                        {"data": line.data, **_meaning(line.attributes["type"])} for line in lines
                    ],
                    "proof": encode_proof(proof).split(),
                    "size": history.size,
                    "case": {
                        cause: [one.seen for one in after]
                        for cause, after in explore.follows(commits).items()
                    },
                }
            )
            return
        out.print(f"[bold]{_safe(told.seen)}[/], position {told.position} of {history.size}")
        for line in lines:
            type_ = line.attributes["type"]
            out.print(f"\n[bold]{_safe(type_)}[/]  {_safe(_meaning(type_).get('meaning', ''))}")
            if rule := _meaning(type_).get("rule"):
                out.print(f"Rule: {_safe(rule)}")
            out.print_json(data=explore.unsealed(line.data, erasures, [told]))
        facts = told.facts
        table = Table("of its commit", "", show_header=False)
        for name in ("recorded_at", "actor", "method", "assurance", "release", "previous"):
            table.add_row(name, _safe(str(facts.get(name, "")) or "none: the first of its stream"))
        out.print(table)
        out.print(f"proven by {len(proof)} hashes up to the root signed for {history.size}")
        if case:
            out.print(_drawn(case, commits, told))


@receipt.command("verify")
def verify_receipt(
    proof: Annotated[
        str, typer.Argument(help="the text of a proof's QR code, or a file with it or with a proof")
    ],
    key: Keys = None,
    policy: PolicyFile = None,
    as_json: Json = False,  # noqa: FBT002 -- an option, by name.
) -> None:
    """Check offline that what a proof holds stands in the log, and say what it is."""
    with _answering():
        # No folder, so no keys of its own: whose word counts must be said.
        trust = Trust.read(None, key, policy)
        bundle = _bundle(proof)
        try:
            opened = bundle.check(trust.logs, [one.key for one in trust.policy.witnesses])
        except ValueError as error:
            raise CannotCheck(f"the proof's checkpoint is none: {error}") from None
        if not trust.policy.satisfied(opened.seen.keys()):
            raise Unproven("the witnesses' quorum is not met")
        facts = read_header(bundle.extra)
        if facts is None:
            raise Unproven("what is proven is no header of a commit")
        told = {
            "holds": True,
            "position": bundle.index + 1,
            "size": opened.checkpoint.size,
            "header": facts,
        }
        if as_json:
            _json(told)
            return
        out.print(f"{_safe(facts['stream'])}@{facts['number']}, recorded {facts['recorded_at']}")
        kinds = ", ".join(facts["events"])
        out.print(f"{kinds}; position {told['position']} of {told['size']:,}: [green]proven[/]")


def _bundle(given: str) -> Bundle:
    """The proof in the text of a QR code, or in a file: as such a text, or as a C2SP tlog-proof."""
    # No file system takes a name as long as a code's text.
    try:
        text = given if len(given) > LONGEST_NAME else Path(given).read_text(encoding="utf-8")
        return Bundle.parse(text) if text.startswith(PROOF) else decode_code(text)
    except ValueError as error:
        raise CannotCheck(f"no proof of a commit: {error}") from None


def main() -> None:
    """Run the program."""
    app()


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what went wrong into a line and an exit code."""
    try:
        yield
    except (Wrong, Unproven) as wrong:
        err.print(f"[red]wrong:[/] {_safe(_placed(wrong))}")
        raise typer.Exit(WRONG) from None
    except (CannotCheck, OSError) as cannot:
        err.print(f"[red]cannot check:[/] {_safe(str(cannot))}")
        raise typer.Exit(CANNOT) from None


def _placed(wrong: Exception) -> str:
    position = getattr(wrong, "position", None)
    return f"position {position}: {wrong}" if position else str(wrong)


def _history(folder: Path, key: Path | None, policy: Path | None) -> History:
    place = Folder(folder)
    return History.open(place, Trust.read(place, key, policy))


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on the error stream, so that what is asked for can be piped on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as progress:
        tasks: dict[str, Any] = {}

        def heard(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=of)
            progress.update(tasks[what], completed=done, total=of)

        yield heard


def _safe(text: str) -> str:
    """What others wrote, as text: nothing in it is markup, or commands the terminal."""
    return escape("".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text))


def _json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")


def _told(report: Report) -> dict[str, Any]:
    told = asdict(report)
    told["root"] = report.root.hex()
    told["erased"] = [one._asdict() for one in report.erased]
    return {"holds": report.holds, **told}


def _show(report: Report) -> None:
    out.print(f"{_safe(report.origin)}, {report.size:,} commits, root {report.root.hex()[:16]}…")
    witnesses = ", ".join(report.witnesses) or "none known"
    for name, value in (
        ("signed", f"{report.checkpoints} checkpoints"),
        ("witnesses", f"{witnesses}; quorum: {report.quorum}"),
        ("time stamps", f"{report.stamped}; recorded times bracketed to {report.bracketed:,}"),
        ("commits", f"{report.commits:,} in {report.streams:,} streams, chained"),
        ("events", f"{report.events:,}, each covered by its entry"),
    ):
        out.print(f"  {name:<12} {_safe(value)}")
    for person in report.erased:
        out.print(
            f"  erased       {_safe(person.subject)} by commit {_safe(person.by)},"
            f" position {person.position}"
        )
    for note in report.notes:
        out.print(f"  note         {_safe(note)}")
    for finding in report.findings:
        out.print(f"[red]wrong[/] {_safe(_found(finding))}")
    if report.found > len(report.findings):
        out.print(f"and {report.found - len(report.findings)} more")
    out.print("[red]does not hold[/]" if report.findings else "[green]holds[/]")


def _found(finding: Finding) -> str:
    where = f"position {finding.position}" if finding.position else "no single position"
    return f"{where} ({finding.kind}): {finding.detail}"


def _meaning(type_: str) -> dict[str, Any]:
    known = explore.meaning(type_)
    return {name: known[name] for name in ("meaning", "rule") if name in known}


def _short(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _drawn(case: str, commits: list[Told], marked: Told) -> Tree:
    """A case as a tree of what followed from what."""
    after = explore.follows(commits)
    drawn = Tree(_safe(f"case {case}"))
    todo = [(drawn, told) for told in reversed(after[""])]
    while todo:
        under, told = todo.pop()
        kinds = ", ".join(line.attributes["type"] for line in told.lines)
        style = "bold" if told.position == marked.position else "default"
        label = f"[{style}]{_safe(told.seen)}[/]  {_safe(kinds)}  position {told.position}"
        branch = under.add(label)
        todo += [(branch, one) for one in reversed(after.get(told.seen, []))]
    return drawn
