"""Payment providers and payees over HTTP, and the doors at which providers leave their notices."""

from typing import Any, Self

from aws_lambda_powertools import Logger
from chalice.app import Response
from pydantic import Field, SecretStr, model_validator
from pydantic_core import to_json

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.payments import providers
from chalicelib.contexts.payments.domain.events import ProviderTerms
from chalicelib.contexts.payments.domain.payee import PayeeAccounts, SetPayeeAccount, payee
from chalicelib.contexts.payments.domain.provider import (
    ProviderCommand,
    ProviderState,
    ProviderStatus,
    RegisterProvider,
    ResumeProvider,
    SuspendProvider,
    WantedTerms,
    provider,
)
from chalicelib.contexts.payments.noting import note
from chalicelib.contexts.payments.people import acts_for
from chalicelib.contexts.payments.projections import which_providers_are_there
from chalicelib.contexts.payments.projections.which_providers_are_there import PaymentProvider
from chalicelib.delivery.signatures import Unauthenticated, secret_bytes
from chalicelib.handle import fold, handle
from chalicelib.http.identity import ROLES
from chalicelib.http.paging import Page, page_of, page_request
from chalicelib.http.problems import blame
from chalicelib.http.resource import JSON, SIGNED, Answer, Receipt, Resource, accepted, ok
from chalicelib.kernel import Forbidden, Invalid, NotFound, Value
from chalicelib.privacy.personal import Personal

routes = Resource(__name__)

NOTICE_BYTES = 16 * 1024
"""No protocol's notice comes near it."""

_log = Logger(service="lien-thong")


class ProviderRequest(WantedTerms):
    """The body of `PUT /payment-providers/{provider}`.

    `secret` is kept sealed and never given out; the sandbox's is `whsec_<base64>`.
    """

    secret: SecretStr = Field(min_length=8, max_length=200)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "sandbox":
            secret_bytes(self.secret.get_secret_value())
        return self


class RegisteredProvider(ProviderTerms):
    """How a provider is reached, and whether payers are sent to it."""

    provider: str
    status: ProviderStatus


class SuspensionRequest(Value):
    """The body of `PUT /payment-providers/{provider}/suspension`."""

    reason: str


class NotYourPayee(Forbidden):
    """An administrator of one agency does not say where another one's money goes."""

    code = "not-your-payee"
    rule = "Each agency answers for its own accounts"


class PayeeUnknown(NotFound):
    """There is no such payee, or none that the caller may know of."""

    code = "payee-unknown"
    rule = "Each agency answers for its own accounts"


@routes.put("/payment-providers/{provider_code}", allow={"administrator"}, step_up=True)
def register_provider(provider_code: str) -> Answer[Receipt]:
    """Say how a payment provider is reached, all of it. 202; its notices come in from now on."""
    asked = routes.json(ProviderRequest)
    secret = asked.secret.get_secret_value()
    command = routes.build(
        RegisterProvider,
        origin=routes.origin(),
        provider=provider_code,
        terms=asked.model_dump(exclude={"secret"}),
        secret=Personal[str](subject=f"provider:{provider_code}", value=secret),
        secret_print=runtime.fingerprint(b"provider-secret\0" + secret.encode()),
    )
    return _change(command)


@routes.put("/payment-providers/{provider_code}/suspension", allow={"administrator"})
def suspend_provider(provider_code: str) -> Answer[Receipt]:
    """Send nobody to a provider for now. 202, or 404 `provider-unknown`."""
    reason = routes.json(SuspensionRequest).reason
    return _change(
        routes.build(SuspendProvider, origin=routes.origin(), provider=provider_code, reason=reason)
    )


@routes.delete("/payment-providers/{provider_code}/suspension", allow={"administrator"})
def resume_provider(provider_code: str) -> Answer[Receipt]:
    """Send payers to a provider again. 202, or 404 `provider-unknown`."""
    return _change(routes.build(ResumeProvider, origin=routes.origin(), provider=provider_code))


