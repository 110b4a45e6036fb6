"""Where a person is named that many can read.

Whoever is a person in a journey bears the mark: in their name, number, address, reason, in all that
is theirs alone. So what is looked for is one word, and where it is found somebody is named.
"""

from base64 import b64encode
from pathlib import Path

from infra import template

MARK, SEED = "markedname", "markedseed"
"""What every person bears, and what a test sows to see that it would be found."""
LENT = ("exports/", "forms/", "receipts/")
"""Where in staging lies what is lent to those who may read it, for a day at the most."""
HEARD = Path(__file__).with_name("heard.py")


def spellings(word):
    """The word as it is and as it reads within base64, in a token or a cursor; in lower case."""
    found = [word]
    for before in range(3):
        # The characters that this word alone makes, wherever its first byte falls.
        text = b64encode(b" " * before + word.encode()).decode().lower()
        found.append(text[-(-before * 8 // 6) : (before + len(word)) * 8 // 6])
    return found


class Marks:
    """Looks for a word in all that a stack has heard, keeps and says."""

    def __init__(self, folder):
        self.file = folder / "heard"
        self.file.touch()

    @property
    def program(self):
        """What the emulator is to run, so that it is noted what only passes through."""
        return str(HEARD), str(self.file), "|".join(spellings(MARK) + spellings(SEED))

    def places(self, journey, word=MARK):
        """Each kind of place where the word stands, with what is around it somewhere there."""
        found = {}
        for place, told in self._told(journey):
            text = told.lower()
            for at in (text.find(spelling) for spelling in spellings(word)):
                if at >= 0:
                    found[place] = text[max(at - 60, 0) : at + 60]
        return found

    def _told(self, journey):
        for line in self.file.read_text().splitlines():
            yield f"request: {line.partition(':')[0]}", line
        # Metrics are lines of the log too, in the embedded format.
        yield "log", "\n".join(journey.log())
        for line in journey.stack.log.read_text(errors="replace").splitlines():
            # Whom it has a letter for, it says as any mail server does.
            if "[ses]" not in line:
                yield "emulator's log", line
        metrics = journey.client("cloudwatch").get_paginator("list_metrics").paginate()
        yield "metric", repr([metric for page in metrics for metric in page["Metrics"]])
        # What waits there now, whoever sent it.
        yield "queue", journey.fetch(f"{journey.stack.endpoint}/_ministack/sqs/messages").decode()
        for name in template.TABLES:
            yield f"table {name}", repr(journey.items(name))
        # Of the log the keys will do: its tiles are made of the headers in table Events.
        yield "key in Log", repr(journey.keys("Log"))
        for bucket in ("Content", "Staging"):
            for key, body in journey.objects(bucket).items():
                yield f"key in {bucket}", key
                if not key.startswith(LENT):
                    yield f"file in {bucket}", body.decode("latin-1")
