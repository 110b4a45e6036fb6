"""Every route of the real application, asked by somebody who wishes it ill: none ever breaks."""

import importlib
import json
import logging
import pkgutil
import re
import sys
import time
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest
from deployed import on_moto
from gateway import Gateway, caller

import chalicelib
from app import app
from chalicelib import registry, runtime
from chalicelib.http.resource import MAX_BODY_BYTES, Door

ROUTES = [route for resource in registry.RESOURCES for route in resource.table]
OF_AN_AGENCY = {"officer", "system"}
HUGE = b"9" * 5_000
BODIES = {
    "nothing": b"",
    "half of it": b'{"code": ',
    "no object": b'["a"]',
    "a field twice": b'{"code": "Z01", "code": "Z02"}',
    "no UTF-8": b'{"code": "\xff\xfe"}',
    "half a character": rb'{"code": "\ud800", "name": "\ud800", "reason": "\ud800"}',
    "a zero byte": rb'{"code": "a\u0000b", "name": "\u0000", "reason": "\u0000"}',
    "no number": b'{"amount": NaN}',
    "a number without end": b'{"amount": ' + HUGE + b"}",
    "more than any number": b'{"amount": 1e999, "to": 1e999, "level": -1e999}',
    "too deep": b'{"a":' * 40 + b"1" + b"}" * 40,
    "a great deal too deep": b"[" * 100_000,
    "a class of ours": b'{"__class__": "app", "origin": {"actor": "administrator:1"}}',
}
PARAMETERS = {
    "traversal": "../../../../etc/passwd",
    "traversal, encoded": "..%2f..%2fetc%2fpasswd",
    "a zero byte": "a\0b",
    "a line of a log": "a\r\nSet-Cookie: a=b",
    "long": "a" * 5_000,
    "a place of ours": "document-1#1",
    "a format": "{0.__class__}{x}",
    "Vietnamese": "Nguyễn Văn A",
    "empty": "",
    "a code of the right form": "000000000000000000000000ab",
}
QUERIES = [
    "limit=0", "limit=201", "limit=-1", "limit=1e9", "limit=%D9%A3", "limit=" + "9" * 5_000,
    "cursor=x", "cursor=%00", "cursor=eyJhIjoxfQ", "seen=x", "seen=document-1@99999999999999999999",
    "agency=%00", "month=2026-99", "from=x&until=y", "q=%00&q=" + "a" * 2_000, "day=0000-00-00",
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with on_moto():
        yield


def who(route):
    if isinstance(route.allow, Door):
        return None
    role = min(route.allow)
    return caller(role, agency="Z01" if role in OF_AN_AGENCY else "")


def fill(route, value="000000000000000000000000ab"):
    return dict.fromkeys(re.findall(r"{(\w+)}", route.path), value)


def ask(route, *, value="000000000000000000000000ab", query="", body=None, headers=(), **more):
    headers = {"idempotency-key": str(uuid4())} | dict(headers)
    path = route.path + ("?" + query if query else "")
    return Gateway(app, who(route)).call(
        route.method, path, body, headers, params=fill(route, value), **more
    )


def check(answer):
    """It did not break; what is refused is refused in the one form there is."""
    assert 200 <= answer.status < 500, answer.text
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["code"]


def named(routes):
    return [pytest.param(route, id=f"{route.method} {route.path}") for route in routes]


@pytest.mark.parametrize("route", named(r for r in ROUTES if r.method != "GET"))
def test_hostile_bodies_are_refused(route, caplog):
    for body in BODIES.values():
        check(ask(route, body=body, binary=True))
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("route", named(r for r in ROUTES if "{" in r.path))
def test_hostile_paths_lead_nowhere(route):
    for value in PARAMETERS.values():
        answer = ask(route, value=value)
        check(answer)
        assert "root:" not in answer.text
        assert "\n" not in "".join(map(str, answer.headers.values()))


# The emulator's KMS knows no Ed25519, so there is no log's key here to ask for.
@pytest.mark.parametrize(
    "route", named(r for r in ROUTES if r.method == "GET" and r.path != "/log/keys")
)
def test_hostile_questions_are_refused(route):
    for query in QUERIES:
        check(ask(route, query=query))


@pytest.mark.parametrize("route", named(r for r in ROUTES if r.method != "GET"))
def test_ten_megabytes_are_too_large_before_they_are_read(route):
    began = time.process_time()
    answer = ask(route, body=HEAVY)
    assert (answer.status, answer.json["code"]) == (413, "body-too-large")
    assert time.process_time() - began < 1


HEAVY = b'{"a": "' + b"x" * 10 * 1024 * 1024 + b'"}'
assert len(HEAVY) > 2 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "PURPOSE", "webhook-id"],
)
@pytest.mark.parametrize("apart", [False, True], ids=["one spelling", "two spellings"])
def test_a_header_that_stands_twice(name, apart):
    values = {name: ["a"], name.swapcase(): ["b"]} if apart else {name: ["a", "b"]}
    route = next(r for r in ROUTES if r.path == "/documents" and r.method == "POST")
    answer = ask(route, body=b"{}", twice=values)
    assert (answer.status, answer.json["code"]) == (400, "header-twice")
    assert answer.json["field"] == name.lower()
    assert ask(route, body=b"{}", twice={name: ["a"]}).json["code"] != "header-twice"


