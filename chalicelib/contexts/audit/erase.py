"""Carrying out approved erasures: the one place where keys and files of persons are destroyed."""

from collections.abc import Iterator
from typing import Any

from aws_lambda_powertools import Logger

from chalicelib import runtime
from chalicelib.contexts.audit.domain.subject import NoteErased, subject
from chalicelib.contexts.audit.projections import which_erasures_are_due
from chalicelib.handle import fold, handle
from chalicelib.kernel import Origin
from chalicelib.text import b64url

_log = Logger(service="lien-thong")
_FOLDERS = ("components",)
"""Folders of the content bucket in which each person has a folder of their own."""


def due() -> Iterator[tuple[str, str]]:
    """Whom it was approved to forget, by stream and name; earliest first."""
    found = runtime.views().due(which_erasures_are_due.answer, "due", runtime.now())
    return ((stream, row.subject) for stream, _seen, row in found)


def carry_out(stream: str, name: str) -> None:
    """Forget somebody. Done again after a death anywhere, it does the rest: the event comes last.

    Raises:
        Corrupt: the stream contradicts itself.
    """
    commits = runtime.event_store().load(stream)
    if fold(subject, commits).status != "approved":
        return  # The view had not heard that it was done.
    runtime.vault().keys.forget(name)
    files = sum(_delete(f"{folder}/{name}/") for folder in _FOLDERS)
    approved = commits[-1]
    origin = Origin(
        command_id=b64url(approved.hash),
        digest=b64url(approved.hash),
        actor="axis:erase",
        method="reaction",
        correlation=approved.facts["correlation"],
        causation=approved.seen,
        at=runtime.now(),
    )
    command = NoteErased(origin=origin, subject=name, files=files)
    handle(runtime.event_store(), subject, stream.partition("-")[2], command)
    _log.info("erased", extra={"about": stream, "files": files})


def _delete(folder: str) -> int:
    """Delete every version of every file in a folder; how many there were."""
    s3, bucket = runtime.client("s3"), runtime.content_bucket()
    deleted = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=folder):
        found: list[dict[str, Any]] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        for one in found:
            s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
            deleted += 1
    return deleted
