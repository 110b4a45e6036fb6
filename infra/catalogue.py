"""The public catalogue of events: `events/<type>.json`, one file for each type.

`python -m infra.catalogue` writes what the classes say (meaning, rule, version, schema) and adds a
link for each example that was appended by hand. It never changes an example: every link is the
SHA-256 of the link before it and the example's canonical JSON (RFC 8785), so a changed, removed or
reordered example breaks the chain, and a rewritten chain is seen at once in a review. Nor does it
write a schema that takes less than the one on file (`breaks`).
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import CoreSchema, ModelSchema

from chalicelib import contexts
from chalicelib.kernel import Decider, Event
from chalicelib.privacy.personal import Personal
from chalicelib.projector.projection import event_types

FOLDER = Path(__file__).resolve().parent.parent / "events"


class ExampleChanged(Exception):  # noqa: N818 -- it names what happened.
    """An example that was published is not what it was: stored events of its kind still exist."""


class Breaking(Exception):  # noqa: N818 -- it names what happened.
    """A schema no longer takes what it took: stored events, and those who read them, need it to."""


class _Published(GenerateJsonSchema):
    """The schema of an event as it is stored and published: personal values are sealed."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- the base class asks so.
        return False  # A title that repeats the field's name says nothing.

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        kind = schema["cls"]
        if issubclass(kind, Personal):
            held = kind.__pydantic_generic_metadata__["args"][0].__name__
            return {
                "description": f"Personal data ({held}) of `subject`, sealed under a key of theirs "
                "for `where` (stream and commit). Nobody can read it once that key is destroyed.",
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("subject", "sealed", "where")},
                "required": ["subject", "sealed", "where"],
            }
        found = super().model_schema(schema)
        # Readers let unknown fields pass, or no event could ever gain one.
        found.pop("additionalProperties", None)
        return found

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> JsonSchemaValue:
        return {"$schema": self.schema_dialect, **super().generate(schema, mode)}


def deciders() -> dict[str, Decider[Any, Any, Any]]:
    """Every decider of every context, by the module it stands in."""
    found = {}
    for module in pkgutil.walk_packages(contexts.__path__, f"{contexts.__name__}."):
        if ".domain." in module.name:
            for thing in vars(importlib.import_module(module.name)).values():
                if isinstance(thing, Decider):
                    found[module.name] = thing
    return found


def events() -> dict[str, type[Event]]:
    """Every event there is, by its public type."""
    return {
        type_: kind
        for decider in deciders().values()
        for type_, kind in event_types(decider.events).items()
    }


def entry(kind: type[Event]) -> dict[str, Any]:
    """What the class says of itself."""
    schema = kind.model_json_schema(schema_generator=_Published)
    schema["required"] = ["type", *schema.get("required", [])]
    meaning, _, rule = (schema.pop("description")).partition("Rule:")
    return {
        "type": kind.model_fields["type"].default,
        "version": kind.version,
        "meaning": " ".join(meaning.split()),
        "rule": " ".join(rule.split()),
        "schema": schema,
    }


def links(examples: list[Any]) -> list[str]:
    """The chain over `examples`: it grows at its end and nowhere else."""
    chain: list[str] = []
    for example in examples:
        before = chain[-1] if chain else ""
        chain.append(sha256(before.encode() + rfc8785.dumps(example)).hexdigest())
    return chain


def check(name: str, file: dict[str, Any]) -> list[str]:
    """The whole chain of a catalogue file; the one it holds must be its beginning.

    Raises:
        ExampleChanged: it is not.
    """
    chain, known = links(file["examples"]), file["chain"]
    if chain[: len(known)] != known:
        raise ExampleChanged(f"{name}: examples are appended, never changed or removed")
    return chain


_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


def breaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What `after` no longer takes of what `before` took, with the place in the event.

    A field may come, a word or a type may be added, a bound may widen. What was published was
    written, so nothing else may change under the same type.
    """
    return list(dict.fromkeys(_breaks(before, after, (before, after), "", frozenset())))


def _breaks(
    old: dict[str, Any],
    new: dict[str, Any],
    tops: tuple[dict[str, Any], dict[str, Any]],
    place: str,
    seen: frozenset[str],
) -> Iterator[str]:
    if (name := old.get("$ref", "")) and name in seen:
        return
    seen |= {name}
    old, new = _followed(old, tops[0]), _followed(new, tops[1])
    was, now = _kinds(old, tops[0]), _kinds(new, tops[1])
    if now:
        yield from (f"{place} no longer takes {kind}" for kind in sorted(was - now))
    olds, news = _forms(old, tops[0]), _forms(new, tops[1])
    for one in olds:
        like = [two for two in news if two.get("type") == one.get("type")]
        if len(like) == 1 and (one is not old or like[0] is not new):
            yield from _breaks(one, like[0], tops, place, seen)
    if words := [word for two in news for word in _words(two)]:
        missing = [word for one in olds for word in _words(one) if word not in words]
        yield from (f"{place} no longer takes {word!r}" for word in missing)
    if olds == [old]:
        yield from _stricter(old, new, place)
    for name, part in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{place}/{name} is gone"
        else:
            yield from _breaks(part, new["properties"][name], tops, f"{place}/{name}", seen)
    needed = set(new.get("required", [])) - set(old.get("required", []))
    if "properties" in old:
        yield from (f"{place}/{name} became required" for name in sorted(needed))
    for name in ("items", "additionalProperties"):
        if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
            yield from _breaks(old[name], new[name], tops, f"{place}/*", seen)


def _stricter(old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[str]:
    for bound in (*_AT_LEAST, *_AT_MOST):
        sign = -1 if bound in _AT_MOST else 1
        if bound in new and (bound not in old or (new[bound] - old[bound]) * sign > 0):
            yield f"{place}: {bound} is stricter"
    if new.get("pattern", old.get("pattern")) != old.get("pattern"):
        yield f"{place}: pattern is another"


def _followed(part: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    while name := part.get("$ref"):
        part = top["$defs"][name.removeprefix("#/$defs/")]
    return part


def _forms(part: dict[str, Any], top: dict[str, Any]) -> list[dict[str, Any]]:
    """The forms that a value may have."""
    found = part.get("anyOf") or part.get("oneOf")
    return [_followed(one, top) for one in found] if found else [part]


def _kinds(part: dict[str, Any], top: dict[str, Any]) -> set[str]:
    return {one["type"] for one in _forms(part, top) if isinstance(one.get("type"), str)}


def _words(part: dict[str, Any]) -> list[Any]:
    return part.get("enum") or ([part["const"]] if "const" in part else [])


def read(path: Path) -> dict[str, Any]:
    """A catalogue file as it stands."""
    file: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return file


def write(folder: Path = FOLDER) -> None:
    """Bring every file up to what the classes say and the examples that were appended.

    Raises:
        ExampleChanged: a published example was touched; nothing is written for its type.
        Breaking: its schema would no longer take what it took; the same.
    """
    folder.mkdir(exist_ok=True)
    for type_, kind in events().items():
        path = folder / f"{type_}.json"
        file = read(path) if path.exists() else {"examples": [], "chain": []}
        said = entry(kind)
        if broken := breaks(file.get("schema", {}), said["schema"]):
            raise Breaking(f"{path.name}: {'; '.join(broken)}")
        kept = {"examples": file["examples"], "chain": check(path.name, file)}
        text = json.dumps({**said, **kept}, ensure_ascii=False, indent=2)
        path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        write()
    except (Breaking, ExampleChanged) as changed:
        sys.exit(str(changed))
