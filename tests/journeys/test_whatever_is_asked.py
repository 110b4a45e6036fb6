"""Whatever is asked of the deployed system, and whoever asks, the document has promised the answer.

A bounded run of `bench/contract.py`. It comes last: what it asks for at random is done, to agencies
of its own.
"""

import pytest
import requests

from bench.contract import Contract, World
from infra.payment_sandbox import PaymentSandbox

SEQUENCES = 8


@pytest.fixture(scope="module")
def contract(journey):
    with PaymentSandbox() as sandbox, requests.Session() as session:
        agencies = [journey.join() for _ in range(3)]
        world = World(journey.api, journey.issuer, agencies, sandbox)
        yield Contract(journey.api.url, world, session)


def test_in_sequences_that_follow_the_links(contract):
    contract.in_sequences(SEQUENCES)
    assert not contract.failures, "\n".join(contract.failures.values())
    # Things were made, and then something was done with them.
    assert any("_id}" in label for label in contract.granted()), contract.summary()


def test_each_operation_by_each_kind_of_caller(contract):
    contract.by_everybody()
    assert not contract.failures, "\n".join(contract.failures.values())
    asked = {(label, caller) for label, caller, _ in contract.asked}
    for path, operations in contract.document["paths"].items():
        for method, operation in operations.items():
            label = f"{method.upper()} {path}"
            callers = {caller for of, caller in asked if of == label}
            assert callers == set(operation.get("x-roles", callers)), label
            assert callers, label
