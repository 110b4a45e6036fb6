"""What a cold start spends importing: `app.py` against its bare third-party dependencies, same run.

The budget is a ratio of at most 1.3.
"""

import statistics
import subprocess
import sys
import time

THIRD_PARTY = (
    "import boto3, chalice.app, pydantic, pynamodb.models, lxml.etree, rfc8785, jwt, urllib3, "
    "aws_lambda_powertools, cryptography.hazmat.primitives.ciphers.aead, "
    "cryptography.hazmat.primitives.asymmetric.ed25519"
)
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
