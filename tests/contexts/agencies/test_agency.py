from base64 import b64encode
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from specification import Given

from chalicelib.contexts.agencies.domain.agency import (
    MAX_AHEAD,
    MAX_KEYS,
    MAX_SYSTEMS,
    Agency,
    AgencyAlreadyRegistered,
    AgencyEnded,
    AgencyName,
    AgencyNotRegistered,
    AgencyParent,
    CorrectValidity,
    DissolveAgency,
    EndsBeforeItBegins,
    HierarchyLoops,
    HistoryGoesBack,
    KeyAlreadyRegistered,
    LockSystem,
    MergeAgency,
    MoveAgency,
    ParentUnknown,
    RegisterAgency,
    RegisterSystem,
    RenameAgency,
    RotateKeys,
    SecretMissing,
    SuccessionLoops,
    SuccessorDissolved,
    SuccessorUnknown,
    SystemUnknown,
    TooManyKeys,
    TooManySystems,
    UnlockSystem,
    agency,
    ancestors_of,
    decide,
    heirs_of,
)
from chalicelib.contexts.agencies.domain.events import (
    AgencyDissolved,
    AgencyMerged,
    AgencyMoved,
    AgencyRegistered,
    AgencyRenamed,
    AgencySystemKeysRotated,
    AgencySystemLocked,
    AgencySystemRegistered,
    AgencySystemUnlocked,
    AgencyValidityCorrected,
    KeyWindow,
)
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
    at=ORIGIN.at,
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
        pytest.param("", id="none: it fetches its messages"),
    ],
)
def test_endpoints(url):
    assert connect(endpoint=url).endpoint == url


@pytest.mark.parametrize(
    "url",
    [
        " ",
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


NOW = ORIGIN.at
SYSTEM = {"code": "Z01", "system": "egov"}
KEYS = [b64encode(bytes([n]) * 32).decode() for n in range(6)]
with_key = connected.model_copy(update={"public_keys": (KEYS[0],)})


def rotate(key=1, after_days=0, **fields):
    origin = ORIGIN.model_copy(update={"at": NOW + timedelta(days=after_days)})
    return RotateKeys(origin=origin, public_key=KEYS[key], **(SYSTEM | fields))


def window(key, begins=None, ends=None):
    """A key that is good from and to so many days from now."""
    begins, ends = (None if d is None else NOW + timedelta(days=d) for d in (begins, ends))
    return KeyWindow(key=KEYS[key], not_before=begins, not_after=ends)


def rotated(*keys, after_days=0):
    at = NOW + timedelta(days=after_days)
    return AgencySystemKeysRotated(keys=keys, at=at, **SYSTEM)


once = rotated(window(0, ends=7), window(1, 0))
REGISTERED = [entered, with_key]


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(REGISTERED, rotate(), [once], id="the old key is good for a week more"),
        pytest.param([*REGISTERED, once], rotate(), [], id="rotating twice changes nothing"),
        pytest.param([*REGISTERED, once], rotate(after_days=3), [], id="nor does it days later"),
        pytest.param([*REGISTERED, once], rotate(after_days=9), [], id="nor once it is alone"),
        pytest.param(
            REGISTERED,
            rotate(not_before=NOW + timedelta(days=2), overlap_days=1),
            [rotated(window(0, ends=3), window(1, 2))],
            id="from a day on, with another overlap",
        ),
        pytest.param(
            REGISTERED,
            rotate(not_before=NOW - timedelta(days=2)),
            [rotated(window(0, ends=7), window(1, -2))],
            id="the overlap is never in the past",
        ),
        pytest.param(
            [*REGISTERED, once],
            rotate(overlap_days=0),
            [rotated(window(0, ends=0), window(1, 0))],
            id="a lost key retires at once",
        ),
        pytest.param(
            [*REGISTERED, once],
            rotate(2, after_days=3),
            [rotated(window(0, ends=7), window(1, 0, 10), window(2, 3), after_days=3)],
            id="who retires earlier still does",
        ),
        pytest.param(
            [*REGISTERED, once],
            rotate(2, after_days=8),
            [rotated(window(1, 0, 15), window(2, 8), after_days=8)],
            id="what has retired is forgotten",
        ),
        pytest.param(
            [*REGISTERED, once],
            rotate(0),
            [rotated(window(1, 0, 7), window(0))],
            id="back to the old key",
        ),
        pytest.param(REGISTERED, rotate(0), [], id="the only key stays the only one"),
        pytest.param(
            [*REGISTERED, once],
            rotate(not_before=NOW + timedelta(days=1)),
            KeyAlreadyRegistered,
            id="a key has one first moment",
        ),
        pytest.param(
            [entered, connected.model_copy(update={"public_keys": tuple(KEYS[:4])})],
            rotate(4),
            TooManyKeys,
            id="one key too many",
        ),
        pytest.param([entered], rotate(), SystemUnknown, id="of a system that nobody registered"),
        pytest.param([], rotate(), AgencyNotRegistered, id="of nobody"),
    ],
)
def test_rotating_keys(given, when, then):
    Given(agency, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(
            [*REGISTERED, once],
            connect(public_keys=[KEYS[1], KEYS[0]]),
            [],
            id="the same keys: nothing to say",
        ),
        pytest.param(
            [*REGISTERED, once],
            connect(public_keys=[KEYS[0]]),
            [with_key],
            id="one of them withdrawn",
        ),
    ],
)
def test_registering_after_a_rotation(given, when, then):
    Given(agency, *given).when(when).then(then)


