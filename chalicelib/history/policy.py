"""Whose word is enough: which keys sign for the log, which witnesses there are, who must agree.

Rule: C2SP tlog-policy.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from chalicelib.history.note import LOG, WITNESS, VerifierKey


@dataclass(frozen=True)
class Witness:
    """Somebody outside who signs what they saw. `url` is the submission prefix, if known."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True)
class Policy:
    """The logs' keys, the witnesses, the groups of them, and the one group that is enough."""

    logs: tuple[VerifierKey, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = "none"

    def satisfied(self, signed: AbstractSet[VerifierKey]) -> bool:
        """Whether the cosignatures of these keys are enough."""
        return self.quorum == "none" or self._stands(self.quorum, signed)

    def _stands(self, name: str, signed: AbstractSet[VerifierKey]) -> bool:
        if name in self.groups:
            least, members = self.groups[name]
            return sum(self._stands(member, signed) for member in members) >= least
        return any(one.name == name and one.key in signed for one in self.witnesses)

    @classmethod
    def parse(cls, written: str) -> "Policy":
        """The policy in a file: lines `log`, `witness`, `group` and one `quorum`.

        Raises:
            ValueError: a line is not understood, names nobody known, or says something twice.
        """
        logs: list[VerifierKey] = []
        witnesses: list[Witness] = []
        groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        named, quorum = {"none"}, ""
        for number, line in enumerate(written.split("\n"), start=1):
            wrong = ValueError(f"line {number} of the policy is not understood")
            match line.split("#")[0].split() if line.lstrip().startswith("#") else line.split():
                case []:
                    continue
                case ["log", vkey, *url] if len(url) <= 1:
                    logs.append(_key(vkey, LOG))
                case ["witness", name, vkey, *url] if name not in named and len(url) <= 1:
                    witnesses.append(Witness(name, _key(vkey, WITNESS), url[0] if url else ""))
                    named.add(name)
                case ["group", name, least, *members] if members and name not in named:
                    if not set(members) <= named - {"none"} or len(set(members)) < len(members):
                        raise wrong
                    groups[name] = (_least(least, len(members), wrong), tuple(members))
                    named.add(name)
                case ["quorum", name] if name in named and not quorum:
                    quorum = name
                case _:
                    raise wrong
        publics = [key.public for key in (*logs, *(one.key for one in witnesses))]
        if not quorum or len(set(publics)) < len(publics):
            raise ValueError("a policy needs one quorum and names each key once")
        return cls(tuple(logs), tuple(witnesses), groups, quorum)


def _key(written: str, kind: int) -> VerifierKey:
    key = VerifierKey.parse(written)
    if key.kind != kind:
        raise ValueError(f"the key of {key.name} is of type {key.kind}, not {kind}")
    return key


def _least(written: str, members: int, wrong: ValueError) -> int:
    least = {"any": 1, "all": members}.get(written) or (int(written) if written.isdecimal() else 0)
    if not 1 <= least <= members:
        raise wrong
    return least
