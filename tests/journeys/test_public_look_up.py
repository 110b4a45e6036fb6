"""From a spreadsheet to a citizen's browser: a catalogue is imported and looked up."""

from hashlib import sha256
from urllib.parse import quote

import pytest
import urllib3
from journeys.journey import until

from infra.api import Problem

# Demo data: these procedures are made up here.
HEADER = "code,name,field,field_name,level,limit,decision,effective_on,components\n"
ROW = '1.{:06},{} {},DEMO-{},Lĩnh vực thử nghiệm,full,5 days,01/QĐ-DEMO,2026-01-01,"A|Đơn|copy"\n'
COUNT = 120


@pytest.fixture(scope="module")
def imported(journey):
    """An import of many procedures and one bad row, done; its name is in their field."""
    name = sha256(journey.api.url.encode()).hexdigest()[:8]
    lines = [ROW.format(500_000 + n, "Cấp giấy thử nghiệm số", n, name) for n in range(COUNT)]
    data = (HEADER + "".join(lines) + "not a procedure\n").encode("utf-8-sig")
    digest = sha256(data).hexdigest()
    said = {"media_type": "text/csv", "size": len(data), "sha256": digest}
    api = journey.api
    path = "/procedures/imports"
    link = api.call("POST", f"{path}/uploads", role="administrator", body=said).body
    put = urllib3.request("PUT", link["url"], body=data, headers=link["headers"])
    assert put.status == 200
    answer = api.call("POST", path, role="administrator", body={"upload": digest})
    assert answer.status == 202

    def finished():
        found = api.get(answer.location, role="administrator")
        return found if found["status"] == "finished" else None

    report = until("the import", finished)
    refused = api.get(f"{answer.location}/refusals", role="administrator")["items"]
    return name, report, refused


def test_a_catalogue_is_imported_row_by_row(imported):
    _, report, refused = imported
    counts = [report[name] for name in ("rows", "done", "entered", "refused")]
    assert counts == [COUNT + 1, COUNT + 1, COUNT, 1]
    assert [(one["row"], one["line"]) for one in refused] == [(COUNT + 1, COUNT + 2)]


def test_a_browser_finds_a_procedure_without_marks_and_keeps_it(journey, imported):
    name, _, _ = imported
    url = f"{journey.api.url}/public/procedures"
    asked = f"{url}?field=DEMO-{name}&q={quote('giay thu nghiem so 7')}"

    def found():
        answer = urllib3.request("GET", asked, headers={"origin": "https://portal.example"})
        return answer if len(answer.json()["items"]) == 11 else None

    answer = until("the look-up", found)
    # 7 itself, then the longer names that it begins: 70 to 79.
    names = [item["name"] for item in answer.json()["items"]]
    assert names[0] == "Cấp giấy thử nghiệm số 7"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"].startswith("public, max-age=60")
    tag = answer.headers["etag"]
    again = urllib3.request("GET", asked, headers={"if-none-match": tag})
    assert (again.status, again.data) == (304, b"")
    one = urllib3.request("GET", f"{url}/1.500007").json()
    assert (one["status"], one["components"][0]["name"]) == ("in_force", "Đơn")


def test_a_browser_may_ask_from_any_page(journey):
    preflight = urllib3.request(
        "OPTIONS",
        f"{journey.api.url}/public/procedures",
        headers={
            "origin": "https://portal.example",
            "access-control-request-method": "GET",
            "access-control-request-headers": "x-correlation-id",
        },
    )
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "GET" in preflight.headers["access-control-allow-methods"]
    assert "X-Correlation-Id" in preflight.headers["access-control-allow-headers"]


def test_a_page_reads_also_what_the_gateway_refuses(journey):
    answer = urllib3.request("GET", f"{journey.api.url}/public/nothing")
    assert (answer.status, answer.json()["code"]) == (404, "route-not-found")
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_table_in_another_encoding_is_refused_with_the_place(journey):
    data = (HEADER + ROW.format(1, "Cấp", 1, "x")).encode("utf-16")
    headers = {"content-type": "text/csv"}
    with pytest.raises(Problem) as problem:
        journey.api.call(
            "POST", "/procedures/imports", role="administrator", body=data, headers=headers
        )
    body = problem.value.body
    assert (problem.value.status, body["code"]) == (422, "table-unreadable")
    assert body["detail"] == "byte 0 is not UTF-8"
