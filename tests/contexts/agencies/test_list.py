from uuid import uuid4

import pytest
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import runtime
from chalicelib.contexts.agencies.projections import which_agencies_take_part

citizen = Gateway(app, caller("citizen"))


@pytest.fixture(autouse=True, scope="module")
def three_agencies():
    # Demo data: no agency is called so.
    names = {"Z02": "Two", "000.00.00.Z01": "Bộ Đo lường", "A01": "Three"}
    administrator = Gateway(app, caller("administrator"))
    with on_moto():
        for code, name in names.items():
            body = {"code": code, "name": name, "source": "demo data"}
            administrator.call("POST", "/agencies", body, {"idempotency-key": str(uuid4())})
        runtime.sequencer().sweep()
        runtime.projector().follow(which_agencies_take_part.answer)
        yield


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("", ["A01", "Z01", "Z02"]),
        ("?kind=Z", ["Z01", "Z02"]),
        ("?q=do%20luong", ["Z01"]),
        ("?q=000.00.00.Z01", ["Z01"]),
        ("?q=Z0&kind=A", []),
        ("?seen=agency-Z02@1", ["A01", "Z01", "Z02"]),
    ],
)
def test_the_list(query, codes):
    answer = citizen.call("GET", f"/agencies{query}")
    assert answer.status == 200
    assert [row["code"] for row in answer.json["items"]] == codes
    assert (answer.json["as_of"], answer.json["stale"]) == (3, False)


def test_page_after_page():
    codes, cursor = [], ""
    while cursor is not None:
        page = citizen.call("GET", f"/agencies?limit=1{cursor}").json
        assert len(page["items"]) <= 1
        codes += [row["code"] for row in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert codes == ["A01", "Z01", "Z02"]
