"""What a cold start spends importing: `app.py` against its bare third-party dependencies, same run.

The budget is a ratio of at most 1.3.
"""

import statistics
import subprocess
import sys
import time

# By name, because pydantic and others import their parts only when these are asked for.
THIRD_PARTY = """
import boto3, rfc8785, jwt, urllib3, urllib3.connectionpool
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import AuthRequest, Blueprint, Chalice, Response
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from pydantic import (AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr,
    SerializationInfo, StringConstraints, TypeAdapter, ValidationError, field_validator,
    model_serializer)
from pydantic_core import from_json, to_json
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
class Value(BaseModel):
    text: str
"""
RUNS = 9


def main() -> None:
    bare, ours = [], []
    for _ in range(RUNS):
        bare.append(milliseconds(THIRD_PARTY))
        ours.append(milliseconds("import app"))
    mine, theirs = statistics.median(ours), statistics.median(bare)
    print(f"bare dependencies {theirs:.0f} ms, app.py {mine:.0f} ms, ratio {mine / theirs:.2f}")


def milliseconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
