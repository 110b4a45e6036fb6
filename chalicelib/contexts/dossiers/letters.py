"""What is posted to the national portal: a CloudEvent with the dossier's state in its own form.

What is personal is opened while the letter is written, and kept nowhere.
"""

import json
from typing import Any

from chalicelib.contexts.dossiers.domain.events import AnyDossierEvent
from chalicelib.contexts.dossiers.messages import MESSAGE_BYTES, Opened, personal, told
from chalicelib.contexts.dossiers.shown import standing
from chalicelib.delivery.address import Address
from chalicelib.delivery.deliver import Letter
from chalicelib.delivery.outbox import Message
from chalicelib.eventstore.store import Commit
from chalicelib.http.personal import opened

CLOUDEVENT_TYPE = "application/cloudevents+json; charset=utf-8"
LISTS = ("TaiLieuNop", "DanhSachHoSoBoSung", "DanhSachLePhi", "DanhSachGiayToKetQua")
"""What is left out of a message that would be too large, in this order."""


def compose(message: Message, commit: Commit, event: AnyDossierEvent, _address: Address) -> Letter:
    """The letter for one message: the dossier as that event made it, whatever came later."""
    found = standing(event.dossier, message.commit)
    data: dict[str, Any] = told(
        event, found.state, found.events, _read(event, found.events)
    ).written()
    envelope = {
        "specversion": "1.0",
        "id": message.id,
        "source": "urn:lienthong:axis",
        "type": message.type,
        "subject": message.case,
        "time": commit.facts["recorded_at"],
        "datacontenttype": "application/json",
        "position": message.position,
        "data": data,
    }
    for name in LISTS:
        if len(_json(envelope)) > MESSAGE_BYTES:
            del data[name]
            data.setdefault("left_out", []).append(name)
    return Letter(content_type=CLOUDEVENT_TYPE, body=_json(envelope))


def _read(event: AnyDossierEvent, events: list[AnyDossierEvent]) -> Opened:
    about = personal(event, events)
    said: dict[str, Any] = {"reasons": tuple(opened(one) or "" for one in about.pop("reasons"))}
    for name, [one] in about.items():
        if value := opened(one):
            said[name] = value
    return Opened(**said)


def _json(envelope: dict[str, Any]) -> bytes:
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