def test_a_key_that_stays_keeps_its_time():
    both = with_key.model_copy(
        update={"public_keys": (KEYS[0], KEYS[1]), "endpoint": "https://two.example/in"}
    )
    state = agency.fold([*REGISTERED, once, both])
    assert state.keys == {"egov": (window(0, ends=7), window(1, 0))}


@pytest.mark.parametrize(
    "fields",
    [
        {"not_before": NOW + MAX_AHEAD + timedelta(seconds=1)},
        {"not_before": datetime(2026, 1, 2)},  # noqa: DTZ001 -- of no time zone: that is the fault.
        {"overlap_days": -1},
        {"overlap_days": 91},
        {"public_key": "short"},
    ],
)
def test_rotations_that_do_not_fit(fields):
    with pytest.raises(ValidationError):
        RotateKeys(origin=ORIGIN, **({"public_key": KEYS[1]} | SYSTEM | fields))


lock = LockSystem(origin=ORIGIN, reason="demo data", **SYSTEM)
unlock = UnlockSystem(origin=ORIGIN, **SYSTEM)
locked = AgencySystemLocked(reason="demo data", at=NOW, **SYSTEM)
unlocked = AgencySystemUnlocked(at=NOW, **SYSTEM)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(REGISTERED, lock, [locked], id="a system is locked"),
        pytest.param([*REGISTERED, locked], lock, [], id="locking twice changes nothing"),
        pytest.param([*REGISTERED, locked], unlock, [unlocked], id="and unlocked"),
        pytest.param([*REGISTERED, locked, unlocked], unlock, [], id="unlocking twice: nothing"),
        pytest.param(REGISTERED, unlock, [], id="what was never locked is unlocked"),
        pytest.param([*REGISTERED, locked, unlocked], lock, [locked], id="and locked again"),
        pytest.param([*REGISTERED, locked, with_key], lock, [], id="registering does not unlock"),
        pytest.param([entered], lock, SystemUnknown, id="a system that nobody registered"),
        pytest.param([entered], unlock, SystemUnknown, id="unlocking one"),
        pytest.param([], lock, AgencyNotRegistered, id="a system of nobody"),
    ],
)
def test_locking(given, when, then):
    Given(agency, *given).when(when).then(then)


MARCH, JULY = date(2026, 3, 1), date(2026, 7, 1)
SOURCE = {"code": "Z01", "source": "demo data"}


def rename(name="Demo agency new", on=MARCH, **fields):
    return RenameAgency(origin=ORIGIN, name=name, effective_on=on, **(SOURCE | fields))


