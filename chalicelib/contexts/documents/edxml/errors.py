"""Why a message is refused at the edge: one refusal per kind of fault, naming the element."""

# ruff: noqa: N818 -- a refusal is named as the fact it states, not as an error.

from chalicelib.kernel import Invalid

_STANDARD = "QCVN 102:2016/BTTTT"


class EdxmlError(Invalid):
    """The message cannot be taken. `field` is the path of the element at fault, if there is one."""

    code, rule = "edxml-invalid", _STANDARD


class EdxmlMalformed(EdxmlError):
    """The message is not well-formed XML in UTF-8."""

    code = "edxml-malformed"


class EdxmlNotQcvn102(EdxmlError):
    """The message is XML, but not an edXML message of the standard."""

    code = "edxml-not-qcvn-102"


class EdxmlTooLarge(EdxmlError):
    """The message, one of its texts or the number of its elements is over the limit."""

    code = "edxml-too-large"


class EdxmlTooDeep(EdxmlError):
    """Elements stand in one another more deeply than any real message needs."""

    code = "edxml-too-deep"


class EdxmlForbiddenMarkup(EdxmlError):
    """The message declares a document type or asks for other files to be included."""

    code = "edxml-forbidden-markup"


class EdxmlElementMissing(EdxmlError):
    """An element the standard asks for is absent or empty."""

    code = "edxml-element-missing"


class EdxmlElementInvalid(EdxmlError):
    """An element holds something that the standard does not allow there."""

    code = "edxml-element-invalid"


class AttachmentMissing(EdxmlError):
    """The manifest names a file that the message does not carry."""

    code = "attachment-missing"


class AttachmentInvalid(EdxmlError):
    """An attached file cannot be unpacked, is over the limits, or is not in the manifest."""

    code = "attachment-invalid"


class SecretMarking(EdxmlError):
    """The message is marked as a state secret; such documents never travel on the axis."""

    code = "secret-marking"
    rule = "Luật Bảo vệ bí mật nhà nước 117/2025/QH15; QĐ 28/2018/QĐ-TTg"
