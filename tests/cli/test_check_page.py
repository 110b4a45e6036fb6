"""docs/check.html: what a citizen's code proves, it says, and of nothing else.

Its functions run in Node, the page itself in Chromium; where neither is installed, nobody runs it.
"""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from logs import WITNESSES, Log, signer

from chalicelib.history.code import encode_code
from chalicelib.history.merkle import Unproven
from chalicelib.history.note import Note
from chalicelib.history.proof import Bundle, Tree

PAGE = Path(__file__).resolve().parents[2] / "docs" / "check.html"
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
needs_node = pytest.mark.skipif(not NODE, reason="node is not installed: it runs the page's script")
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="Chromium is not installed; node alone runs the page's script"
)
KEYS = "\n".join(str(one.key) for one in (signer(), *WITNESSES))
SIZES = (1, 2, 3, 7, 8, 300)
RUN = """
const cases = JSON.parse(require("fs").readFileSync(0));
(async () => {
  const said = [];
  for (const [code, keys] of cases) {
    said.push(await check(code, keys).catch((error) => {
      if (!(error instanceof Wrong)) throw error;
      return {wrong: error.message};
    }));
  }
  console.log(JSON.stringify(said));
})();
"""


def in_node(cases, folder):
    """What the page's functions say of each (code, keys)."""
    [script] = re.findall(r"<script>\n(.*?)</script>", PAGE.read_text(), re.DOTALL)
    (folder / "check.cjs").write_text(script + RUN)
    done = subprocess.run(
        [NODE, folder / "check.cjs"], input=json.dumps(cases).encode(), capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def proofs(tmp_path_factory):
    """The proof of one commit or another in logs of several sizes."""
    log, found = Log(tmp_path_factory.mktemp("sealed") / "log"), []
    for size in SIZES:
        log.tell(size - len(log.commits))
        log.seal()
        tree = Tree(size, lambda tile: (log.folder / tile.path).read_bytes())
        note = (log.folder / "checkpoint").read_text()
        found += [
            Bundle(at, tuple(tree.inclusion(at)), note, log.commits[at].header)
            for at in sorted({0, size // 2, size - 1})
        ]
    return found


@needs_node
def test_the_page_proves_what_the_program_proves(proofs, tmp_path):
    said = in_node([(encode_code(one), KEYS) for one in proofs], tmp_path)
    for proof, told in zip(proofs, said, strict=True):
        opened = proof.check([signer().key], [one.key for one in WITNESSES])
        assert told["facts"] == json.loads(proof.extra)
        assert (told["position"], told["size"]) == (proof.index + 1, opened.checkpoint.size)
        assert {one["name"] for one in told["witnesses"]} == {one.key.name for one in WITNESSES}


@needs_node
def test_the_page_takes_what_scanners_and_links_make_of_a_code(proofs, tmp_path):
    digits, log_key = encode_code(proofs[-1]), str(signer().key)
    folded = f"https://portal.example/check#{digits[:99]}\n {digits[99:]}\n"
    [folded, alone] = in_node([(folded, KEYS), (digits, log_key)], tmp_path)
    assert folded["facts"] == alone["facts"]
    assert alone["witnesses"] == []


@needs_node
def test_the_page_refuses_what_was_touched(proofs, tmp_path):
    proof = proofs[-2]
    other = signer("lien-thong/other", 9)
    note = Note.parse(proof.checkpoint)
    forged = note.signatures[1]._replace(raw=bytes(76))
    touched = {
        "another place": replace(proof, index=proof.index + 1),
        "a place behind the end": replace(proof, index=10**6),
        "another entry": replace(proof, extra=proof.extra.replace(b"jwt", b"JWT")),
        "no entry": replace(proof, extra=b""),
        "a hash less": replace(proof, proof=proof.proof[:-1]),
        "a hash more": replace(proof, proof=(*proof.proof, bytes(32))),
        "another hash": replace(proof, proof=(bytes(32), *proof.proof[1:])),
        "another size": replace(proof, checkpoint=proof.checkpoint.replace("\n300\n", "\n301\n")),
        "a forged witness": replace(
            proof,
            checkpoint=str(Note(note.text, (note.signatures[0], forged))),
        ),
        "a witness twice": replace(
            proof,
            checkpoint=str(Note(note.text, (*note.signatures[:2], note.signatures[1]))),
        ),
        "no checkpoint": replace(proof, checkpoint="none\n"),
        "no signature": replace(proof, checkpoint=note.text + "\n"),
    }
    cases = {name: (encode_code(one), KEYS) for name, one in touched.items()}
    digits = encode_code(proof)
    cases |= {
        "cut off": (digits[:-40], KEYS),
        "a digit short": (digits[:-1], KEYS),
        "a wrong digit": (f"9{digits[1:]}", KEYS),
        "no digits": ("hello", KEYS),
        "nothing": ("", KEYS),
        "too long": (digits * 9, KEYS),
        "another's key": (digits, str(other.key)),
        "a witness's key alone": (digits, str(WITNESSES[0].key)),
        "no key": (digits, ""),
        "a key with another's id": (digits, KEYS.replace(signer().key.id.hex(), "00000000")),
    }
    said = dict(zip(cases, in_node(list(cases.values()), tmp_path), strict=True))
    assert {name: told for name, told in said.items() if "wrong" not in told} == {}
    for one in touched.values():
        with pytest.raises((Unproven, ValueError)):
            one.check([signer().key], [each.key for each in WITNESSES])


@needs_chromium
@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        pytest.param("", "Proven.", id="good"),
        pytest.param("1", "Not proven", id="with a digit more"),
    ],
)
def test_the_page_in_a_browser(proofs, tmp_path, spoil, wanted):
    """Opened from a disk, by a code's address, with the keys of whoever published it."""
    page = tmp_path / "check.html"
    page.write_text(PAGE.read_text().replace('KEYS = ""', f"KEYS = `{KEYS}`"))
    asked = f"{page.as_uri()}#{encode_code(proofs[0])}{spoil}"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    result = re.search(r'<output id="result">(.*)</output>', done.stdout, re.DOTALL)[1]
    assert wanted in result
