"""The whole system on this machine, up until Ctrl-C; `--once` tells its story and ends."""

import argparse
import json
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.working_time import HANOI
from infra.api import Api, Problem
from infra.audit_story import tell_audit
from infra.deploy import DeployFailed
from infra.dossier_story import DESK, calendar, parameters, tell_dossier
from infra.issuer import FOLDER, LocalIssuer
from infra.package import ROOT, PackageFailed
from infra.payment_sandbox import PaymentSandbox
from infra.payment_story import tell_payment
from infra.seed import seed
from infra.stack import LocalStack, StackFailed, stop_on_signals
from infra.story import Story, StoryFailed, send_file, tell
from infra.tax_register import TaxRegister

STATE = ROOT / ".local" / "state"
SCENARIOS = ("document", "dossier", "payment", "audit")
WITH_MONEY = {"payment", "audit"}


def main() -> None:
    """Start, deploy, send a document, say where to look; wait, or end."""
    options = _options()
    stop_on_signals()
    say = partial(print, flush=True)
    state = None if options.once else STATE
    stack = LocalStack(options.port, state, persist=state is not None, report=say)
    try:
        folder = FOLDER / "once" if options.once else FOLDER
        with (
            LocalIssuer(folder) as issuer,
            stack,
            PaymentSandbox() as sandbox,
            TaxRegister() as register,
        ):
            works = calendar(datetime.now(UTC))
            more = parameters(works) if options.scenario != "document" else {}
            asked = {"tax_register": {"url": register.url, "agency": DESK}}
            stack.deploy(Issuer=issuer.url, Payments=json.dumps(asked), **more)
            stack.renew_mappings()
            api = Api(stack.api_url, partial(issuer.token, "demo"))
            second = Api(stack.api_url, partial(issuer.token, "demo-second"))
            story = Story(stack, api, say)
            with story.agencies:
                if not options.once:
                    entered = seed(partial(_enter, api))
                    story.step(f"{entered} agencies of the published code list are registered")
                if not options.once or options.scenario in WITH_MONEY:
                    joined = sandbox.join(api)
                    story.step(f"the demo payment provider is at {sandbox.url}, {joined.seen}")
                    story.step(f"the demo tax register is at {register.url}")
                paths: tuple[str, ...]
                if options.scenario == "dossier":
                    paths = (tell_dossier(story, works), "/dossier-counts?agency=Z01")
                elif options.scenario == "payment":
                    day = tell_payment(story, stack, sandbox, second)
                    paths = (day, f"{day}/report?form=html", "/ledger/balances?agency=Z01")
                elif options.scenario == "audit":
                    with TemporaryDirectory() as place:
                        found = tell_audit(story, stack, sandbox, second, Path(place))
                    paths = (found, "/history/events?type=subject.erased")
                else:
                    path = send_file(story, options.edxml) if options.edxml else tell(story)
                    paths = (path, f"{path}/copies", "/documents?agency=Z01")
                if not options.once:
                    (FOLDER / "api").write_text(stack.api_url)  # For `make status`.
                    _show_where(say, stack, api, paths)
                    _show_beside(say, sandbox, register)
                    signal.pause()
    except KeyboardInterrupt:
        say("stopped; the state is kept in .local/state")
    except Problem as problem:
        sys.exit(f"refused: {problem}")
    except (StackFailed, DeployFailed, PackageFailed, StoryFailed) as failed:
        sys.exit(str(failed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when the story is told")
    parser.add_argument("--port", type=int, help="where the local services listen")
    parser.add_argument("--edxml", type=Path, help="send this message instead of the demo document")
    parser.add_argument("--scenario", choices=SCENARIOS, default="document", help="which story")
    options = parser.parse_args()
    if options.edxml and options.scenario != "document":
        sys.exit(f"an edXML message is no {options.scenario}: choose one of the two")
    if options.edxml and not options.edxml.is_file():
        sys.exit(f"there is no file {options.edxml}")
    return options


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


def _show_beside(say: partial[None], sandbox: PaymentSandbox, register: TaxRegister) -> None:
    today = datetime.now(HANOI).date()
    say(
        f"  demo provider:  {sandbox.url}/settlement/{today}; a transaction's `url` is its pay page"
    )
    say(f"  tax register:   {register.url}")


if __name__ == "__main__":
    main()
