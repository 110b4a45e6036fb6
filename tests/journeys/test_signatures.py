"""An agency that asks for HMAC gets it, and signs the same way."""

from base64 import b64encode

from journeys.journey import id_of, until

from infra.agency import DemoAgency


def test_a_shared_secret_signs_both_ways(journey):
    secret = "whsec_" + b64encode(b"demo secret, 32 bytes in length.").decode()
    sender, receiver = journey.join(), journey.join(secret=secret)
    id_ = id_of(journey.send(sender, [receiver]))
    until("the document", lambda: receiver.received)
    assert not receiver.rejected
    receiver.report(journey.api, id_, "03")
    journey.told(sender, id_, "01", "03")
    wrong = "whsec_" + b64encode(b"another secret, 32 bytes in all.").decode()
    impostor = DemoAgency(receiver.code, "Demo impostor", secret=wrong)
    journey.refused(401, "signature-invalid", impostor.report, journey.api, id_, "05")
    keyed = DemoAgency(receiver.code, "Demo impostor with a key")
    journey.refused(401, "signature-invalid", keyed.report, journey.api, id_, "05")
    shown = journey.api.get(f"/agencies/{receiver.code}", role="administrator")
    assert shown["systems"][0]["has_secret"]
    assert secret not in repr([shown, *journey.items("Events"), *journey.items("Views")])