def move(parent="Z02", on=MARCH, ancestors=None, **fields):
    line = ancestors if ancestors is not None else ((parent,) if parent else ())
    wish = SOURCE | {"parent": parent, "effective_on": on, "ancestors": line}
    return MoveAgency(origin=ORIGIN, **(wish | fields))


def correct(valid_from=None, valid_to=None, **fields):
    wish = SOURCE | {"valid_from": valid_from, "valid_to": valid_to}
    return CorrectValidity(origin=ORIGIN, **(wish | fields))


def dissolve(on=JULY, **fields):
    return DissolveAgency(origin=ORIGIN, effective_on=on, **(SOURCE | fields))


def merge(successor="Z02", on=JULY, heirs=None, **fields):
    line = (successor,) if heirs is None else heirs
    wish = SOURCE | {"successor": successor, "effective_on": on, "heirs": line}
    return MergeAgency(origin=ORIGIN, **(wish | fields))


renamed = AgencyRenamed(name="Demo agency new", effective_on=MARCH, **SOURCE)
placed = AgencyMoved(parent="Z02", effective_on=MARCH, **SOURCE)
freed = AgencyMoved(parent=None, effective_on=JULY, **SOURCE)
corrected = AgencyValidityCorrected(valid_from=MARCH, valid_to=None, **SOURCE)
dissolved = AgencyDissolved(effective_on=JULY, **SOURCE)
merged = AgencyMerged(successor="Z02", effective_on=JULY, **SOURCE)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([entered], rename(), [renamed], id="an agency gets another name"),
        pytest.param([entered, renamed], rename(), [], id="renaming twice changes nothing"),
        pytest.param(
            [entered, renamed], rename(on=JULY), [], id="nor does the name it bears, of another day"
        ),
        pytest.param([entered], rename("Demo agency one"), [], id="nor the name it was entered by"),
        pytest.param(
            [entered, renamed],
            rename("Demo agency one", JULY),
            [renamed.model_copy(update={"name": "Demo agency one", "effective_on": JULY})],
            id="an old name comes back",
        ),
        pytest.param(
            [entered],
            rename("Demo agency one", name_english="One"),
            [renamed.model_copy(update={"name": "Demo agency one", "name_english": "One"})],
            id="the English name counts as well",
        ),
        pytest.param(
            [entered, renamed],
            rename("Demo agency older", date(2026, 2, 28)),
            HistoryGoesBack,
            id="names are entered in the order of their days",
        ),
        pytest.param([], rename(), AgencyNotRegistered, id="nobody is renamed"),
        pytest.param([entered, dissolved], rename(), AgencyEnded, id="what ended keeps its name"),
        pytest.param(
            [entered, renamed], enter(), [], id="the entry asked for again is still the entry"
        ),
    ],
)
def test_renaming(given, when, then):
    Given(agency, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([entered], move(), [placed], id="an agency comes under another"),
        pytest.param([entered, placed], move(), [], id="moving twice changes nothing"),
        pytest.param([entered], move(None), [], id="at the top it already stood"),
        pytest.param([entered, placed], move(None, JULY), [freed], id="it stands alone again"),
        pytest.param(
            [entered, placed],
            move("000.00.00.Z03", JULY, ["Z03"]),
            [placed.model_copy(update={"parent": "Z03", "effective_on": JULY})],
            id="it moves on",
        ),
        pytest.param([entered], move(ancestors=()), ParentUnknown, id="under nobody known"),
        pytest.param([entered], move("Z01"), HierarchyLoops, id="under itself"),
        pytest.param(
            [entered], move(ancestors=("Z02", "Z01")), HierarchyLoops, id="under a unit of its own"
        ),
        pytest.param([entered], move(parent_ended=True), AgencyEnded, id="under what has ended"),
        pytest.param(
            [entered, placed],
            move(None, date(2026, 2, 28)),
            HistoryGoesBack,
            id="places are entered in the order of their days",
        ),
        pytest.param([], move(), AgencyNotRegistered, id="nobody is moved"),
        pytest.param([entered, dissolved], move(), AgencyEnded, id="what ended stays where it was"),
    ],
)
def test_moving(given, when, then):
    Given(agency, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([entered], correct(MARCH), [corrected], id="the first day is found out"),
        pytest.param([entered, corrected], correct(MARCH), [], id="twice changes nothing"),
        pytest.param([entered], correct(), [], id="what is not known stays so"),
        pytest.param(
            [entered, corrected],
            correct(),
            [corrected.model_copy(update={"valid_from": None})],
            id="it turns out that it is not known",
        ),
        pytest.param(
            [entered, dissolved],
            correct(valid_to=date(2026, 5, 31)),
            [corrected.model_copy(update={"valid_from": None, "valid_to": date(2026, 5, 31)})],
            id="the end was on another day",
        ),
        pytest.param([entered, dissolved], correct(MARCH), AgencyEnded, id="but it has ended"),
        pytest.param([], correct(MARCH), AgencyNotRegistered, id="nobody is valid"),
    ],
)
def test_correcting_validity(given, when, then):
    Given(agency, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([entered], dissolve(), [dissolved], id="an agency ends"),
        pytest.param([entered, dissolved], dissolve(), [], id="dissolving twice changes nothing"),
        pytest.param([entered, dissolved], dissolve(MARCH), AgencyEnded, id="it ends on one day"),
        pytest.param([], dissolve(), AgencyNotRegistered, id="nobody ends"),
        pytest.param(
            [entered, corrected],
            dissolve(MARCH),
            EndsBeforeItBegins,
            id="nothing ends before its first day is over",
        ),
    ],
)
def test_dissolving(given, when, then):
    Given(agency, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([entered], merge(), [merged], id="an agency is merged into another"),
        pytest.param([entered, merged], merge(), [], id="merging twice changes nothing"),
        pytest.param(
            [entered],
            merge("000.00.00.Z02", heirs=("Z02", "Z03")),
            [merged],
            id="the successor may have one too",
        ),
        pytest.param([entered], merge("Z01"), SuccessionLoops, id="nobody succeeds itself"),
        pytest.param(
            [entered],
            merge(heirs=("Z02", "Z03", "Z01")),
            SuccessionLoops,
            id="nor those it has succeeded",
        ),
        pytest.param([entered], merge(heirs=()), SuccessorUnknown, id="into nobody known"),
        pytest.param(
            [entered], merge(heir_dissolved=True), SuccessorDissolved, id="into what was dissolved"
        ),
        pytest.param(
            [entered, corrected], merge(on=MARCH), EndsBeforeItBegins, id="on its first day"
        ),
        pytest.param([entered, merged], merge("Z03"), AgencyEnded, id="into one agency only"),
        pytest.param([entered, merged], merge(on=MARCH), AgencyEnded, id="on one day only"),
        pytest.param([entered, merged], dissolve(), AgencyEnded, id="what merged is not dissolved"),
        pytest.param([entered, dissolved], merge(), AgencyEnded, id="what is dissolved stays so"),
        pytest.param([], merge(), AgencyNotRegistered, id="nobody is merged"),
    ],
)
def test_merging(given, when, then):
    Given(agency, *given).when(when).then(then)


