"""The whole system on this machine, up until Ctrl-C; `--once` deploys, says so and ends."""

import argparse
import signal
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.deploy import DeployFailed
from infra.issuer import FOLDER, LocalIssuer
from infra.package import ROOT, PackageFailed
from infra.stack import LocalStack, StackFailed, stop_on_signals

STATE = ROOT / ".local" / "state"


def main() -> None:
    """Start, deploy, print where to look, wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when the stack stands")
    parser.add_argument("--port", type=int, help="where the local services listen")
    options = parser.parse_args()
    once: bool = options.once
    stop_on_signals()
    state = None if once else STATE
    say = partial(print, flush=True)
    stack = LocalStack(options.port, state, persist=state is not None, report=say)
    try:
        with (
            TemporaryDirectory() as own,
            LocalIssuer(Path(own) if once else FOLDER) as issuer,
            stack,
        ):
            stack.deploy(Issuer=issuer.url)
            stack.renew_mappings()
            say(f"API       {stack.api_url}")
            say(f"issuer    {issuer.url}")
            say(f"endpoint  {stack.endpoint}")
            if not once:
                say("up until Ctrl-C")
                signal.pause()
    except KeyboardInterrupt:
        say("stopped; the state is kept")
    except (StackFailed, DeployFailed, PackageFailed) as failed:
        sys.exit(str(failed))


if __name__ == "__main__":
    main()
