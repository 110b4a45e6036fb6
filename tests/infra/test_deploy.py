"""What an operator is shown before a stack changes, and what a second deployment keeps."""

import pytest

from infra import deploy


def change(action, name, kind, replacement="False"):
    return {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Replacement": replacement,
    }


@pytest.mark.parametrize(
    ("changed", "said", "warned"),
    [
        pytest.param(
            change("Modify", "EventsTable", "AWS::DynamoDB::Table", "True"),
            "(replaced)",
            True,
            id="a table that is replaced comes back empty",
        ),
        pytest.param(
            change("Modify", "MasterKey", "AWS::KMS::Key", "Conditional"),
            "(replaced)",
            True,
            id="a key that may be replaced opens nothing",
        ),
        pytest.param(
            change("Remove", "LogBucket", "AWS::S3::Bucket"),
            "Remove",
            True,
            id="a bucket that leaves the stack",
        ),
        pytest.param(
            change("Modify", "EventsTable", "AWS::DynamoDB::Table"),
            "Modify",
            False,
            id="a table that is changed in place",
        ),
        pytest.param(
            change("Modify", "Permission", "AWS::Lambda::Permission", "True"),
            "(replaced)",
            False,
            id="what holds no data may be replaced",
        ),
    ],
)
def test_a_change_that_loses_data_is_marked(changed, said, warned):
    [line] = deploy.Proposal("demo", "deploy-1", [changed]).lines()
    assert said in line
    assert ("ITS DATA DOES NOT GO WITH IT" in line) == warned


def test_a_second_deployment_keeps_what_the_first_decided_and_the_template_still_knows():
    known = [
        {"ParameterKey": "Issuer", "ParameterValue": "https://issuer.example"},
        {"ParameterKey": "Abolished", "ParameterValue": "1"},
    ]
    assert deploy._kept({"Parameters": known}) == {"Issuer": "https://issuer.example"}
    assert deploy._kept(None) == {}
