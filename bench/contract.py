"""Does the deployed system keep its contract, whoever asks for whatever, in whatever order?

Asks the local stack, for as long as it is given (`--minutes`), what the document of the interface
allows to ask: in sequences, where what has been made is read, changed and ended as the document's
links lead; and each operation as each kind of caller that may. Prints what was asked and answered.
Fails on an answer that the document does not promise and on every error of ours.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, get_args

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from infra import openapi
from infra.agency import DemoAgency
from infra.api import Api, Json
from infra.issuer import LocalIssuer, Role
from infra.payment_sandbox import CODE, PaymentSandbox
from infra.stack import LocalStack, stop_on_signals

SEED = 20_260_101
REFUSED = 400
"""From which status on nothing was granted."""
SEQUENCES, STEPS = 20, 12
"""How many sequences there are in a round, and of how many requests."""
CODES = ("Z10", "Z11", "Z12")
OTHERS = {"provider-unavailable"}
"""Errors of the server that are somebody else's."""
OF_AN_AGENCY = ("officer", "system")
LINES = [{"code": "P1", "name": "Demo fee", "kind": "fee", "amount": 70_000}]
TERMS: Json = {
    "name": "Demo procedure",
    "field": "DEMO",
    "field_name": "Demo field",
    "level": "full",
    "limit": {"amount": 5, "unit": "days"},
    "components": [{"code": "KQ000001", "name": "Demo form", "kinds": ["copy"]}],
    "steps": [
        {"code": "receive", "name": "Demo intake", "unit": "desk", "share": 20},
        {"code": "examine", "name": "Demo examination", "unit": "specialist", "share": 80},
    ],
    "decision": "01/QĐ-DEMO",
    "effective_on": "2026-01-01",
}

Proof = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class Caller(NamedTuple):
    """Somebody who may ask; `proof` adds to a request what shows who it is."""

    name: str
    proof: Proof | None = None


