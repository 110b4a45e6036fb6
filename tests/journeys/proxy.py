"""microburst as a program, with each request under the Host that its caller has signed.

By itself it names the upstream there, and no signature would fit: the emulator checks those of the
functions, which is how it knows their rights.
"""

from typing import Any

from microburst.cli import main
from microburst.forward import Upstream

_without_host = Upstream._outbound_headers


def _as_signed(self: Upstream, request: Any) -> dict[str, str]:
    return _without_host(self, request) | {"host": request.headers["host"]}


if __name__ == "__main__":
    Upstream._outbound_headers = _as_signed
    main()