@routes.get("/payment-providers", allow=set(ROLES))
def list_providers() -> Answer[Page[PaymentProvider]]:
    """The providers that payers may choose from, by name. Query: `suspended=true`, paging."""
    query = routes.query()
    asked, all_ = page_request(query), query.get("suspended") == "true"
    return page_of(
        which_providers_are_there.answer,
        asked,
        by="all",
        keep=lambda row: all_ or not row["suspended"],
    )


@routes.get("/payment-providers/{provider_code}", allow={"administrator", "auditor"})
def see_provider(provider_code: str) -> Answer[RegisteredProvider]:
    """How a provider is reached, without its secret. 404 `provider-unknown`."""
    state, version = providers.known(provider_code)
    assert state.terms is not None
    assert state.status != "unknown"
    shown = RegisteredProvider(provider=provider_code, status=state.status, **dict(state.terms))
    return ok(shown, version=version)


@routes.put("/payees/{agency}/account", allow={"administrator"}, step_up=True)
def set_payee_account(agency: str) -> Answer[Receipt]:
    """Say which account the money for an agency goes to. 202, or 403 `not-your-payee`."""
    code = canonical(agency)
    if routes.caller().agency not in {None, code}:
        raise NotYourPayee
    command = routes.command(SetPayeeAccount, agency=code)
    return accepted(handle(runtime.event_store(), payee, code, command))


@routes.get("/payees/{agency}", allow={"officer", "auditor", "administrator"})
def see_payee(agency: str) -> Answer[PayeeAccounts]:
    """The accounts that the money for an agency goes to; null where nobody has said.

    An officer sees those of their agency, or of one whose place it took. 404 `payee-unknown`.
    """
    code, caller = canonical(agency), routes.caller()
    if caller.role == "officer" and not acts_for(caller, code):
        raise PayeeUnknown
    commits = runtime.event_store().load(f"payee-{code}")
    return ok(fold(payee, commits), version=len(commits))


# A GET that changes something, because VNPay's protocol is so; what it changes it changes once.
@routes.get("/payments/notices/{provider_code}", allow=SIGNED)
def take_notice_in_query(provider_code: str) -> Response:
    """An IPN in the query's parameters (VNPay). Answered in the provider's own words."""
    return _take(provider_code, b"")


@routes.post("/payments/notices/{provider_code}", allow=SIGNED)
def take_notice_in_body(provider_code: str) -> Response:
    """An IPN in a JSON body (portal platform, sandbox). Answered in the provider's own words."""
    return _take(provider_code, routes.body())


def _take(provider_code: str, body: bytes) -> Response:
    state, _ = providers.known(provider_code)
    assert state.terms is not None
    # How a provider is answered needs no secret, which may be what cannot be read just now.
    reply = providers.spoken(provider_code, state.terms, "").reply(
        _verdict(provider_code, state, body)
    )
    return Response(to_json(reply.body).decode(), {"Content-Type": JSON}, reply.status)


def _verdict(code: str, state: ProviderState, body: bytes) -> providers.Verdict:
    """What became of a notice; nothing in it is looked at before its proof."""
    query = routes.query()
    if len(body) + sum(map(len, (*query, *query.values()))) > NOTICE_BYTES:
        return "unreadable"
    headers = {name.lower(): value for name, value in routes.request.headers.items()}
    try:
        request = providers.Request(query, headers, body, runtime.now())
        return note(providers.opened(code, state).read_notice(request), code, "notice")
    except Unauthenticated:
        return "untrusted"
    except Invalid:
        return "unreadable"
    except Exception as error:  # noqa: BLE001 -- whatever it is, the provider must send it again.
        where: dict[str, Any] = {"provider": code, **blame(error)}
        _log.error("a notice was not taken", extra=where)
        return "broken"


def _change(command: ProviderCommand) -> Answer[Receipt]:
    return accepted(handle(runtime.event_store(), provider, command.provider, command))
