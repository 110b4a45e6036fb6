"""The whole system on one laptop: the emulator as a child process, and our stack deployed in it.

`LocalStack` is what `make run`, `make demo` and the journeys use. Several may run on one machine;
each has its own port and its own folders, and leaves nothing behind.
"""

import ctypes
import fcntl
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from infra import template
from infra.deploy import deploy
from infra.package import CHALICE_STAGE, ROOT, package
from infra.restore import mapping_request

REGION = "ap-southeast-1"
PACKAGES = "packages"  # The bucket from which CloudFormation reads what is deployed.
# Key and secret of the account's owner. No secret in truth: the emulator enforces policies, but of
# signatures it checks only those of presigned links. What keeps strangers out is 127.0.0.1.
OWNER = "owner"
RUNS = ROOT / ".local" / "runs"  # One folder per running emulator: scratch space and log.
GONE = ROOT / ".local" / "gone"  # What is being deleted.
START_SECONDS = 30
STOP_SECONDS = 20
_SIGNAL_ON_PARENT_DEATH = 1  # PR_SET_PDEATHSIG, linux/prctl.h
# What comes before the account's number in the URL of a queue.
_QUEUE_HOST = re.compile(r"http://localhost:\d+/(?=\d{12}/)")


class StackFailed(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """The local stack cannot run; the message says why in one line."""


class LocalStack:
    """The emulator with our stack in it, for the length of a `with` block.

    Args:
        port: where it listens on 127.0.0.1; any free port if None.
        state_dir: where state is kept; a folder of its own, removed at the end, if None.
        persist: keep the state for the next start. It is saved when the stack stops.
        report: told in one line what is being done.
        emulator: the Python of the virtualenv that holds the emulator.
        program: what its Python is to run and with what, for instance infra/asked.py.
    """

    def __init__(
        self,
        port: int | None = None,
        state_dir: Path | None = None,
        *,
        persist: bool = False,
        report: Callable[[str], None] = print,
        emulator: Path = ROOT / ".venv-ministack" / "bin" / "python",
        program: Sequence[str] = ("-m", "ministack"),
    ) -> None:
        self.port = port or 0
        self.report = report
        self._persist = persist
        self._emulator = emulator
        self._program = program
        self._folder: Path | None = None
        self._state_dir = state_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._outputs: dict[str, str] = {}
        self._clients: dict[str, Any] = {}
        self._locks: list[IO[str]] = []

    @property
    def endpoint(self) -> str:
        """The address of every AWS service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """The address of our API, without a slash at its end. It changes with the stack."""
        return f"{self.endpoint}/_aws/execute-api/{self._outputs['RestAPIId']}/{CHALICE_STAGE}"

    @property
    def log(self) -> Path:
        """What the emulator has said; the functions speak to its CloudWatch Logs."""
        assert self._folder
        return self._folder / "emulator.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the emulator and wait until it answers.

        Raises:
            StackFailed: the port is taken, the emulator is not installed, or it does not start.
        """
        if not self._emulator.exists():
            raise StackFailed("the emulator is not installed: run `make setup`")
        self.port = free_port(self.port)
        self._clients.clear()
        try:
            self._folder = self._own_folder()
            began = time.monotonic()
            self._launch(self._folder)
            self._await_health()
            self.report(f"emulator on {self.endpoint} after {time.monotonic() - began:.1f} s")
        except BaseException:
            self.stop()
            raise

    def deploy(self, **parameters: str) -> dict[str, str]:
        """Package and deploy our stack, or update it; answers with its outputs.

        `parameters` are those of the template, by name, for instance `Issuer`.
        """
        began = time.monotonic()
        folder = package()
        self.report(f"package {folder.name} after {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        s3 = self.client("s3")
        try:
            s3.head_bucket(Bucket=PACKAGES)
        except ClientError:
            s3.create_bucket(
                Bucket=PACKAGES, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        local = {"Stage": "local", "AllowLoopback": "1", "DeletionProtection": "off"}
        local |= {"LogLockDays": "1"} | parameters
        put = partial(deploy, self.client, folder, PACKAGES, wait_seconds=120)
        self._outputs = put(local)
        self._complete(json.loads((folder / "template.json").read_text()))
        self.report(f"stack deployed after {time.monotonic() - began:.1f} s")
        return self._outputs

    def outputs(self) -> dict[str, str]:
        """Names, addresses and ids of what the stack holds, by the names of the template."""
        return self._outputs

    def client(self, service: str) -> Any:
        """A boto3 client that may do everything, as the owner of the account."""
        if service not in self._clients:  # To make one takes longer than what it is asked for.
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=OWNER,
                aws_secret_access_key=OWNER,
                config=Config(
                    signature_version="s3v4" if service == "s3" else None,
                    s3={"addressing_style": "path"},
                    retries={"total_max_attempts": 3},
                ),
            )
        return self._clients[service]

    def renew_mappings(self) -> None:
        """Make the mappings again and ring for a sweep, after a start from saved state.

        The emulator keeps how far a reader had read, but not the stream: it would skip new
        records. What was committed unread before the stop is found by the sweep.
        """
        client = self.client("lambda")
        mappings = client.list_event_source_mappings()["EventSourceMappings"]
        for mapping in mappings:
            client.delete_event_source_mapping(UUID=mapping["UUID"])
        # A doorbell that was being answered at the stop would hold its group back until it is
        # visible again. Doorbells carry nothing, so they are thrown away and rung anew.
        for worker in template.DOORBELLS:
            self.client("sqs").purge_queue(QueueUrl=self._outputs[f"{worker}Queue"])
        for mapping in mappings:
            client.create_event_source_mapping(**mapping_request(mapping))
        self.ring("sweep", "Sequence")
        for worker in ("Project", "Seal", "React", "Deliver"):
            self.ring("schedule", worker)
        self.report(f"{len(mappings)} mappings renewed, sweep rung")

    def ring(self, what: str, worker: str) -> None:
        """Wake `worker` now, as the schedule would."""
        self.client("sqs").send_message(
            QueueUrl=self._outputs[f"{worker}Queue"],
            MessageBody=f'{{"ring":"{what}","id":"{uuid.uuid4()}"}}',
            MessageGroupId="schedule",
        )

    def stop(self) -> None:
        """Stop the emulator, saving its state if asked to, and remove its folders."""
        process, self._process = self._process, None
        if process:
            process.send_signal(signal.SIGTERM)  # Only then does it save.
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.report("emulator does not stop; killed")
            # Functions that were busy are in the same group and may outlive it.
            _kill_group(process.pid)
            process.wait()
        if self._folder:
            _remove(self._folder)
            self._folder = None
        while self._locks:
            self._locks.pop().close()

    def _own_folder(self) -> Path:
        """A new folder, locked while we live; folders of processes that were killed go away."""
        RUNS.mkdir(parents=True, exist_ok=True)
        for left in RUNS.glob("*/lock"):
            with suppress(OSError), left.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(left.parent)
        folder = Path(tempfile.mkdtemp(dir=RUNS))
        # Locked under another name first, or one that starts now would take it for a leftover.
        lock = (folder / "new").open("w")
        self._locks.append(lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "new").rename(folder / "lock")
        return folder

    def _own_state(self, state: Path) -> None:
        """Refuse a state that another process is using: the last to stop would overwrite it."""
        state.mkdir(parents=True, exist_ok=True)
        lock = state.with_suffix(".lock").open("w")
        self._locks.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackFailed(f"another local stack is using {state}; stop it first") from error

    def _launch(self, folder: Path) -> None:
        state = self._state_dir or folder / "state"
        scratch = folder / "tmp"
        scratch.mkdir(parents=True)
        self._own_state(state)
        _move_state(state, self.port)
        keep = "1" if self._persist else "0"
        # Nothing of our own environment: the emulator hands its environment to the functions.
        env = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TMPDIR": str(scratch),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": OWNER,
            "AWS_SECRET_ACCESS_KEY": OWNER,
            "MINISTACK_REGION": REGION,
            "STATE_DIR": str(state),
            "PERSIST_STATE": keep,
            "S3_PERSIST": keep,
            "S3_DATA_DIR": str(state / "s3"),
        }
        with (folder / "emulator.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._emulator, *self._program],
                env=env,
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 -- started before any thread of ours.
            )

    def _await_health(self) -> None:
        assert self._process
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
                raise StackFailed(f"the emulator ended at once: {' '.join(last)}")
            try:
                with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1):  # noqa: S310 -- loopback.
                    return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.05)
        raise StackFailed(f"the emulator does not answer after {START_SECONDS} s")

    def _complete(self, built: template.Json) -> None:
        """Set what the emulator's CloudFormation leaves out but its own API knows."""
        dynamodb = self.client("dynamodb")
        for name, (_, extra) in template.TABLES.items():
            if extra.get("expires"):
                specification = {"AttributeName": "expires", "Enabled": True}
                table = self._outputs[f"{name}Table"]
                try:
                    dynamodb.update_time_to_live(
                        TableName=table, TimeToLiveSpecification=specification
                    )
                except ClientError as error:
                    if "already enabled" not in str(error):
                        raise
        self.client("s3").put_object_lock_configuration(
            Bucket=self._outputs["LogBucket"],
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
        )
        gateway = self.client("apigateway")
        for kind, answer in template.gateway_answers().items():
            gateway.put_gateway_response(
                restApiId=self._outputs["RestAPIId"], responseType=kind, **answer
            )
        preflights = template.preflights(built)
        resources = gateway.get_resources(restApiId=self._outputs["RestAPIId"], limit=500)
        for resource in resources["items"]:
            if headers := preflights.get(resource["path"]):
                gateway.put_integration_response(
                    restApiId=self._outputs["RestAPIId"],
                    resourceId=resource["id"],
                    httpMethod="OPTIONS",
                    statusCode="200",
                    responseParameters=headers,
                )
        # A stage serves what it had when it was deployed.
        gateway.create_deployment(restApiId=self._outputs["RestAPIId"], stageName=CHALICE_STAGE)


