from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from specification import Given

from chalicelib.contexts.payments.domain.events import (
    Checksum,
    ProviderChanged,
    ProviderRegistered,
    ProviderResumed,
    ProviderSuspended,
    ProviderTerms,
)
from chalicelib.contexts.payments.domain.provider import (
    ProviderUnknown,
    RegisterProvider,
    ResumeProvider,
    SuspendProvider,
    WantedTerms,
    decide,
    provider,
)
from chalicelib.contexts.payments.projections.which_providers_are_there import evolve
from chalicelib.kernel import Origin, Refused
from chalicelib.privacy.personal import Personal

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
ORIGIN = Origin(command_id="c", digest="d", actor="administrator:demo", method="jwt", at=NOW)
# Demo data: no such provider.
TERMS = {
    "name": "Demo gateway",
    "kind": "platform",
    "merchant": "DEMO01",
    "pay_url": "https://pay.example/init",
    "return_url": "https://portal.example/back",
}
SECRET = Personal[str](subject="provider:demo", value="a demo secret")


def register(print_="p1", **changes):
    terms = WantedTerms(**TERMS | changes)
    return RegisterProvider(
        origin=ORIGIN, provider="demo", terms=terms, secret=SECRET, secret_print=print_
    )


def said(kind, print_="p1", **changes):
    terms = ProviderTerms(**TERMS | changes)
    return kind(provider="demo", terms=terms, secret=SECRET, secret_print=print_, at=NOW)


suspend = SuspendProvider(origin=ORIGIN, provider="demo", reason="demo: it does not answer")
resume = ResumeProvider(origin=ORIGIN, provider="demo")
registered = said(ProviderRegistered)
SUSPENDED = ProviderSuspended(provider="demo", reason="demo: it does not answer", at=NOW)
resumed = ProviderResumed(provider="demo", at=NOW)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], register(), [registered], id="a provider is registered"),
        pytest.param([registered], register(), [], id="registering it again changes nothing"),
        pytest.param(
            [registered],
            register(minutes=30),
            [said(ProviderChanged, minutes=30)],
            id="it is reached in another way",
        ),
        pytest.param(
            [registered], register("p2"), [said(ProviderChanged, "p2")], id="its secret is another"
        ),
        pytest.param([], suspend, ProviderUnknown, id="what nobody knows is not suspended"),
        pytest.param([], resume, ProviderUnknown, id="nor resumed"),
        pytest.param([registered], suspend, [SUSPENDED], id="nobody is sent there for now"),
        pytest.param([registered, SUSPENDED], suspend, [], id="suspending twice is one"),
        pytest.param([registered, SUSPENDED], resume, [resumed], id="payers are sent again"),
        pytest.param([registered], resume, [], id="resuming what is in use changes nothing"),
        pytest.param(
            [registered, SUSPENDED],
            register(minutes=30),
            [said(ProviderChanged, minutes=30)],
            id="what is suspended can be mended",
        ),
    ],
)
def test_provider(given, when, then):
    Given(provider, *given).when(when).then(then)


def test_mending_a_suspended_provider_does_not_resume_it():
    state = provider.fold([registered, SUSPENDED, said(ProviderChanged, "p2")])
    assert (state.status, state.secret_print) == ("suspended", "p2")


FIELDS = Checksum().notice


@pytest.mark.parametrize(
    "changes",
    [
        {"pay_url": "http://pay.example/init"},
        {"pay_url": "https://demo:demo@pay.example/"},
        {"pay_url": "https://pay.example/#part"},
        {"pay_url": "https://pay.example/a b"},
        {"pay_url": "https://pay.example\n.other.example/"},
        {"pay_url": "nowhere"},
        {"pay_url": ""},
        {"return_url": "javascript:alert(1)"},
        {"query_url": "ftp://pay.example/"},
        {"refund_url": "http://10.0.0.1/"},
        {"merchant": "DEMO|01"},
        {"name": " "},
        {"minutes": 0},
        {"version": "1.0.6 "},
        {"kind": "cash"},
        *(
            {"checksum": {"notice": [field for field in FIELDS if field != left_out]}}
            for left_out in ("MaThamChieu", "SoTien", "MaLoi", "MaGiaoDich")
        ),
        {"checksum": {"answer": ["MaThamChieu", "SoTien", "MaGiaoDich"]}},
        {"checksum": {"init": ["SoTien"]}},
        {"checksum": {"query": []}},
        {"checksum": {"algorithm": "crc32"}},
    ],
)
def test_terms_that_are_not_taken(changes):
    with pytest.raises(ValidationError):
        WantedTerms(**TERMS | changes)


@pytest.mark.parametrize(
    "url", ["https://pay.example/?a=1", "http://127.0.0.1:8080/pay", "http://localhost/"]
)
def test_addresses_that_are_taken(url):
    assert WantedTerms(**TERMS | {"pay_url": url, "query_url": url}).pay_url == url


class ProviderLife(RuleBasedStateMachine):
    """Whatever the order of wishes, repetition is silence, and nothing comes before registering."""

    def __init__(self):
        super().__init__()
        self.events = []

    @rule(wish=st.sampled_from([register(), register("p2"), suspend, resume]))
    def obey(self, wish):
        with suppress(Refused):
            self.events += decide(wish, provider.fold(self.events))
            assert decide(wish, provider.fold(self.events)) == []

    @invariant()
    def begins_with_its_registration(self):
        assert [event.type for event in self.events[:1]] in ([], ["provider.registered"])
        assert "provider.registered" not in [event.type for event in self.events[1:]]


TestProviderLife = ProviderLife.TestCase


def test_who_may_be_chosen():
    row = None
    for event, suspended in (
        (registered, False),
        (SUSPENDED, True),
        (said(ProviderChanged, name="Demo gateway 2"), True),
        (resumed, False),
    ):
        row = evolve(row, event)
        assert row.suspended is suspended
    assert (row.listed, row.provider, row.name) == ("all", "demo", "Demo gateway 2")
    assert evolve(None, SUSPENDED) is None
