"""Amounts of money on paper: in figures and in words, as receipts in Vietnamese say them."""

from collections.abc import Iterator

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_BILLION = 10**9


def in_figures(dong: int) -> str:
    """An amount in đồng with its thousands set apart by points."""
    return f"{dong:,} đồng".replace(",", ".")


def in_words(dong: int) -> str:
    """An amount in đồng (0 or more), every place read out, as amounts in words are written.

    Rule: 1.005 is "một nghìn không trăm linh năm": a lower group of three keeps its hundreds, so
    that nothing can be written in between. Libraries leave them out or do not know tỷ of tỷ.
    """
    said = " ".join(_read(dong, behind=False)) or _DIGITS[0]
    return f"{said} đồng".capitalize()


def _read(number: int, *, behind: bool) -> Iterator[str]:
    """The words of a number; `behind` says that it stands behind a higher one."""
    if number >= _BILLION:
        yield from _read(number // _BILLION, behind=behind)
        yield "tỷ"
        behind, number = True, number % _BILLION
    for size, name in ((1_000_000, "triệu"), (1_000, "nghìn"), (1, "")):
        if group := number // size % 1_000:
            yield from _group(group, behind=behind)
            if name:
                yield name
            behind = True


def _group(group: int, *, behind: bool) -> Iterator[str]:
    hundreds, tens, ones = group // 100, group // 10 % 10, group % 10
    if hundreds or behind:
        yield from (_DIGITS[hundreds], "trăm")
        if ones and not tens:
            yield "linh"
    if tens == 1:
        yield "mười"
    elif tens:
        yield from (_DIGITS[tens], "mươi")
    if ones:
        special = {5: "lăm"} if tens else {}
        if tens > 1:
            special |= {1: "mốt", 4: "tư"}
        yield special.get(ones, _DIGITS[ones])
