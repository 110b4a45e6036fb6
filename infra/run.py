"""The whole system on this machine, up until Ctrl-C; `--once` tells its story and ends."""

import argparse
import signal
import sys
from functools import partial
from pathlib import Path

from infra.api import Api, Problem
from infra.deploy import DeployFailed
from infra.issuer import FOLDER, LocalIssuer
from infra.package import ROOT, PackageFailed
from infra.seed import seed
from infra.stack import LocalStack, StackFailed, stop_on_signals
from infra.story import Story, StoryFailed, send_file, tell

STATE = ROOT / ".local" / "state"


def main() -> None:
    """Start, deploy, send a document, say where to look; wait, or end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when the story is told")
    parser.add_argument("--port", type=int, help="where the local services listen")
    parser.add_argument("--edxml", type=Path, help="send this message instead of the demo document")
    options = parser.parse_args()
    if options.edxml and not options.edxml.is_file():
        sys.exit(f"there is no file {options.edxml}")
    stop_on_signals()
    say = partial(print, flush=True)
    state = None if options.once else STATE
    stack = LocalStack(options.port, state, persist=state is not None, report=say)
    try:
        with LocalIssuer(FOLDER / "once" if options.once else FOLDER) as issuer, stack:
            stack.deploy(Issuer=issuer.url)
            stack.renew_mappings()
            api = Api(stack.api_url, partial(issuer.token, "demo"))
            story = Story(stack, api, say)
            with story.agencies:
                if not options.once:
                    entered = seed(partial(_enter, api))
                    story.step(f"{entered} agencies of the published code list are registered")
                path = send_file(story, options.edxml) if options.edxml else tell(story)
                if not options.once:
                    (FOLDER / "api").write_text(stack.api_url)  # For `make status`.
                    _show_where(say, stack, api, path)
                    signal.pause()
    except KeyboardInterrupt:
        say("stopped; the state is kept in .local/state")
    except Problem as problem:
        sys.exit(f"refused: {problem}")
    except (StackFailed, DeployFailed, PackageFailed, StoryFailed) as failed:
        sys.exit(str(failed))


def _enter(api: Api, path: str, body: dict[str, object], key: str) -> None:
    try:
        api.call("POST", path, role="administrator", body=body, key=key)
    except Problem as problem:
        # Registered before, perhaps under another name: what stands there stays.
        if problem.body.get("code") != "agency-already-registered":
            raise


def _show_where(say: partial[None], stack: LocalStack, api: Api, path: str) -> None:
    token = api.token("auditor", None)
    say("\nup until Ctrl-C; an auditor's token is good for an hour:\n")
    say(f"  export API={stack.api_url}\n  export TOKEN={token}\n")
    for what in (path, f"{path}/copies", "/agencies", "/documents?agency=Z01"):
        say(f'  curl -s -H "Authorization: Bearer $TOKEN" "$API{what}"')
    say("\n  other roles:    .venv/bin/python -m infra.issuer SUBJECT ROLE [AGENCY]")
    say(f"  AWS endpoint:   {stack.endpoint}\n  emulator log:   {stack.log}")


if __name__ == "__main__":
    main()
