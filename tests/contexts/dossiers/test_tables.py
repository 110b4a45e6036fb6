import pytest
from pydantic import ValidationError

from chalicelib.contexts.dossiers.domain.events import ProcedureTerms
from chalicelib.contexts.dossiers.tables import (
    MAX_BYTES,
    MAX_ROWS,
    WISHES,
    TableTooLarge,
    TableUnreadable,
    rows,
)

# Demo data, made up here.
WHOLE = """\
code,name,field,field_name,level,old_level,limit,decision,effective_on,applicants,life_events,\
components,fees,steps,results,legal_basis,forms
1.000001,Cấp giấy thử nghiệm,DEMO,Lĩnh vực thử nghiệm,full,4,5 days,01/QĐ-DEMO,2026-01-01,\
citizen|enterprise,birth,"A01|Đơn|electronic, original|required|https://forms.example/a
A02|Ảnh|copy|optional",P01|Phí thử nghiệm|fee|50000|intake,"one|Tiếp nhận|desk|40
two|Ký|head|60|Z02",Giấy thử nghiệm,01/2026/NĐ-DEMO,Mẫu đơn|https://forms.example/b
"""
TERMS = ProcedureTerms.model_validate(
    {
        "name": "Cấp giấy thử nghiệm",
        "field": "DEMO",
        "field_name": "Lĩnh vực thử nghiệm",
        "level": "full",
        "old_level": 4,
        "limit": {"amount": 5, "unit": "days"},
        "decision": "01/QĐ-DEMO",
        "effective_on": "2026-01-01",
        "applicants": ["citizen", "enterprise"],
        "life_events": ["birth"],
        "components": [
            {
                "code": "A01",
                "name": "Đơn",
                "kinds": ["electronic", "original"],
                "form": "https://forms.example/a",
            },
            {"code": "A02", "name": "Ảnh", "kinds": ["copy"], "required": False},
        ],
        "fees": [{"code": "P01", "name": "Phí thử nghiệm", "kind": "fee", "amount": 50_000}],
        "steps": [
            {"code": "one", "name": "Tiếp nhận", "unit": "desk", "share": 40},
            {"code": "two", "name": "Ký", "unit": "head", "share": 60, "agency": "Z02"},
        ],
        "results": ["Giấy thử nghiệm"],
        "legal_basis": ["01/2026/NĐ-DEMO"],
        "forms": [{"name": "Mẫu đơn", "url": "https://forms.example/b"}],
    }
)


def wish(row):
    return WISHES.validate_python(row.said)


