"""An auditor fetches the history of the deployed stack and proves it on their own machine."""

import json

from journeys.journey import id_of, until
from typer.testing import CliRunner

from chalicelib.history.checkpoint import Checkpoint
from chalicelib.history.note import Note
from lienthong.main import app


def test_what_the_stack_recorded_verifies_in_an_auditors_folder(journey, tmp_path):
    def lienthong(*words):
        done = CliRunner().invoke(app, ["audit", *map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, (done.stdout, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    sender, receiver = journey.join(), journey.join()
    document = id_of(journey.send(sender, [receiver]))
    journey.told(sender, document, "01")
    token = tmp_path / "token"
    token.write_text(journey.issuer.token("demo-auditor", "auditor"))
    folder = tmp_path / "history"

    def sealed():
        """Whether what was sent is covered by a checkpoint."""
        answer = journey.http.request("GET", f"{journey.stack.api_url}/proof/document-{document}/1")
        return answer.status == 200

    until("the document's commit in a checkpoint", sealed)
    fetch = ("fetch", journey.stack.api_url, folder, "--token-file", token, "--json")
    [fetched] = lienthong(*fetch, "--purpose", "DEMO-1")
    [report] = lienthong("verify", folder, "--json")
    assert (report["holds"], report["size"]) == (True, fetched["size"])
    assert report["events"] >= report["commits"] == fetched["size"]
    [sent] = lienthong("replay", folder, "--stream", f"document-{document}", "--json")
    assert sent["data"]["document"] == document
    [explained] = lienthong("explain", folder, sent["id"], "--json")
    assert any(f"copy-{document}." in one for after in explained["case"].values() for one in after)

    # That it was read is history too: the next fetch brings it, and it grew out of the first.
    kept = tmp_path / "kept"
    kept.write_bytes((folder / "checkpoint").read_bytes())
    old = Checkpoint.parse(Note.parse(kept.read_bytes()).text)
    until("a longer history", lambda: lienthong(*fetch)[0]["size"] > old.size)
    [report] = lienthong("verify", folder, "--from", kept, "--json")
    assert report["checkpoints"] > 1
    reads = lienthong("replay", folder, "--type", "access.read", "--json")
    assert {one["data"]["purpose"] for one in reads} >= {"DEMO-1"}
