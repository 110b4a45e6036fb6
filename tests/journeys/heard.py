"""Runs the emulator and notes every request that holds one of some words: `heard.py FILE WORDS`.

The words (in lower case, parted by |) are looked for in the address of every request, and in the
body of those in AWS's own JSON protocol: what is said to queues, tables and keys. What is said to
our API, in letters (SES) and in files (S3) is not in that protocol. The emulator's own Python runs
this, so it may import nothing of ours.
"""

import sys
from pathlib import Path

from ministack import app as emulator


def listen(file, words):
    """Have each such request written down: where the word stands, and what is around it."""
    answer = emulator.app

    def note(where, said):
        text = said.decode("utf-8", "replace").lower()
        for at in (text.find(word) for word in words):
            if at >= 0:
                file.write(f"{where}: {text[max(at - 60, 0) : at + 60]!r}\n")

    async def heard(scope, receive, send):
        if scope["type"] != "http":
            return await answer(scope, receive, send)
        target = dict(scope["headers"]).get(b"x-amz-target", b"").decode()
        body = bytearray()

        async def hear():
            event = await receive()
            if target:
                body.extend(event.get("body", b""))
            return event

        note("address", scope["raw_path"] + b"?" + scope["query_string"])
        await answer(scope, hear, send)
        return note(target, body)

    emulator.app = heard


if __name__ == "__main__":
    words, path = sys.argv.pop(), Path(sys.argv.pop())
    with path.open("a", buffering=1, encoding="utf-8") as notes:
        listen(notes, words.split("|"))
        emulator.main()
