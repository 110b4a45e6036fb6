"""What a document's history says of its signatures, and of the messages that it came in."""

import pytest
from contexts.documents.demo_documents import amended, attachment, sent
from contexts.documents.test_document import amend, send
from specification import Given

from chalicelib.contexts.documents.domain.document import document
from chalicelib.contexts.documents.domain.events import Original, SignatureReport

MESSAGE = SignatureReport(about="message", verdict="valid", covers="message")
FILE = SignatureReport(about=attachment.sha256, verdict="invalid", reason="digest-differs")
KEPT = Original(sha256="1" * 64, size=1_000, subject="demo:clerk")
SIGNED = {"signatures": (MESSAGE, FILE), "original": KEPT}
signed_sent = sent.model_copy(update=SIGNED)
signed_amended = amended.model_copy(update=SIGNED)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], send(**SIGNED), [signed_sent], id="reports go with a document"),
        pytest.param([signed_sent], send(), [], id="what was found makes no other document"),
        pytest.param([sent], amend(**SIGNED), [signed_amended], id="and with an edition"),
        pytest.param([sent, amended], amend(**SIGNED), [], id="nor another edition"),
    ],
)
def test_reports(given, when, then):
    Given(document, *given).when(when).then(then)


def edition(**fields):
    return amended.model_copy(update={"attachments": (attachment,)} | fields)


@pytest.mark.parametrize(
    ("events", "signatures", "originals"),
    [
        pytest.param([sent], (), {}, id="nothing was signed"),
        pytest.param([signed_sent], (MESSAGE, FILE), {1: KEPT}, id="as it was sent"),
        pytest.param(
            [signed_sent, edition()], (FILE,), {1: KEPT}, id="the file stays, the message does not"
        ),
        pytest.param(
            [signed_sent, edition(attachments=())], (), {1: KEPT}, id="the file is gone too"
        ),
        pytest.param(
            [signed_sent, edition(signatures=(FILE,), original=KEPT)],
            (FILE,),
            {1: KEPT, amended.edition: KEPT},
            id="the file was examined again",
        ),
    ],
)
def test_what_stands_of_them(events, signatures, originals):
    state = document.fold(events)
    assert state.now.signatures == signatures
    assert state.originals == originals
