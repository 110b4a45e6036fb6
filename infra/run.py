"""The whole system on this machine, up until Ctrl-C; `--once` tells its story and ends."""

import argparse
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from infra.api import Api, Problem
from infra.deploy import DeployFailed
from infra.dossier_story import calendar, parameters, tell_dossier
from infra.issuer import FOLDER, LocalIssuer
from infra.package import ROOT, PackageFailed
from infra.seed import seed
from infra.stack import LocalStack, StackFailed, stop_on_signals
from infra.story import Story, StoryFailed, send_file, tell

STATE = ROOT / ".local" / "state"
SCENARIOS = ("document", "dossier")


def main() -> None:
    """Start, deploy, send a document, say where to look; wait, or end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when the story is told")
    parser.add_argument("--port", type=int, help="where the local services listen")
    parser.add_argument("--edxml", type=Path, help="send this message instead of the demo document")
    parser.add_argument("--scenario", choices=SCENARIOS, default="document", help="which story")
    options = parser.parse_args()
    if options.edxml and options.scenario == "dossier":
        sys.exit("an edXML message is no dossier: choose one of the two")
    if options.edxml and not options.edxml.is_file():
        sys.exit(f"there is no file {options.edxml}")
    stop_on_signals()
    say = partial(print, flush=True)
    state = None if options.once else STATE
    stack = LocalStack(options.port, state, persist=state is not None, report=say)
    try:
        with LocalIssuer(FOLDER / "once" if options.once else FOLDER) as issuer, stack:
            of_dossier = options.scenario == "dossier"
            works = calendar(datetime.now(UTC))
            more = parameters(works) if of_dossier else {}
            stack.deploy(Issuer=issuer.url, **more)
            stack.renew_mappings()
            api = Api(stack.api_url, partial(issuer.token, "demo"))
            story = Story(stack, api, say)
            with story.agencies:
                if not options.once:
                    entered = seed(partial(_enter, api))
                    story.step(f"{entered} agencies of the published code list are registered")
                paths: tuple[str, ...]
                if of_dossier:
                    paths = (tell_dossier(story, works), "/dossier-counts?agency=Z01")
                else:
                    path = send_file(story, options.edxml) if options.edxml else tell(story)
                    paths = (path, f"{path}/copies", "/documents?agency=Z01")
                if not options.once:
                    (FOLDER / "api").write_text(stack.api_url)  # For `make status`.
                    _show_where(say, stack, api, paths)
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


def _show_where(say: partial[None], stack: LocalStack, api: Api, paths: tuple[str, ...]) -> None:
    token = api.token("auditor", None)
    say("\nup until Ctrl-C; an auditor's token is good for an hour:\n")
    say(f"  export API={stack.api_url}\n  export TOKEN={token}\n")
    for what in (*paths, "/agencies"):
        say(f'  curl -s -H "Authorization: Bearer $TOKEN" "$API{what}"')
    say("\n  other roles:    .venv/bin/python -m infra.issuer SUBJECT ROLE [AGENCY]")
    say(f"  AWS endpoint:   {stack.endpoint}\n  emulator log:   {stack.log}")


if __name__ == "__main__":
    main()
