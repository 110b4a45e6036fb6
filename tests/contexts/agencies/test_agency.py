from base64 import b64encode
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from specification import Given

from chalicelib.contexts.agencies.domain.agency import (
    MAX_SYSTEMS,
    AgencyAlreadyRegistered,
    AgencyNotRegistered,
    RegisterAgency,
    RegisterSystem,
    SecretMissing,
    TooManySystems,
    agency,
    decide,
)
from chalicelib.contexts.agencies.domain.events import AgencyRegistered, AgencySystemRegistered
from chalicelib.kernel import Origin, Refused
from chalicelib.privacy.personal import Personal

# Demo data: no agency is called so.
ORIGIN = Origin(
    command_id="c1",
    digest="d1",
    actor="administrator:1",
    method="jwt",
    at=datetime(2026, 1, 2, tzinfo=UTC),
)
KEY = b64encode(bytes(32)).decode()
OTHER_KEY = b64encode(b"\1" * 32).decode()


def enter(**fields):
    wish = {"code": "000.00.00.Z01", "name": "Demo agency one", "source": "demo data"}
    return RegisterAgency(origin=ORIGIN, **(wish | fields))


def connect(**fields):
    wish = {"code": "Z01", "system": "egov", "endpoint": "https://one.example/in"}
    return RegisterSystem(origin=ORIGIN, **(wish | fields))


def secret(value):
    return Personal[str](subject="system:Z01:egov", value=value)


SEALED = Personal[str](subject="system:Z01:egov", sealed="c2VhbGVk", where="agency-Z01@2")

entered = AgencyRegistered(
    code="Z01", given="000.00.00.Z01", name="Demo agency one", source="demo data"
)
connected = AgencySystemRegistered(
    code="Z01",
    system="egov",
    kind="documents",
    endpoint="https://one.example/in",
    profile="cloudevents",
)
moved = connected.model_copy(update={"endpoint": "https://two.example/in"})
with_secret = connected.model_copy(
    update={"signature": "v1", "secret": SEALED, "secret_print": "print-1"}
)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], enter(), [entered], id="an agency enters the register"),
        pytest.param([entered], enter(), [], id="entering twice changes nothing"),
        pytest.param([entered], enter(code="Z01"), [], id="nor does the other form of its code"),
        pytest.param(
            [entered],
            enter(name="Demo agency two"),
            AgencyAlreadyRegistered,
            id="nobody else takes its code",
        ),
        pytest.param(
            [entered],
            enter(valid_to=date(2026, 1, 1)),
            AgencyAlreadyRegistered,
            id="nor is its validity changed by entering it again",
        ),
        pytest.param(
            [],
            enter(code="Z01.05", parent="000.00.00.Z01", valid_from=date(2025, 7, 1)),
            [
                entered.model_copy(
                    update={
                        "code": "Z01.05",
                        "given": "Z01.05",
                        "parent": "Z01",
                        "valid_from": date(2025, 7, 1),
                    }
                )
            ],
            id="a parent is named canonically",
        ),
    ],
)
def test_entering(given, when, then):
    Given(agency, *given).when(when).then(then)


FULL = [connected.model_copy(update={"system": f"system-{n}"}) for n in range(MAX_SYSTEMS)]


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([entered], connect(), [connected], id="a system is connected"),
        pytest.param([entered, connected], connect(), [], id="connecting it twice changes nothing"),
        pytest.param(
            [entered, connected],
            connect(endpoint="https://two.example/in"),
            [moved],
            id="its endpoint moves",
        ),
        pytest.param([entered, connected, moved], connect(), [connected], id="and moves back"),
        pytest.param(
            [entered, connected],
            connect(code="000.00.00.Z01", system="archive", kind="archive"),
            [connected.model_copy(update={"system": "archive", "kind": "archive"})],
            id="a second system stands beside it",
        ),
        pytest.param(
            [entered, connected],
            connect(public_keys=[f"whpk_{KEY}", OTHER_KEY]),
            [connected.model_copy(update={"public_keys": (KEY, OTHER_KEY)})],
            id="keys are replaced together",
        ),
        pytest.param(
            [entered, with_secret],
            connect(signature="v1", secret=secret("the same"), secret_print="print-1"),
            [],
            id="the same secret again changes nothing",
        ),
        pytest.param(
            [entered, with_secret],
            connect(signature="v1", secret=secret("another"), secret_print="print-2"),
            [
                with_secret.model_copy(
                    update={"secret": secret("another"), "secret_print": "print-2"}
                )
            ],
            id="a new secret takes its place",
        ),
        pytest.param([entered, with_secret], connect(), [connected], id="a secret is withdrawn"),
        pytest.param([], connect(), AgencyNotRegistered, id="a system of nobody"),
        pytest.param(
            [entered], connect(signature="v1"), SecretMissing, id="HMAC without a secret for it"
        ),
        pytest.param([entered, *FULL], connect(), TooManySystems, id="one system too many"),
        pytest.param(
            [entered, *FULL],
            connect(system="system-0", endpoint="https://two.example/in"),
            [moved.model_copy(update={"system": "system-0"})],
            id="but each of those there may change",
        ),
    ],
)
def test_connecting(given, when, then):
    Given(agency, *given).when(when).then(then)


