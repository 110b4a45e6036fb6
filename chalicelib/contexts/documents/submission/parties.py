"""Who is named in a message: agencies by their codes, and the clerk to ask."""

from chalicelib import runtime
from chalicelib.agency_code import AgencyCodeInvalid, canonical
from chalicelib.contexts.documents.domain.events import Party, StaffContact
from chalicelib.contexts.documents.edxml.model import Party as EdxmlParty
from chalicelib.contexts.documents.edxml.model import StaffContact as EdxmlStaff
from chalicelib.contexts.documents.register import Register
from chalicelib.kernel import Invalid
from chalicelib.privacy.personal import Personal


def code_of(text: str, field: str) -> str:
    """The canonical code that `text` is; `field` is where it stands in the request.

    Raises:
        AgencyCodeInvalid: it is in neither form.
    """
    try:
        return canonical(text)
    except AgencyCodeInvalid:
        raise AgencyCodeInvalid(field=field) from None


def codes_of(texts: tuple[str, ...], field: str) -> tuple[str, ...]:
    """The canonical codes of a list; see `code_of`."""
    return tuple(code_of(text, f"{field}/{index}") for index, text in enumerate(texts))


def sender_of(party: EdxmlParty, unknown: type[Invalid]) -> Party:
    """The sender as an edXML message names it; `unknown` is the refusal of a code that is none."""
    code = _edxml_code(party, "From/OrganId", unknown)
    return Party(code=code, as_given=party.organ_id, **party.model_dump(exclude={"organ_id"}))


def receivers_of(
    parties: tuple[EdxmlParty, ...],
    field: str,
    unknown: type[Invalid],
    register: Register,
    also: tuple[str, ...] = (),
) -> tuple[Party, ...]:
    """The receivers as an edXML message names them, or those who took their place.

    `also` are codes that will be looked up besides.
    """
    codes = [_edxml_code(party, field, unknown) for party in parties]
    register.fetch([*also, *codes])
    return tuple(
        register.party(code, party.organ_id, **party.model_dump(exclude={"organ_id"}))
        for code, party in zip(codes, parties, strict=True)
    )


def _edxml_code(party: EdxmlParty, field: str, unknown: type[Invalid]) -> str:
    try:
        return canonical(party.organ_id)
    except AgencyCodeInvalid:
        raise unknown(f"{party.organ_id[:64]} is no agency's code", field=field) from None


def staff_subject(agency: str, contact: StaffContact) -> str:
    """The opaque name under which a clerk's contact is sealed."""
    return runtime.subject("staff", agency, contact.email or contact.mobile or contact.staff)


def sealed_staff(agency: str, contact: StaffContact | None) -> Personal[StaffContact] | None:
    """A clerk's contact, to be sealed under the clerk's own key."""
    if contact is None:
        return None
    return Personal[StaffContact](subject=staff_subject(agency, contact), value=contact)


def same_staff(contact: EdxmlStaff | None) -> StaffContact | None:
    """A clerk's contact as an edXML message has it."""
    return StaffContact(**contact.model_dump()) if contact else None