def test_names_and_places_are_kept_with_their_days():
    state = agency.fold([entered, renamed, placed, corrected, freed, dissolved])
    assert state.names == (
        AgencyName(name="Demo agency one", name_english="", from_on=None),
        AgencyName(name="Demo agency new", name_english="", from_on=MARCH),
    )
    assert state.parents == (
        AgencyParent(parent=None, from_on=None),
        AgencyParent(parent="Z02", from_on=MARCH),
        AgencyParent(parent=None, from_on=JULY),
    )
    assert (state.valid_from, state.valid_to, state.ended) == (
        MARCH,
        date(2026, 6, 30),
        "dissolved",
    )


@pytest.mark.parametrize(
    "wish",
    [
        lambda: correct(JULY, MARCH),
        lambda: dissolve(date.min),
        lambda: rename(" "),
        lambda: rename(source=""),
    ],
)
def test_wishes_that_do_not_fit(wish):
    with pytest.raises(ValidationError):
        wish()


def registered(code, parent=None):
    return agency.fold([entered.model_copy(update={"code": code, "parent": parent})])


@pytest.mark.parametrize(
    ("code", "line"),
    [
        pytest.param("Z01", ("Z01",), id="the top"),
        pytest.param("Z03", ("Z03", "Z02", "Z01"), id="up to the top"),
        pytest.param("Z09", (), id="nobody"),
        pytest.param("Z04", ("Z04",), id="under somebody who was never registered"),
        pytest.param("Z05", ("Z05", "Z06"), id="a ring is walked once"),
        pytest.param(None, (), id="none"),
    ],
)
def test_ancestors(code, line):
    parents = {"Z01": None, "Z02": "Z01", "Z03": "Z02", "Z04": "Z99", "Z05": "Z06", "Z06": "Z05"}
    known = {one: registered(one, parent) for one, parent in parents.items()}
    assert ancestors_of(code, lambda one: known.get(one, Agency())) == line


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("Z01", ("Z01", "Z02", "Z03")),
        ("Z03", ("Z03",)),
        ("Z04", ("Z04", "Z05")),
        ("Z09", ()),
        (None, ()),
    ],
)
def test_heirs(code, line):
    successors = {"Z01": "Z02", "Z02": "Z03", "Z04": "Z05", "Z05": "Z04"}
    known = {
        one: registered(one).model_copy(update={"successor": successors.get(one)})
        for one in ("Z01", "Z02", "Z03", "Z04", "Z05")
    }
    assert heirs_of(code, lambda one: known.get(one, Agency())) == line