# A deployment's answers to who guesses.


def test_nobody_learns_by_guessing_which_codes_there_are():
    """What there is and is another's is answered as what there is not."""
    citizen = Gateway(app, caller("citizen"))
    shown = {
        citizen.call("GET", "/dossiers/{dossier_id}", params={"dossier_id": code}).text
        for code in ("000000000000000000000000ab", "000000000000000000000000zz", "nothing")
    }
    assert len(shown) == 1
    guesses = [
        {"code": "Z01-260101-0000001", "check_word": word} for word in ("aaaaaa", "bbbbbb", "")
    ]
    public = Gateway(app)
    answers = [public.call("POST", "/public/dossier-look-ups", guess) for guess in guesses]
    assert {answer.status for answer in answers} <= {404, 422}
    assert answers[0].text == answers[1].text


# Regular expressions take a time that grows with the text, not with its square or worse.

FRAGMENTS = (
    *("a", "0", " ", "é", "-", ".", "/", "<", "a ", "MẬT ", "Mật", "a-", "0/", "#a", "[", '"'),
    *("A1", "A1.", "<?xml ", "\\ud8", "Độ mật: ", "12/", "a@", "00:00", "\n", "%"),
)
LONG = 20_000
# Those that look at the ends of a text, or at its beginning, only ever see so much of it.
CUT = {
    ("secrecy", "_WHOLE"): 200,
    ("secrecy", "_SET_APART"): 200,
    ("secrecy", "_BARE_HEAD"): 200,
    ("secrecy", "_BARE_FOOT"): 200,
    ("contexts.documents.edxml.stream", "_DECLARED"): 1024,
}


def expressions():
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        found = vars(importlib.import_module(module.name)).items()
        source = Path(sys.modules[module.name].__file__).read_text()
        for name, value in found:
            if isinstance(value, re.Pattern) and f"{name} = re.compile" in source:
                short = module.name.removeprefix("chalicelib.")
                anywhere = re.search(rf"\b{name}\.(search|sub|split|findall|finditer)\b", source)
                yield pytest.param(
                    value, CUT.get((short, name), LONG), bool(anywhere), id=f"{short}.{name}"
                )


EXPRESSIONS = list(expressions())
assert len(EXPRESSIONS) > 30


@pytest.mark.parametrize(("expression", "most", "anywhere"), EXPRESSIONS)
def test_no_text_keeps_an_expression_busy(expression, most, anywhere):
    began = time.process_time()
    for fragment, end in product(FRAGMENTS, ("", "!")):
        text = (fragment * most)[: most - 1] + end
        text = text.encode() if isinstance(expression.pattern, bytes) else text
        expression.fullmatch(text)
        if anywhere:
            expression.search(text)
    assert time.process_time() - began < 1


def test_what_is_looked_for_in_a_body_is_json_and_nothing_else():
    """An event's lone half of a character, which no gateway sends, breaks nothing either."""
    route = next(r for r in ROUTES if r.path == "/documents" and r.method == "POST")
    answer = ask(route, body=json.dumps({"subject": "\ud800"}).encode())
    assert (answer.status, answer.json["code"]) == (400, "invalid-json")
    assert runtime.settings().stage == "test"