def _move_state(state: Path, port: int) -> None:
    """Let a saved state be of use on another port than it was saved on.

    The emulator knows a queue by its URL, port included, and finds none by the new one. Saved URLs
    are rewritten before it starts.
    """
    for file in state.glob("*.json"):
        text = file.read_text()
        moved = _QUEUE_HOST.sub(f"http://localhost:{port}/", text)
        if moved != text:
            file.write_text(moved)


def _remove(folder: Path) -> None:
    """Have a folder go away, at once for all who look, and from the disk in its own time.

    Each of its functions unpacked thousands of files there: to delete them takes a disk minutes.
    """
    GONE.mkdir(parents=True, exist_ok=True)
    folder.rename(GONE / folder.name)
    subprocess.run(
        ["/bin/sh", "-c", 'nice rm -rf "$0"/* &', str(GONE)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def stop_on_signals() -> None:
    """Let a polite kill or a closed terminal unwind `with` blocks, as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))


def free_port(wanted: int = 0) -> int:
    """A port of 127.0.0.1 that nobody uses: the one that is wanted, or any.

    Any is one that the kernel gives nobody, so that nobody has it before its server starts.
    """
    # Linux gives out 32768 to 60999.
    ports = [wanted] if wanted else random.sample(range(20_000, 32_000), 100)
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise StackFailed(f"port {ports[-1]} is in use; choose another with PORT=…")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_SIGNAL_ON_PARENT_DEATH, signal.SIGTERM)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
