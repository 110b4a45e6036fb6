"""Ten thousand dossiers of mixed fates: is what the statistics say what happened?

`python bench/dossiers.py [DOSSIERS]` lets a town's demo dossiers live through two months of
simulated time, through the real decider, `handle`, sequencer, projector and due rows (streams in
memory, views on moto). It compares the statistics with a count made from the raw events by other
means; then lets a tenth of them live twice, once with the schedule off for three days, and says
what that changed. Exit status 1 if anything differs that must not.
"""

import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "infra")]

import conftest  # noqa: E402, F401 -- the path comes first; keeps real accounts out.
from contexts.dossiers.demo_dossiers import MONDAY  # noqa: E402 -- the path comes first.
from contexts.dossiers.town import (  # noqa: E402 -- the same.
    check_lives,
    counted,
    lived,
    outcome,
)

DOSSIERS = 10_000
OFF = (MONDAY + timedelta(days=9), MONDAY + timedelta(days=12))
NOTES = ("dossier.due_soon", "dossier.apology_drafted", "dossier.overdue")


def main() -> int:
    """Live, count twice, compare, print."""
    dossiers = int(sys.argv[1]) if len(sys.argv) > 1 else DOSSIERS
    began = perf_counter()
    town, view = lived(dossiers)
    events = town.events()
    took = perf_counter() - began
    check_lives(events)
    told = sum(map(len, events.values()))
    raw = counted(events)
    print(
        f"{len(events):,} dossiers, {told:,} events in {took:,.0f} s; {dict(town.refused)} refused"
    )
    total: Counter[str] = Counter()
    for counts in raw.values():
        total.update(counts)
    print(f"{len(raw):,} counts, together {dict(total)}")
    ended = total["on_time"] + total["late"]
    print(f"on time: {total['on_time'] / ended:.2%} of {ended:,} that had an appointment")
    wrong = {place for place in raw.keys() | view.keys() if raw.get(place) != view.get(place)}
    print(f"the view differs from the events in {len(wrong)} counts")

    few = max(dossiers // 10, 1)
    on, off = (lived(few, seed=2, off=window) for window in (None, OFF))
    outcomes = [{k: outcome(v) for k, v in one.events().items()} for one, _ in (on, off)]
    changed = sum(outcomes[0][id_] != outcomes[1][id_] for id_ in outcomes[0])
    same = on[1] == off[1]
    print(f"schedule off from {OFF[0]:%d/%m} to {OFF[1]:%d/%m}, {few:,} dossiers:")
    for note in NOTES:
        said = [[e["at"] for t in o.events().values() for e in t if e["type"] == note]
                for o, _ in (on, off)]  # fmt: skip
        moved = Counter(said[0]) - Counter(said[1])
        print(f"  {note}: {len(said[0])} and {len(said[1])}, said at other moments {moved.total()}")
    print(
        f"  {changed} outcomes differ; the statistics are {'the same' if same else 'NOT the same'}"
    )
    return int(bool(wrong or changed or not same))


if __name__ == "__main__":
    sys.exit(main())
