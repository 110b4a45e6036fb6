"""Is this text marked as a state secret? Asked before anything of it is kept. Pure.

The standard has no element for secrecy, so a marking shows in an element a vendor added, as the
whole of some field, or set apart at the head or foot of the subject or the summary. The words in
running text ("bí mật nhà nước", "mật độ dân số") are no marking.

Rule: Luật Bảo vệ bí mật nhà nước 117/2025/QH15 (levels Mật, Tối mật, Tuyệt mật);
QĐ 28/2018/QĐ-TTg keeps such documents off the axis.
"""

import re
import unicodedata

_LEVEL = r"(?:TUYỆT MẬT|TỐI MẬT|MẬT|TUYET MAT|TOI MAT)"
# Some systems write without accents, and old keyboards type Ð (eth) for Đ.
_LABELLED = rf"(?:[ĐÐ]Ộ MẬT ?[:-]? ?{_LEVEL}|DO MAT ?: ?(?:TUYET |TOI )?MAT)(?!\w)"
_BRACKETED = rf"[(\[{{<«] ?(?:{_LEVEL}|{_LABELLED}) ?[)\]}}>»]"

# In brackets, after "Độ mật:" or as the whole of a field, a level counts in any letter case.
_WHOLE = re.compile(rf"\W*(?:{_LEVEL}|{_LABELLED})\W*", re.IGNORECASE)
_APART = rf"(?:{_LABELLED}|{_BRACKETED})"
_SET_APART = re.compile(rf"^\W*{_APART}|(?<!\w){_APART}\W*$", re.IGNORECASE)

# Bare, it counts in capitals only, cut off by punctuation or beside a word that is not in
# capitals: "MẬT ĐỘ DÂN SỐ" and "NUÔI ONG LẤY MẬT" are ordinary headings.
_BARE_HEAD = re.compile(rf"^\W*{_LEVEL}(?!\w)(?P<cut> ?[:.;|]| [-–—])? ?(?P<word>\w*)")  # noqa: RUF001
_BARE_FOOT = re.compile(rf"(?P<word>\w*)(?P<cut>[:.;|] ?| [-–—] ?)?,? ?(?<!\w){_LEVEL}\W*$")  # noqa: RUF001
_ENDS = 200  # Characters of a text that are its head and its foot.

_ELEMENT = re.compile(
    r"(?:security|secret|secrecy|confidentiality)(?:level|classification)?|(?:muc|cap)?domat"
)
_NOT_SECRET = re.compile(
    r"|0|false|no|none|normal|unclassified|không(?: mật)?|khong(?: mat)?|"
    r"(?:bình )?thường|(?:binh )?thuong|công khai|cong khai"
)


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFC", text).splitlines())
    return " | ".join(line for line in lines if line)


def marks_a_secret(text: str, *, prose: bool = False) -> bool:
    """Whether a field is nothing but a marking or, being `prose`, begins or ends with one."""
    text = _tidy(text)
    if len(text) < _ENDS and _WHOLE.fullmatch(text):
        return True
    if not prose:
        return False
    head, foot = text[:_ENDS], text[-_ENDS:]
    if _SET_APART.search(head) or _SET_APART.search(foot):
        return True
    bare = (_BARE_HEAD.search(head), _BARE_FOOT.search(foot))
    return any(found and (found["cut"] or not found["word"].isupper()) for found in bare)


def names_a_level(element: str, text: str) -> bool:
    """Whether a vendor's secrecy element holds anything but a known word for "not secret".

    An unknown word or number counts as secret: a false refusal is mended by a telephone call, a
    secret let out is not.
    """
    name = element.casefold().replace("-", "").replace("_", "")
    return bool(_ELEMENT.fullmatch(name)) and not _NOT_SECRET.fullmatch(_tidy(text).casefold())
