"""Authorities, signers and signed files, all made up here: demo data."""

from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO

from asn1crypto import keys
from asn1crypto import x509 as asn1
from contexts.documents.edxml import demo_messages as demo
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign.fields import SigFieldSpec
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore
from signxml import XMLSigner

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
DSIG = "http://www.w3.org/2000/09/xmldsig#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ORGANISATION = "Demo Organisation"


class Signer:
    """A key with its certificate, issued by another one or by itself."""

    def __init__(
        self, name, issuer=None, *, key=None, days=(-YEAR, YEAR), authority=False, signing=True
    ):
        self.key = key or rsa.generate_private_key(65537, 2048)
        self.issuer = issuer
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{name} Organisation"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{name} Person"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, "000000000001"),
            ]
        )
        above = issuer or self
        usages = (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        )
        use = "key_cert_sign" if authority else "content_commitment"
        usage = dict.fromkeys(usages, False) | {use if signing else "key_encipherment": True}
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(above.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + days[0])
            .not_valid_after(NOW + days[1])
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .sign(above.key, SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM).decode()
        self.fingerprint = self.certificate.fingerprint(SHA256()).hex()

    @property
    def asn1(self):
        return asn1.Certificate.load(self.certificate.public_bytes(Encoding.DER))


@cache
def authority():
    return Signer("Demo Authority", authority=True)


@cache
def signer(kind="rsa"):
    """A signer of the authority, whose key or certificate is of this kind; or a stranger."""
    match kind:
        case "ec":
            return Signer("Demo", authority(), key=ec.generate_private_key(ec.SECP256R1()))
        case "weak":
            return Signer("Demo", authority(), key=rsa.generate_private_key(65537, 1024))  # noqa: S505 -- so it is to be found.
        case "expired":
            return Signer("Demo", authority(), days=(-2 * YEAR, -YEAR))
        case "encipherer":
            return Signer("Demo", authority(), signing=False)
        case "stranger":
            return Signer("Demo", Signer("Another", authority=True))
        case _:
            return Signer("Demo", authority())


MESSAGE = demo.document(
    references=demo.REFERENCE,
    attachments=demo.attachment(),
    traces=f'{demo.TRACES}<Signature xmlns="{DSIG}" Id="placeholder"/>',
).encode()
"""A message that waits for its signature, inside edXMLHeader."""


def signed_message(by=None, message=MESSAGE, uri=None, **how):
    """The message with the signer's signature in it."""
    by = by or signer()
    default = "ecdsa-sha256" if isinstance(by.key, ec.EllipticCurvePrivateKey) else "rsa-sha256"
    xml = XMLSigner(**{"signature_algorithm": default, "c14n_algorithm": EXC_C14N} | how)
    signed = xml.sign(
        etree.fromstring(message),
        key=by.key,
        cert=[by.certificate],
        reference_uri=uri,
        id_attribute="Id",
    )
    return etree.tostring(signed)


def plain_pdf(password=None):
    """A PDF file of one page."""
    writer = PdfFileWriter()
    content = writer.add_object(generic.StreamObject(stream_data=b"BT (Demo page) Tj ET"))
    writer.insert_page(PageObject(contents=content, media_box=(0, 0, 200, 200)))
    if password:
        writer.encrypt(owner_pass=password, user_pass=password)
    return _written(writer)


def signed_pdf(by=None, pdf=None, field="Signature1", digest="sha256"):
    """The file with the signer's signature added."""
    by = by or signer()
    registry = SimpleCertificateStore()
    registry.register(by.issuer.asn1)
    private = by.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    hand = PdfSigner(
        PdfSignatureMetadata(field_name=field, md_algorithm=digest),
        SimpleSigner(by.asn1, keys.PrivateKeyInfo.load(private), registry),
        new_field_spec=SigFieldSpec(field),
    )
    out = BytesIO()
    hand.sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf or plain_pdf())), output=out)
    return out.getvalue()


def turned_pdf(pdf):
    """The file with a later revision that turns its page."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    page, _ = writer.find_page_for_modification(0)
    page.get_object()["/Rotate"] = generic.NumberObject(90)
    writer.update_container(page.get_object())
    return _written(writer)


def _written(writer):
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
