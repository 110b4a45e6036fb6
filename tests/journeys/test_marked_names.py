"""Nobody is named where many can read, says the last look at all journeys: it would find who is."""

from contextlib import ExitStack
from datetime import UTC, datetime

from journeys.marks import SEED

from infra import template

NAME = f"{SEED} Applicant"
LINE = f'{{"message":"{NAME}"}}'


def sow(journey, undo):
    """Name somebody in every kind of place; `undo` takes what would be in the others' way."""
    logs, cloudwatch, sqs, dynamodb, s3 = map(
        journey.client, ("logs", "cloudwatch", "sqs", "dynamodb", "s3")
    )
    log = {"logGroupName": f"/aws/lambda/{journey.name('Project')}", "logStreamName": "demo"}
    logs.create_log_stream(**log)
    now = int(datetime.now(UTC).timestamp() * 1000)
    logs.put_log_events(**log, logEvents=[{"timestamp": now, "message": LINE}])

    dimension = {"Name": "applicant", "Value": NAME}
    metric = {"MetricName": "Demo", "Dimensions": [dimension], "Value": 1}
    cloudwatch.put_metric_data(Namespace="Demo", MetricData=[metric])

    queue = {"QueueUrl": sqs.create_queue(QueueName="demo")["QueueUrl"]}
    undo.callback(sqs.delete_queue, **queue)
    attribute = {"applicant": {"DataType": "String", "StringValue": NAME}}
    sqs.send_message(**queue, MessageBody="{}", MessageAttributes=attribute)

    table = {"TableName": journey.name("AttemptsTable")}
    key = {"message": {"S": "demo"}, "attempt": {"N": "1"}}
    # As bytes, it is sent in base64.
    dynamodb.put_item(**table, Item=key | {"data": {"B": LINE.encode()}})
    undo.callback(dynamodb.delete_item, **table, Key=key)

    for name, body in ((NAME, "demo"), ("demo", LINE)):
        file = {"Bucket": journey.name("ContentBucket"), "Key": f"demo/{name}"}
        s3.put_object(**file, Body=body.encode())
        undo.callback(s3.delete_object, **file)

    journey.http.request("GET", f"{journey.api.url}/public/procedures?q={SEED}")


def test_a_name_is_found_wherever_it_is_put(journey):
    with ExitStack() as undo:
        sow(journey, undo)
        found = journey.marks.places(journey, SEED)
    assert found.keys() == {
        "log",
        "request: Logs_20140328.PutLogEvents",
        "metric",
        "request: GraniteServiceVersion20100801.PutMetricData",
        "queue",
        "request: AmazonSQS.SendMessage",
        "table Attempts",
        "request: DynamoDB_20120810.PutItem",
        "key in Content",
        "file in Content",
        "request: address",
    }


def test_no_function_writes_traces_that_would_have_to_be_searched(journey):
    functions = journey.client("lambda")
    for name in template.FUNCTIONS:
        found = functions.get_function_configuration(FunctionName=journey.name(name))
        assert found["TracingConfig"]["Mode"] == "PassThrough"
