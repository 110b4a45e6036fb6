"""What would be posted to an agency now."""

from chalicelib import registry, runtime
from chalicelib.correspondence import events_of
from chalicelib.delivery.address import Address


def first_letter(agency):
    """The first message in an agency's lane, as edXML."""
    return letter(runtime.outbox().message(f"{agency.code}#normal", 1), agency)


def letter(message, agency):
    """A message to the agency, as edXML."""
    commit = runtime.event_store().load(message.stream)[message.commit - 1]
    mail = registry.CORRESPONDENCE[0]
    _, event = next(iter(events_of(commit, mail.types)))
    address = Address(agency=agency.code, system="demo", endpoint="", profile="edxml")
    return mail.compose(message, commit, event, address).body
