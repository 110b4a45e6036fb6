"""A demo tax register on this machine: it answers what it was told is owed. Nobody's real debts.

`python -m infra.tax_register` serves `DEBTS` on 127.0.0.1 until it is interrupted. A deployment
that asks it has the parameter `Payments`
`{"tax_register": {"url": "http://127.0.0.1:8022", "agency": "Z01"}}`.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

from infra.serving import Handler, Serving

PORT = 8022
MAX_BYTES = 16 * 1024
Row = dict[str, Any]

DEBTS: dict[tuple[str, str], list[Row]] = {
    ("Z01-DEMO-0001", "DEMO-000000001"): [
        {
            "MA_HS": "Z01-DEMO-0001",
            "MA_SO_THUE": "DEMO-SO-1",
            "SO_QUYET_DINH": "LTB0000001/TB-CCT",
            "NGAY_QUYET_DINH": "01/06/2026",
            "MA_CHUONG": "757",
            "MA_TMUC": "2801",
            "LOAI_TK_NSNN": "7111",
            "MA_CQUAN_THU": "DEMO",
            "SHKB": "0000",
            "SO_CON_PHAI_NOP": 1_500_000,
            "HAN_NOP": "30/06/2026",
            "SO_TO_BAN_DO": "1",
            "SO_THUA_DAT": "2",
        },
        {
            "MA_HS": "Z01-DEMO-0001",
            "MA_SO_THUE": "DEMO-SO-1",
            "SO_QUYET_DINH": "TNCN000001/TB-CCT",
            "NGAY_QUYET_DINH": "01/06/2026",
            "MA_CHUONG": "757",
            "MA_TMUC": "1006",
            "LOAI_TK_NSNN": "7111",
            "MA_CQUAN_THU": "DEMO",
            "SHKB": "0000",
            "SO_CON_PHAI_NOP": 6_000_000,
            "HAN_NOP": "30/06/2026",
        },
    ]
}
"""Demo data: what is owed, by dossier code and identity number."""


def answer(debts: Mapping[tuple[str, str], list[Row]], asked: Mapping[str, Any]) -> Row:
    """What the register says: TRAN_CODE 05011, TYPE 00110."""
    code, number = str(asked.get("MA_HS")), str(asked.get("SO_CMT"))
    said = {"TRAN_CODE": "05011", "TYPE": "00110", "MA_HS": code}
    rows = debts.get((code, number))
    if rows is None:
        return said | {"TRANGTHAI": "03"}
    total = sum(row["SO_CON_PHAI_NOP"] for row in rows)
    status = "01" if total else "02"
    return said | {"TRANGTHAI": status, "DS_SO_THUE": rows, "TONG_SO_CON_PHAI_NOP": total}


class TaxRegister(Serving):
    """Serves on 127.0.0.1 for the length of a `with` block; any free port if `port` is 0."""

    def __init__(
        self, debts: Mapping[tuple[str, str], list[Row]] | None = None, port: int = 0
    ) -> None:
        known = DEBTS if debts is None else debts

        class Desk(Handler):
            def do_POST(self) -> None:  # noqa: N802 -- `http.server` names it.
                length = min(int(self.headers["Content-Length"]), MAX_BYTES)
                said = answer(known, json.loads(self.rfile.read(length)))
                self.give(200, json.dumps(said).encode(), "application/json")

        super().__init__(Desk, port)


if __name__ == "__main__":
    with TaxRegister(port=PORT) as register:
        print(f"demo tax register: {register.url}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")
