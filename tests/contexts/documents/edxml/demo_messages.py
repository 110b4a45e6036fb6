"""DEMO DATA: invented messages in the standard's form, and sinks that remember."""

import base64
import io
import zipfile
from dataclasses import dataclass, field

from chalicelib.contexts.documents.edxml.parse import parse

NS = "http://www.mic.gov.vn/TBT/QCVN_102_2016"


@dataclass
class Kept:
    """Every file a message asked us to keep."""

    headers: list = field(default_factory=list)
    files: list = field(default_factory=list)

    def __call__(self, header):
        self.headers.append(header)
        self.files.append(File())
        return self.files[-1]


class File:
    def __init__(self):
        self.data, self.closed = bytearray(), False

    def write(self, data):
        self.data += data

    def close(self):
        self.closed = True


def read(message):
    kept = Kept()
    return parse(message if isinstance(message, bytes) else message.encode(), kept), kept


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def b64(data):
    return base64.b64encode(data).decode()


FROM = "<From><OrganId>G99</OrganId><OrganName>Bộ Thử nghiệm</OrganName></From>"
TO = "<To><OrganId>000.00.01.H98</OrganId></To>"
SUBJECT = "<Subject>V/v chạy thử</Subject>"
CODE = "<Code><CodeNumber>12</CodeNumber><CodeNotation>BTN-VP</CodeNotation></Code>"
DATED = "<PromulgationInfo><PromulgationDate>2024/05/06</PromulgationDate></PromulgationInfo>"
DOCUMENT_ID = "<DocumentId>G99,2024/05/06,12/BTN-VP</DocumentId>"
HEADER = FROM + TO + DOCUMENT_ID + CODE + DATED + SUBJECT
TRACES = (
    "<TraceHeaderList><Bussiness><BussinessDocType>0</BussinessDocType></Bussiness>"
    "</TraceHeaderList>"
)
REFERENCE = (
    "<Reference><ContentId>cid:1</ContentId><ContentType>application/zip</ContentType>"
    "<AttachmentName>a.pdf</AttachmentName></Reference>"
)
PDF = b"%PDF-1.7 demo"


def attachment(content=None, content_id="cid:1", name="a.pdf"):
    content = b64(zipped((name, PDF))) if content is None else content
    return (
        f"<Attachment><ContentId>{content_id}</ContentId><AttachmentName>{name}</AttachmentName>"
        f"<ContentTransferEncoded>{content}</ContentTransferEncoded></Attachment>"
    )


def document(header=HEADER, traces=TRACES, references="", attachments="", after=""):
    """A document message, its parts replaceable; by default the smallest that is accepted."""
    files = f"<AttachmentEncoded>{attachments}</AttachmentEncoded>" if attachments else ""
    return (
        f'<edXML xmlns="{NS}"><edXMLEnvelope><edXMLHeader>'
        f"<MessageHeader>{header}</MessageHeader>{traces}</edXMLHeader>"
        f"<edXMLBody><edXMLManifest>{references}</edXMLManifest></edXMLBody></edXMLEnvelope>"
        f"{files}{after}</edXML>"
    )


STATUS = (
    f"{FROM}<ResponseFor><OrganId>H98</OrganId><Code>12/BTN-VP</Code>{DOCUMENT_ID}</ResponseFor>"
    "<StatusCode>03</StatusCode><Timestamp>2024/05/07 08:09:10</Timestamp>"
)


def status(header=STATUS, name="MessageHeader"):
    return (
        f'<edXML xmlns="{NS}"><edXMLEnvelope><edXMLHeader><{name}>{header}</{name}>'
        "</edXMLHeader></edXMLEnvelope></edXML>"
    )
