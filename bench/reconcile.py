"""A million settlement lines: is every difference found, how fast, in how much memory?

`python bench/reconcile.py [LINES]` writes a demo provider's file of a day and a demo book of our
own, with differences seeded at random of every kind; then lets the same reading and matching that
the worker runs go through both, with a progress bar, and compares what was found with what was
seeded. Exit status 1 if they differ, if a million lines take more than 90 s, or if this process
ever held more than 600 MB.
"""

import random
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn  # noqa: E402 -- the path comes first.

from chalicelib.contexts.payments.reconciliation.matching import COLUMNS, Matching, Ours, Reading  # noqa: E402 -- the same.

LINES = 1_000_000
SECONDS, MEGABYTES = 90, 600
DAY = date(2026, 1, 2)
AGENCIES = [f"Z{n:02}" for n in range(1, 64)]
SHARES = {"only_ours": 0.0002, "only_theirs": 0.0002, "amount_diff": 0.0002, "status_diff": 0.0002}
"""How many lines of each kind of difference, of all."""
BLOCK = 1024 * 1024


def demo(number: int) -> Ours:
    """Our own row of a demo payment; one in fifty is a refund."""
    kind = "refund" if number % 50 == 0 else "payment"
    agency, amount = AGENCIES[number % len(AGENCIES)], 10_000 + number % 990 * 1_000
    name = f"demo{number * 7_919 % 10**9:09}000"
    return Ours(kind, name, f"P{number:010}", amount, "done", agency, name[:-3], DAY.isoformat())


def seeded(lines: int) -> dict[int, str]:
    """Which lines differ, and how."""
    chance = random.Random(lines)  # noqa: S311 -- demo data.
    picked = chance.sample(range(lines), sum(int(lines * share) for share in SHARES.values()))
    kinds = [kind for kind, share in SHARES.items() for _ in range(int(lines * share))]
    return dict(zip(picked, kinds, strict=True))


def write(path: Path, lines: int, wrong: dict[int, str]) -> None:
    """The provider's file."""
    count = total = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for number in range(lines):
            one, how = demo(number), wrong.get(number)
            if how == "only_ours":
                continue
            amount = one.amount + (1_000 if how == "amount_diff" else 0)
            status = (
                "failed"
                if how == "status_diff"
                else f"{'paid' if one.kind == 'payment' else 'refunded'}"
            )
            at = f"{one.on}T{number % 24:02}:{number % 60:02}:00+07:00"
            file.write(
                f"{one.reference},{one.provider_reference},{one.kind},{amount},1100,{status},{at}\n"
            )
            count, total = count + 1, total + amount
        file.write(f"TOTAL,{count},{total}\n")


def books(lines: int, wrong: dict[int, str]) -> Iterator[Ours]:
    """Our own rows."""
    return (demo(n) for n in range(lines) if wrong.get(n) != "only_theirs")


def blocks(path: Path) -> Iterator[bytes]:
    """The file as it would come from where files are kept."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def main() -> int:
    """Write, read, match, compare, print."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    wrong = seeded(lines)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "settlement.csv"
        write(path, lines, wrong)
        size = path.stat().st_size
        before = peak()
        began, worked = perf_counter(), process_time()
        matching = Matching()
        reading = Reading(blocks(path), DAY)
        bar = (
            *Progress.get_default_columns()[:1],
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*bar, refresh_per_second=2) as progress:
            for what, steps in (
                ("the provider's lines", matching.theirs(reading)),
                ("our own rows", matching.ours(books(lines, wrong))),
            ):
                task = progress.add_task(what, total=lines)
                for done in steps:
                    progress.update(task, completed=done)
        found = Counter(one["kind"] for one in matching.differences())
        names = {one["reference"]: one["kind"] for one in matching.differences()}
        agreed = sum(one.matched for one in matching.tallies())
        took, worked = perf_counter() - began, process_time() - worked
        matching.close()
    expected = {demo(number).reference: how for number, how in wrong.items()}
    megabytes = peak()
    print(f"{lines:,} lines, {size / 1e6:,.0f} MB, read, matched and compared in {took:.1f} s,")
    print(f"of which this process worked {worked:.1f} s; {agreed:,} lines agree")
    print(f"{len(reading.taken())} chunks; differences {dict(sorted(found.items()))}")
    print(f"memory at its highest: {megabytes:,.0f} MB ({before:,.0f} MB before it began)")
    whole = names == expected and agreed == lines - len(wrong)
    print("every seeded difference was found, and no other" if whole else "NOT what was seeded")
    slow = lines >= LINES and took > SECONDS * lines / LINES
    return int(not whole or slow or megabytes > MEGABYTES)


def peak() -> float:
    """The most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
