"""What a look-up of procedures costs, with ten thousand of them.

`python bench/look_up.py` fills the views as the projector would (demo names, made of the words that
real ones are made of), then prints how large they are in DynamoDB's units, what a process reads
when it starts and after a change, and how long a look-up takes on one core.
"""

import random
import sys
from collections import Counter
from datetime import UTC, date, datetime
from heapq import nsmallest
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "infra")]

import conftest  # noqa: E402, F401 -- the path comes first; keeps real accounts out.
from axis import Axis  # noqa: E402 -- the path comes first.
from contexts.dossiers.demo_dossiers import TERMS  # noqa: E402 -- the same.
from shelves import moto_rack  # noqa: E402 -- the same.

from chalicelib.contexts.dossiers.catalogue import FRESH_S, Catalogue  # noqa: E402 -- the same.
from chalicelib.contexts.dossiers.domain.events import ProcedurePublished  # noqa: E402 -- the same.
from chalicelib.contexts.dossiers.projections import (  # noqa: E402 -- the same.
    what_changed_in_the_catalogue,
    which_procedures_are_there,
)
from chalicelib.contexts.dossiers.search import rank, sought  # noqa: E402 -- the same.

PROCEDURES = 10_000
ROUNDS = 30
READ, WRITTEN = 4_096, 1_024  # Bytes of a consistent read unit, of a write unit.
TODAY = date(2026, 6, 1)
AT = datetime(2026, 6, 1, tzinfo=UTC)
WORDS = [
    word
    for line in (
        "cấp lại giấy chứng nhận đăng ký kinh doanh phép xây dựng nhà ở đất đai hộ tịch khai sinh",
        "tử kết hôn bản sao xác nhận thông tin cư trú tạm trú thường trú hộ chiếu phổ thông lái xe",
        "cơ giới tàu cá hành nghề y dược trợ cấp xã hội người có công bảo hiểm thất nghiệp thuế",
        "miễn giảm hải quan môi trường tài nguyên nước khoáng sản lao động nước ngoài thay đổi",
        "bổ sung gia hạn chuyển nhượng",
    )
    for word in line.split()
]
QUERIES = ("giay khai sinh", "cấp lại giấy phép lái xe", "dang ky", "c", "không có gì", "")


def publications() -> list[ProcedurePublished]:
    """Demo procedures under codes in a row, with names of eight to thirty words."""
    chance = random.Random(1)  # noqa: S311 -- demo names.
    return [
        ProcedurePublished(
            code=f"1.{number:06}",
            terms=TERMS.model_copy(
                update={
                    "name": " ".join(chance.choices(WORDS, k=chance.randint(8, 30))).capitalize(),
                    "field": f"F{chance.randrange(200):03}",
                }
            ),
            at=AT,
        )
        for number in range(PROCEDURES)
    ]


class Bench:
    """The views on moto, and what was asked of them."""

    def __init__(self, axis: Axis) -> None:
        self.views = axis.views
        self.calls: Counter[str] = Counter()
        axis.listen("before-call", lambda model, **_: self.calls.update([model.name]))
        self._positions = count(1)
        self._rows: dict[tuple[str, str], object] = {}

    def happen(self, *events: ProcedurePublished) -> dict[str, int]:
        """What the projector would write, each row once; the bytes of each row."""
        touched = {}
        for module in (which_procedures_are_there, what_changed_in_the_catalogue):
            for event in events:
                for key in module.keys(event):
                    place = module.answer.name, key
                    self._rows[place] = module.evolve(self._rows.get(place), event)
                    touched[place] = module.answer, self._rows[place]
        for (name, key), (projection, row) in touched.items():
            made = next(self._positions), "procedure-x@1", AT
            self.views.save(projection, f"{name}~1", key, row, made)
        return {
            f"{name}#{key}": len(row.model_dump_json().encode()) + 150  # Its other attributes.
            for (name, key), (_, row) in touched.items()
        }


def units(sizes: dict[str, int], unit: int) -> int:
    """DynamoDB's units for these rows."""
    return sum(-(-size // unit) for size in sizes.values())


def main() -> None:
    """Measure and print."""
    published = publications()
    with moto_rack() as rack:
        bench = Bench(Axis(rack))
        sizes = bench.happen(*published)
        largest = max(sizes.values())
        print(
            f"{PROCEDURES:,} procedures: {len(sizes)} rows, {sum(sizes.values()) / 1e6:.1f} MB, "
            f"the largest {largest / 1e3:.0f} kB of 400"
        )
        ticks = count(0, FRESH_S)
        catalogue = Catalogue(bench.views, lambda: next(ticks))
        for what in ("a process starts", "nothing has changed", "one procedure has changed"):
            if what.startswith("one"):
                changed = bench.happen(published[0])
                print(f"one change is written: {units(changed, WRITTEN)} write units")
            bench.calls.clear()
            began = perf_counter()
            known = sum(1 for _ in catalogue.on(TODAY))
            print(
                f"{what}: {known:,} known after {1e3 * (perf_counter() - began):,.0f} ms "
                f"(moto), calls {dict(bench.calls)}"
            )
        print(f"all of it is {units(sizes, READ):,} read units, one part {units(changed, READ)}")
        everything = list(catalogue.on(TODAY))
        for query in QUERIES:
            times = []
            for _ in range(ROUNDS):
                began = process_time()
                wanted = sought(query)
                ranked = ((p, one) for one in everything if (p := rank(one, wanted)))
                nsmallest(51, ranked)
                times.append(1e3 * (process_time() - began))
            found = sum(1 for one in everything if rank(one, sought(query)))
            print(f"{query!r:28} {found:6,} found, {median(times):5.1f} ms")


if __name__ == "__main__":
    main()
