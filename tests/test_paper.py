"""Papers: amounts are said in words that mean them, and a stamp stands on both shapes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper import lines, printed

from chalicelib.paper.amount import in_figures, in_words
from chalicelib.paper.as_html import page
from chalicelib.paper.as_pdf import pdf
from chalicelib.paper.sheet import Grid, Sheet

DIGITS = ["không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"]
ONES = dict(zip(DIGITS, range(10), strict=True)) | {"lăm": 5, "tư": 4, "mốt": 1}


def meant(words):
    """The number that words mean, read as a person reads them: from left to right."""
    billions, whole, group, digit = 0, 0, 0, None
    for word in words:
        match word:
            case "trăm":
                group, digit = digit * 100, None
            case "mươi":
                group, digit = group + digit * 10, None
            case "mười":
                group += 10
            case "linh":
                assert group % 100 == 0
            case "nghìn" | "triệu":
                size = 1_000 if word == "nghìn" else 1_000_000
                whole, group, digit = whole + (group + (digit or 0)) * size, 0, None
            case "tỷ":
                billions = (billions + whole + group + (digit or 0)) * 10**9
                whole, group, digit = 0, 0, None
            case _:
                digit = ONES[word]
    return billions + whole + group + (digit or 0)


@pytest.mark.parametrize(
    ("dong", "said"),
    [
        pytest.param(0, "Không đồng", id="nothing"),
        pytest.param(5, "Năm đồng", id="five"),
        pytest.param(15, "Mười lăm đồng", id="five after ten is lăm"),
        pytest.param(21, "Hai mươi mốt đồng", id="one after twenty is mốt"),
        pytest.param(44, "Bốn mươi tư đồng", id="four after forty is tư"),
        pytest.param(110, "Một trăm mười đồng", id="ten after a hundred"),
        pytest.param(1_005, "Một nghìn không trăm linh năm đồng", id="places that are empty"),
        pytest.param(1_015, "Một nghìn không trăm mười lăm đồng", id="hundreds are kept"),
        pytest.param(155_000, "Một trăm năm mươi lăm nghìn đồng", id="a usual fee"),
        pytest.param(2_000_000_000, "Hai tỷ đồng", id="billions"),
        pytest.param(10**15, "Một triệu tỷ đồng", id="the largest amount there is"),
    ],
)
def test_an_amount_in_words(dong, said):
    assert in_words(dong) == said


@given(st.integers(0, 10**15) | st.integers(0, 10**6))
def test_the_words_mean_the_amount(dong):
    words = in_words(dong).removesuffix(" đồng").lower().split()
    assert meant(words) == dong
    assert dong == int(in_figures(dong).removesuffix(" đồng").replace(".", ""))


def test_a_stamp_stands_on_both_shapes():
    made = Sheet(
        title="Demo",
        after="Demo",
        agency="Demo agency",
        code="Z01",
        issued_at=datetime(2026, 6, 1, tzinfo=UTC),
        tracking="Z01",
        parts=(Grid(title="Demo", head=("A",), widths=(100,), rows=(("1",),)),),
        signers=("", ""),
        stamp="ĐÃ HỦY",
    )
    assert "ĐÃ HỦY" in lines(page(made))
    assert "ĐÃHỦY" in printed(pdf(made))
    assert "ĐÃHỦY" not in printed(pdf(made.model_copy(update={"stamp": ""})))