class World:
    """What there is before anybody asks, all of it demo data, and what callers know of it.

    Args:
        api: for what has to be there first.
        issuer: of the callers' tokens.
        agencies: three that have joined: the callers', another one, and one to try things on.
        sandbox: the provider of payments.
    """

    def __init__(
        self, api: Api, issuer: LocalIssuer, agencies: list[DemoAgency], sandbox: PaymentSandbox
    ) -> None:
        self._issuer, self._sandbox = issuer, sandbox
        self.home, self.other, self.tried = agencies
        self._numbers = count(1)
        self.procedure = f"1.{700_000 + int(self.home.code[1:].split('.')[0]):06}"
        names = {
            "agencies code": self.tried.code,
            "agencies system": "demo",
            "webhooks agency": self.home.code,
            "documents receiver": self.other.code,
            "procedures code": self.procedure,
            "procedures agency": self.home.code,
            "public code": self.procedure,
            "payments provider_code": CODE,
            "payment-providers provider_code": "tried",
            "payees agency": self.tried.code,
            "lanes agency": self.tried.code,
            "settlements provider": CODE,
            "settlements day": f"{datetime.now(UTC):%Y-%m-%d}",
        }
        self._known = {tuple(place.split()): name for place, name in names.items()}
        say = partial(api.call, role="administrator")
        say("POST", "/procedures", body={"code": self.procedure, "terms": TERMS})
        offer = f"/procedures/{self.procedure}/offers/{self.home.code}"
        say("PUT", offer, body={"effective_on": "2026-01-01"})
        say("PUT", f"/payment-providers/{CODE}", body=sandbox.registration())

    # Who asks.

    def callers(self, operation: Mapping[str, Any]) -> list[Caller]:
        """Each kind of caller that the document lets in."""
        if operation.get("x-door") == "signed":
            if operation["operationId"].startswith("take_notice"):
                return [Caller("provider", _signs(self._sandbox.signed))]
            return [Caller("agency", _signs(self.home.signed))]
        roles: list[Role] = operation.get("x-roles", [])
        return [Caller(role, self._bears(role)) for role in roles] or [Caller("anybody")]

    def log_in(self) -> None:
        """Everybody gets a token anew: what cannot be undone wants somebody who has just come."""
        self._tokens: dict[Role, str] = {
            role: self._issuer.token(
                self.subject(role), role, self.home.code if role in OF_AN_AGENCY else None
            )
            for role in get_args(Role)
        }

    def _bears(self, role: Role) -> Proof:
        def proof(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {self._tokens[role]}"
            return request

        return proof

    def subject(self, role: Role) -> str:
        """Who it is that asks in this role."""
        return f"contract-{role}"

    # What they say.

    def name(self, case: schemathesis.Case, kept: Collection[str] = ()) -> None:
        """Have a request be about what there is; what its path says under names `kept` stays."""
        for name in case.path_parameters.keys() - kept:
            if known := self._known.get((_context(case.path), name)):
                case.path_parameters[name] = known
        # A version that was made up is refused before anything else is looked at.
        case.headers.pop("If-Match", None)

    def mean(self, case: schemathesis.Case) -> None:
        """Have a request say what somebody would who means it."""
        said = self._said(case.operation.definition.raw["operationId"])
        if said is not None:
            case.body, case.media_type = said, "application/json"

    def _said(self, operation: str) -> Json | None:
        number = next(self._numbers)
        said: dict[str, Json] = {
            "register_agency": {
                "code": f"{self.tried.code}.{number}", "name": "Demo agency", "source": "Demo",
            },
            "register_system": {"endpoint": f"http://127.0.0.1:{self.tried.port}/inbox"},
            "send_document": {
                "number": str(number),
                "notation": "CV-DEMO",
                "promulgated_on": "2026-03-04",
                "subject": "Demo: asked by anybody",
                "receivers": [self.other.code],
            },
            "report_status": {"code": "13"},
            "publish_procedure": {"code": f"2.{number:06}", "terms": TERMS},
            "file_dossier": {
                "procedure": self.procedure,
                "receiver": self.home.code,
                "applicant": {"name": "Demo Applicant"},
                "components": [{"code": "KQ000001", "kind": "copy"}],
            },
            "accept_dossier": {},
            "forward_step": {"step": "receive", "to": "examine"},
            "consult_agencies": {"asked": [self.other.code], "question": "Demo: is this so?"},
            "raise_obligation": {"lines": LINES},
            "complete_dossier": {"results": [{"name": "Demo result"}]},
            "return_result": {"means": "desk"},
            "request_payment": {
                "account": self.subject("citizen"), "lines": LINES, "amount": 70_000,
            },
            "begin_transaction": {"provider": CODE, "payer": {"name": "Demo Payer"}},
            "register_provider": self._sandbox.registration(),
        }  # fmt: skip
        return said.get(operation)

    def learn(self, case: schemathesis.Case, answer: Any) -> None:
        """Remember what a thing is called that was found or made."""
        if answer.status_code >= REFUSED:
            return
        for name, value in case.path_parameters.items():
            self._learn(_context(case.path), name, value)
        said = case.operation.definition.raw["responses"].get(str(answer.status_code), {})
        for link in said.get("links", {}).values():
            for name, expression in link["parameters"].items():
                if expression.startswith("$response.body#/"):
                    value = answer.json().get(expression.removeprefix("$response.body#/"))
                    if isinstance(value, str):
                        self._learn(_context(case.path), name.removeprefix("path."), value)

    def _learn(self, context: str, name: str, value: str) -> None:
        # What was there first stays: agencies and procedures that somebody made up lead nowhere.
        if name.endswith("_id"):
            self._known[context, name] = value


def _signs(signed: Callable[[bytes], dict[str, str]]) -> Proof:
    def proof(request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        headers = signed(body.encode() if isinstance(body, str) else body)
        request.headers.update({n: v for n, v in headers.items() if n != "content-type"})
        return request

    return proof


def _context(path: str) -> str:
    return path.split("/")[1]


class Contract:
    """Asks, and holds every answer against the document."""

    def __init__(self, url: str, world: World, session: requests.Session) -> None:
        self.document: Json = json.loads(openapi.built().read_text(encoding="utf-8"))
        self.asked: Counter[tuple[str, str, int]] = Counter()
        self.failures: dict[str, str] = {}
        self.world, self._url, self._session = world, url, session
        self._kept = (
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
            checks.response_headers_conformance,
            self._code_conformance,
        )
        # Links are the document's own: what is guessed would lead to what others have made.
        settings = {
            "generation": {"with-security-parameters": False},
            "phases": {"stateful": {"inference": {"algorithms": []}}},
        }
        self.schema = schemathesis.openapi.from_dict(
            deepcopy(self.document), config=SchemathesisConfig.from_dict(settings)
        )

    def in_sequences(self, sequences: int, seed: int = SEED) -> None:
        """Ask in sequences: of an answer's links one is followed, with what the answer says."""
        contract, begun, steps, calls = self, 0, count(), count()
        self.world.log_in()

        class Sequence(self.schema.as_state_machine()):  # type: ignore[misc] -- made on the fly.
            def setup(self) -> None:
                nonlocal begun
                begun += 1

            def step(self, input: Any) -> Any:  # noqa: A002 -- its name there.
                # Every second time at random: then little is granted, but much is refused.
                if next(steps) % 2 == 0:
                    linked = {name for _, name in input.applied_parameters}
                    contract.world.name(input.case, linked)
                    contract.world.mean(input.case)
                return super().step(input)

            def call(self, case: schemathesis.Case, **_: Any) -> Any:
                callers = contract.callers(case)
                return contract.call(case, callers[next(calls) % len(callers)])

            def validate_response(self, response: Any, case: schemathesis.Case, **_: Any) -> None:
                contract.check(case, response)

        while begun < sequences:
            # The system remembers what was asked before; hypothesis stops when two sequences that
            # began alike do not go on alike. Then it begins anew.
            with suppress(Flaky):
                few = _few(sequences - begun, stateful_step_count=STEPS)
                hypothesis.seed(seed + begun)(Sequence).run(settings=few)

    def by_everybody(self, seed: int = SEED) -> None:
        """Ask each operation once as each kind of caller that may."""
        self.world.log_in()
        for result in self.schema.get_all_operations():
            operation = result.ok()
            callers = self.world.callers(operation.definition.raw)
            for caller, case in zip(callers, _cases(operation, len(callers), seed), strict=True):
                self.world.name(case)
                self.check(case, self.call(case, caller))

    def callers(self, case: schemathesis.Case) -> list[Caller]:
        """Who may ask this."""
        return self.world.callers(case.operation.definition.raw)

    def call(self, case: schemathesis.Case, caller: Caller) -> Any:
        """Ask as somebody."""
        answer = case.call(self._url, self._session, auth=caller.proof)
        self.asked[case.operation.label, caller.name, answer.status_code] += 1
        return answer

    def check(self, case: schemathesis.Case, answer: Any) -> None:
        """Note what is wrong with an answer, and what it teaches."""
        try:
            case.validate_response(answer, checks=list(self._kept))
        except FailureGroup as failure:
            what = ", ".join(sorted(type(one).__name__ for one in failure.exceptions))
            where = f"{case.operation.label} {answer.status_code}: {what}"
            self.failures.setdefault(where, str(failure))
        self.world.learn(case, answer)

    def granted(self) -> set[str]:
        """The operations that somebody was granted."""
        return {label for label, _, status in self.asked if status < REFUSED}

    def summary(self) -> str:
        """How much was asked, and how it was answered."""
        operations = {label for label, _, _ in self.asked}
        pairs = {(label, name) for label, name, _ in self.asked}
        statuses: Counter[int] = Counter()
        for (_, _, status), times in self.asked.items():
            statuses[status] += times
        return (
            f"{self.asked.total()} requests, {len(operations)} operations, {len(pairs)} with each "
            f"kind of caller, {len(self.granted())} granted; {len(self.failures)} failures; "
            + " ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))
        )

    def _code_conformance(self, _: Any, answer: Any, case: schemathesis.Case) -> None:
        """A refusal has one of the codes that the document names there, and none is our fault."""
        answers = self.document["paths"][case.path][case.method.lower()]["responses"]
        promised = openapi.resolved(self.document, answers.get(str(answer.status_code), {}))
        [kind] = answer.headers.get("content-type", [""])
        if not kind.startswith(openapi.PROBLEM):
            assert answer.status_code < 500, answer.text  # noqa: PLR2004 -- ours to blame.
            return
        code = answer.json()["code"]
        assert code in promised.get("x-codes", ()), f"{code} is not documented"
        assert answer.status_code < 500 or code in OTHERS, f"{code}: {answer.text}"  # noqa: PLR2004


def _few(examples: int, **more: Any) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        derandomize=False,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        **more,
    )


def _cases(operation: Any, number: int, seed: int) -> list[schemathesis.Case]:
    """So many requests of an operation, as different as it allows.

    They are made before they are sent: hypothesis would send what it tries and does not like.
    """
    found: list[schemathesis.Case] = []

    @hypothesis.seed(seed)
    @_few(number + 1)
    @hypothesis.given(case=operation.as_strategy())
    def collect(case: schemathesis.Case) -> None:
        found.append(case)

    collect()
    # The first is the simplest there is, which says little: it is used if there is no other.
    return [found[-1 - n % len(found)] for n in range(number)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    stop_on_signals()
    with ExitStack() as running:
        folder = Path(running.enter_context(TemporaryDirectory()))
        issuer = running.enter_context(LocalIssuer(folder))
        stack = running.enter_context(LocalStack())
        stack.deploy(Issuer=issuer.url)

        def token(role: Role, agency: str | None) -> str:
            return issuer.token(f"demo-{role}-{agency}", role, agency)

        api = Api(stack.api_url, token)
        agencies = [running.enter_context(DemoAgency(c, f"Demo agency {c}")) for c in CODES]
        for agency in agencies:
            agency.join(api)
        sandbox = running.enter_context(PaymentSandbox())
        session = running.enter_context(requests.Session())
        contract = Contract(api.url, World(api, issuer, agencies, sandbox), session)
        until, seed = time.monotonic() + options.minutes * 60, options.seed
        while time.monotonic() < until:
            contract.in_sequences(SEQUENCES, seed)
            contract.by_everybody(seed)
            seed += 1
            print(contract.summary(), flush=True)
    for where, failure in contract.failures.items():
        print(f"\n{where}\n{failure}")
    sys.exit(bool(contract.failures))


if __name__ == "__main__":
    main()
