"""`sigstore`: its parser of notes, its check of a signature, its check of a Merkle proof.

Each folder comes with a proof bundle (C2SP tlog-proof) of one entry.
"""

import base64
import json
import sys
from pathlib import Path
from types import SimpleNamespace

from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import LogCheckpoint, SignedNote
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore_models.common import v1

asked = json.load(sys.stdin)
_, key_id, material = asked["key"].split("+", 2)
raw = base64.b64decode(material)[1:]
# The bytes before a raw Ed25519 key that make it a SubjectPublicKeyInfo (RFC 8410).
der = bytes.fromhex("302a300506032b6570032100") + raw
public = v1.PublicKey(raw_bytes=base64.b64encode(der), key_details=v1.PublicKeyDetails.PKIX_ED25519)
verdicts = {}
for name, folder in asked["folders"].items():
    try:
        text = (Path(folder) / "checkpoint").read_text()
        note = SignedNote.from_text(text)
        note.verify(RekorKeyring(Keyring([public])), bytes.fromhex(key_id))
        head = LogCheckpoint.from_text(note.note)
        lines = (Path(folder) / "proof").read_text().partition("\n\n")[0].split("\n")
        leaf = base64.b64decode(lines[1].removeprefix("extra "))
        proof = SimpleNamespace(
            log_index=int(lines[2].removeprefix("index ")),
            tree_size=head.log_size,
            hashes=[base64.b64decode(line) for line in lines[3:]],
            root_hash=bytes.fromhex(head.log_hash),
        )
        inner = SimpleNamespace(inclusion_proof=proof, canonicalized_body=leaf)
        verify_merkle_inclusion(SimpleNamespace(_inner=inner))
        verdicts[name] = True
    except Exception as error:  # noqa: BLE001 -- whatever it raises, it does not accept.
        sys.stderr.write(f"{name}: {error!r}\n")
        verdicts[name] = False
json.dump(verdicts, sys.stdout)