@pytest.mark.parametrize(
    "url",
    [
        "https://one.example/in?x=1",
        "https://one.example:8443/in",
        "http://127.0.0.1:9000/in",
        "http://localhost:9000/in",
        "http://[::1]:9000/in",
    ],
)
def test_endpoints(url):
    assert connect(endpoint=url).endpoint == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "one.example/in",
        "http://one.example/in",
        "http://10.0.0.1/in",
        "http://127.0.0.1.one.example/in",
        "ftp://one.example/in",
        "file:///etc/passwd",
        "https:///in",
        "https://user:pass@one.example/in",
        "https://one.example/in#part",
        "https://one.example:0/in",
        "https://one.example:99999/in",
        "https://một.example/in",
        "https://[::1/in",
        "https://one.example/" + "x" * 2_000,
        "https://one.example/a b",
        "https://one.example/a\nb",
        "https://one.example\\.two.example/in",
    ],
)
def test_what_is_no_endpoint(url):
    with pytest.raises(ValidationError):
        connect(endpoint=url)


@pytest.mark.parametrize(
    "fields",
    [
        {"public_keys": ["short"]},
        {"public_keys": [b64encode(bytes(31)).decode()]},
        {"public_keys": ["%" * 44]},
        {"public_keys": [KEY] * 5},
        {"system": "Egov"},
        {"system": "-"},
        {"system": ""},
        {"profile": "fax"},
        {"signature": "v2"},
    ],
)
def test_systems_that_do_not_fit(fields):
    with pytest.raises(ValidationError):
        connect(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " "},
        {"source": ""},
        {"name": "x" * 301},
        {"valid_from": date(2026, 1, 2), "valid_to": date(2026, 1, 1)},
    ],
)
def test_entries_that_do_not_fit(fields):
    with pytest.raises(ValidationError):
        enter(**fields)


WISHES = st.one_of(
    st.builds(
        enter,
        code=st.sampled_from(["Z01", "000.00.00.Z01"]),
        name=st.sampled_from(["Demo agency one", "Demo agency two"]),
    ),
    st.builds(
        connect,
        system=st.sampled_from([f"system-{n}" for n in range(MAX_SYSTEMS + 2)]),
        endpoint=st.sampled_from(["https://one.example/in", "https://two.example/in"]),
        kind=st.sampled_from(["documents", "archive"]),
        signature=st.sampled_from(["v1a", "v1"]),
        secret=st.sampled_from([None, secret("s")]),
        secret_print=st.sampled_from(["print-1", "print-2"]),
    ),
)


class AgencyLife(RuleBasedStateMachine):
    """Whatever is asked in whatever order: one entry, known systems only, repetition is silence."""

    def __init__(self):
        super().__init__()
        self.events = []

    @rule(command=WISHES)
    def obey(self, command):
        with suppress(Refused):
            self.events += decide(command, agency.fold(self.events))
            assert decide(command, agency.fold(self.events)) == []

    @invariant()
    def one_entry_and_it_comes_first(self):
        kinds = [event.type for event in self.events]
        assert kinds.count("agency.registered") == (1 if kinds else 0)
        assert kinds[:1] in ([], ["agency.registered"])

    @invariant()
    def no_more_systems_than_allowed_and_hmac_only_with_a_secret(self):
        systems = agency.fold(self.events).systems
        assert len(systems) <= MAX_SYSTEMS
        assert all(s.signature == "v1a" or s.secret for s in systems.values())


TestAgencyLife = AgencyLife.TestCase