DAYS = st.sampled_from([MARCH, JULY])
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
    st.builds(
        rotate,
        st.sampled_from(range(6)),
        st.integers(0, 20),
        system=st.sampled_from(["system-0", "system-1"]),
        overlap_days=st.sampled_from([0, 7]),
    ),
    st.builds(
        lambda wish, system: wish.model_copy(update={"system": system}),
        st.sampled_from([lock, unlock]),
        st.sampled_from(["system-0", "system-1"]),
    ),
    st.builds(rename, st.sampled_from(["Demo agency one", "Demo agency new"]), DAYS),
    st.builds(move, st.sampled_from([None, "Z01", "Z02"]), DAYS),
    st.builds(correct, st.none() | DAYS, st.none() | st.just(date(2026, 8, 1))),
    st.builds(dissolve, DAYS),
    st.builds(merge, st.sampled_from(["Z01", "Z02", "Z03"]), DAYS),
)


class AgencyLife(RuleBasedStateMachine):
    """Whatever is asked, in whatever order: one entry, days in order, repetition is silence."""

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

    @invariant()
    def a_rotation_leaves_one_key_that_stays(self):
        for event in self.events:
            if isinstance(event, AgencySystemKeysRotated):
                *old, new = event.keys
                assert new.not_after is None
                assert all(key.not_after for key in old)
                assert len(event.keys) <= MAX_KEYS
        state = agency.fold(self.events)
        assert state.keys.keys() == state.systems.keys() >= state.locked.keys()

    @invariant()
    def names_and_places_follow_one_another_and_the_end_is_the_last_word(self):
        state = agency.fold(self.events)
        for history in (state.names, state.parents):
            days = [one.from_on for one in history if one.from_on]
            assert days == sorted(days)
        assert state.parent != "Z01"
        ends = [e for e in self.events if isinstance(e, AgencyDissolved | AgencyMerged)]
        assert len(ends) == (1 if state.ended else 0)
        assert (state.successor is not None) == (state.ended == "merged")
        assert state.successor != "Z01"
        if state.ended:
            assert state.valid_to
        elif state.valid_from and state.valid_to:
            assert state.valid_from <= state.valid_to


TestAgencyLife = AgencyLife.TestCase
