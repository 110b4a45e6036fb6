import hashlib
import io
import random
import resource
import tracemalloc
from pathlib import Path

import pytest
from contexts.documents.edxml.demo_messages import NS
from contexts.documents.edxml.test_round_trip import DOCUMENT, PART

from chalicelib.contexts.documents.edxml.errors import EdxmlTooLarge
from chalicelib.contexts.documents.edxml.parse import parse
from chalicelib.contexts.documents.edxml.produce import produce_document

MIB = 1024 * 1024


def resident_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Counting:
    """Sinks that remember only a digest."""

    def __init__(self):
        self.digest = hashlib.sha256()

    def __call__(self, _):
        return self

    def write(self, data):
        self.digest.update(data)

    def close(self):
        self.closed = True


def test_a_large_message_is_written_and_read_in_little_memory(tmp_path: Path):
    block = random.Random(1).randbytes(MIB)  # noqa: S311 -- bytes that do not compress.
    file = tmp_path / "file"
    with file.open("wb") as out:
        for _ in range(45):  # 60 MiB in base64.
            out.write(block)
    size = file.stat().st_size
    with file.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    part = PART.model_copy(update={"size": size, "sha256": sha256})
    message = DOCUMENT.model_copy(update={"attachments": (part,)})
    whole, kept = tmp_path / "whole", Counting()

    # tracemalloc sees Python's memory, the peak resident size also what the XML library takes.
    resident = resident_kib()
    tracemalloc.start()
    try:
        with file.open("rb") as source, whole.open("wb") as out:
            produce_document(message, [(part, source)], out)
        with whole.open("rb") as source:
            back = parse(source, kept)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert whole.stat().st_size > 60 * MIB
    assert back == message
    assert kept.closed
    assert kept.digest.hexdigest() == sha256
    assert peak < 6 * MIB
    assert resident_kib() - resident < 24 * 1024


@pytest.mark.parametrize(
    ("start", "piece", "end"),
    [
        pytest.param(b'<a x="', b"y>", b'"/>', id="an endless attribute"),
        pytest.param(b"<a ", b"y ", b"/>", id="an endless tag"),
        pytest.param(b"<!-- ", b"- ", b"-->", id="an endless comment"),
        pytest.param(b"<![CDATA[", b"y ", b"]]>", id="an endless CDATA section"),
        pytest.param(b"<?p ", b"y?", b"?>", id="an endless instruction"),
    ],
)
def test_a_piece_that_the_reader_must_hold_whole_is_stopped_early(start, piece, end):
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            self.given += size
            if self.given == size:
                return f'<edXML xmlns="{NS}">'.encode() + start
            return piece * (size // 2) if self.given < 90 * MIB else end

    source, resident = Endless(), resident_kib()
    with pytest.raises(EdxmlTooLarge) as refusal:
        parse(source, Counting())
    assert refusal.value.field == "edXML"
    assert source.given < 5 * MIB
    assert resident_kib() - resident < 40 * 1024
