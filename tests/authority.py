"""A time-stamping authority for tests: `openssl ts`, with keys made for the occasion (RFC 3161)."""

import shutil
import subprocess
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(
    not OPENSSL, reason="openssl is not installed: no time stamps to test with"
)
_CONFIG = """
[tsa]
default_tsa = demo
[demo]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[signer]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


class Authority:
    """Stamps what it is asked for; `root` is its certificate (PEM)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "openssl.cnf"
        self._config.write_text(_CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self._run("req", "-x509", *curve, "-days", "2", "-subj", "/CN=Demo root",
                  "-config", "/dev/null", "-extensions", "root", "-config", self._config,
                  "-keyout", folder / "root.key", "-out", folder / "root.pem")  # fmt: skip
        self._run("req", *curve, "-subj", "/CN=Demo time authority", "-config", "/dev/null",
                  "-keyout", folder / "tsa.key", "-out", folder / "tsa.csr")  # fmt: skip
        self._run("x509", "-req", "-in", folder / "tsa.csr", "-CA", folder / "root.pem",
                  "-CAkey", folder / "root.key", "-set_serial", "2", "-days", "2",
                  "-extfile", self._config, "-extensions", "signer",
                  "-out", folder / "tsa.pem")  # fmt: skip

    @property
    def root(self) -> Path:
        """The certificate by which its stamps are believed."""
        return self._folder / "root.pem"

    def answer(self, query: bytes) -> bytes:
        """The answer (DER) to a request."""
        asked, said = self._folder / "asked.tsq", self._folder / "said.tsr"
        asked.write_bytes(query)
        self._run("ts", "-reply", "-config", self._config, "-queryfile", asked, "-out", said)
        return said.read_bytes()

    def verify(self, token: Path, data: Path) -> bool:
        """Whether openssl takes the token for a stamp of `data`."""
        done = self._call("ts", "-verify", "-in", token, "-data", data, "-CAfile", self.root)
        return done.returncode == 0

    def _run(self, *words: str | Path) -> None:
        done = self._call(*words)
        assert done.returncode == 0, done.stderr

    def _call(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        assert OPENSSL
        return subprocess.run([OPENSSL, *words], capture_output=True, text=True, check=False)
