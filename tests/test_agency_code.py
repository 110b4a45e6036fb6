import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.agency_code import AgencyCodeInvalid, canonical, parse

OLD = r"\A[0-9A-Z]{2,3}\.[0-9A-Z]{2}\.[0-9A-Z]{2}\.[A-Z][0-9]{2}\Z"
SHORT_OLD = r"\A[0-9A-Z]{2,3}(\.[0-9A-Z]{2})?\.[A-Z][0-9]{2}\Z"
NEW = r"\A[A-Z][0-9]{2}(\.[0-9A-Z]{2,3}){0,4}\Z"
CODES = st.from_regex(OLD) | st.from_regex(SHORT_OLD) | st.from_regex(NEW)


@pytest.mark.parametrize(
    ("text", "new", "old"),
    [
        ("000.00.00.G22", "G22", "000.00.00.G22"),
        ("00.00.00.G22", "G22", "00.00.00.G22"),
        ("000.00.32.H19", "H19.32", "000.00.32.H19"),
        ("000.A0.01.H26", "H26.01.A0", "000.A0.01.H26"),
        ("000.01.00.G22", "G22.00.01", "000.01.00.G22"),
        ("28.22.H17", "H17.22.28", "28.22.H17"),
        ("38.98.H29", "H29.98.38", "38.98.H29"),
        ("G22", "G22", "000.00.00.G22"),
        ("G12.18", "G12.18", "000.00.18.G12"),
        ("G22.01.02", "G22.01.02", "000.02.01.G22"),
        ("G22.00", "G22", "000.00.00.G22"),
        ("H37.DN.01.002", "H37.DN.01.002", "002.01.DN.H37"),
        ("H37.DN.001", "H37.DN.001", None),
        ("G22.01.02.03.04", "G22.01.02.03.04", None),
    ],
)
def test_both_forms(text, new, old):
    code = parse(text)
    assert (code.text, code.canonical, code.to_old()) == (text, new, old)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "22",
        "g22",
        "G2",
        "G222",
        "000.00.00.g22",
        "000.00.00",
        "0000.00.00.G22",
        "000.000.00.G22",
        "000.00.00.00.G22",
        "G22.",
        ".G22",
        "G22..01",
        "G22.1",
        "G22.0001",
        " G22",
        "G22\n",
        "\uff2722",
        "G٢٢",
        "G22" + ".01" * 8,
        "VN:GOV:000.00.00.G22:vpcp",
    ],
)
def test_what_is_no_code(text):
    with pytest.raises(AgencyCodeInvalid):
        parse(text)


@given(CODES)
def test_nothing_of_the_text_is_lost(text):
    code = parse(text)
    assert code.text == text
    if code.form == "old":
        assert code.to_old() == text


@given(CODES)
def test_the_canonical_code_is_the_code_of_itself(text):
    assert canonical(canonical(text)) == canonical(text)


@given(st.from_regex(OLD))
def test_a_full_old_code_comes_back_from_the_new_one_and_its_width(text):
    code = parse(text)
    # One that begins like a top level is read as new; see `parse`.
    assume(code.form == "old")
    assert parse(code.canonical).to_old(width=len(text.split(".")[0])) == text


@given(CODES)
def test_to_old_names_the_same_agency(text):
    code = parse(text)
    old = code.to_old()
    # What begins like a top level cannot be told from the new form.
    assume(old is not None and parse(old).form == "old")
    assert canonical(old) == code.canonical


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        code = parse(text)
    except AgencyCodeInvalid:
        return
    assert code.text == text