def test_a_line_of_a_spreadsheet_is_a_whole_procedure():
    (row,) = rows(WHOLE.encode(), "csv")
    assert (row.number, row.line, row.misfit) == (1, 2, "")
    assert wish(row).action == "enter"
    assert wish(row).terms == TERMS


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["bare", "BOM"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_separators_and_marks_are_recognised(separator, mark, ending):
    lines = ["action,code,agency,effective_on,portal", "offer,1.000001,000.00.00.Z01,2026-01-01,0"]
    text = ending.join(lines).replace(",", separator)
    (row,) = rows(mark + text.encode(), "csv")
    said = wish(row)
    assert (said.agency, said.portal, said.effective_on.isoformat()) == ("Z01", False, "2026-01-01")


def test_lines_are_counted_as_an_editor_does():
    text = 'code,name\n\n1.000001,"two\nlines"\n , \n1.000002,x\n1.000003\n'
    found = rows(text.encode(), "csv")
    assert [(row.number, row.line, row.misfit) for row in found] == [
        (1, 3, ""),
        (2, 6, ""),
        (3, 7, "There are 1 cells under 2 columns"),
    ]


@pytest.mark.parametrize(
    ("data", "kind", "why"),
    [
        ("code\nĐ".encode().replace(b"\x90", b"\xff"), "csv", "byte 5 is not UTF-8"),
        (b"\xef\xbb\xbfcode\n\xff", "csv", "byte 8 is not UTF-8"),
        ("\ufeffcode\n\ufffd".encode(), "csv", "byte 8 is not UTF-8"),
        ("Đ\ufffd".encode(), "json", "byte 2 is not UTF-8"),
        ("code\n1.000001".encode("utf-16"), "csv", "byte 0 is not UTF-8"),
        (b"code,cdoe\n1.000001,x", "csv", "column 2 has no name that is known"),
        (b"code,name,code\n", "csv", "column code stands twice"),
        (b"name\nx", "csv", "there is no column code"),
        (b'code,name\n1.000001,"x\n1.000002,y', "csv", "line 2: unexpected end of data"),
        (b'code,name\n1.000001,x\n1.000002,"x"y', "csv", "line 3: ',' expected after '\"'"),
        (b"code,name\n1.000001," + b"x" * 100_001, "csv", "line 2: field larger than field limit"),
        (b"code,name\n", "csv", "there is no row"),
        (b"", "csv", "there is no row"),
        (b"[]", "json", "there is no row"),
        (b'{"procedures": []}', "json", "there is no list of rows"),
        (b"[{]", "json", "The body is not JSON as we read it"),
        (b'["\\ud800"]', "json", "The body is not JSON as we read it"),
        (b'[{"code": 1, "code": 2}]', "json", "The body is not JSON as we read it"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(data, kind, why):
    with pytest.raises(TableUnreadable) as refusal:
        rows(data, kind)
    assert why in str(refusal.value)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b" " * (MAX_BYTES + 1), "csv"),
        (b"code\n" + b"1.000001\n" * (MAX_ROWS + 1), "csv"),
        (b"[" + b"{}," * MAX_ROWS + b"{}]", "json"),
    ],
    ids=["bytes", "lines", "items"],
)
def test_what_is_too_much_is_refused(data, kind):
    with pytest.raises(TableTooLarge):
        rows(data, kind)


def test_json_rows_come_bare_or_named():
    row = b'{"action": "repeal", "code": "1.000001", "decision": "x", "effective_on": "2026-01-01"}'
    for data in (b"[" + row + b", 5]", b'\xef\xbb\xbf{"rows": [' + row + b", 5]}"):
        first, second = rows(data, "json")
        assert wish(first).action == "repeal"
        assert (second.number, second.line, second.misfit) == (2, None, "A row is an object")


@pytest.mark.parametrize(
    ("cells", "place"),
    [
        ({"components": "A01|Đơn|electronic|perhaps"}, ("components", 0, "required")),
        ({"components": "A01|Đơn|electronic|required||more"}, ("components", 0, "part 6")),
        ({"components": "A01|Đơn|paper"}, ("components", 0, "kinds", 0)),
        ({"fees": "P01|Phí|fee|50.000đ"}, ("fees", 0, "amount")),
        ({"limit": "five days"}, ("limit", "amount")),
        ({"limit": "5 weeks"}, ("limit", "unit")),
        ({"level": "3"}, ("level",)),
        ({"effective_on": "01/01/2026"}, ("effective_on",)),
    ],
)
def test_a_cell_that_does_not_fit_is_named(cells, place):
    need = {
        "code": "1.000001",
        "name": "x",
        "field": "DEMO",
        "field_name": "x",
        "level": "full",
        "limit": "5 days",
        "decision": "x",
        "effective_on": "2026-01-01",
    }
    row = need | cells
    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in (row.keys(), row.values()))
    (found,) = rows(text.encode(), "csv")
    with pytest.raises(ValidationError) as error:
        wish(found)
    assert error.value.errors()[0]["loc"] == ("enter", "terms", *place)


def test_what_does_not_belong_to_an_offer_is_refused():
    text = b"action,code,agency,effective_on,name\noffer,1.000001,Z01,2026-01-01,x"
    (row,) = rows(text, "csv")
    with pytest.raises(ValidationError, match="Extra inputs"):
        wish(row)
