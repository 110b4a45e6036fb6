"""Every event has its public description, and whatever was published is still read."""

import json

import pytest
from jsonschema import Draft202012Validator
from pydantic_core import to_json

from chalicelib import registry
from chalicelib.kernel import Command, Decider, Event, Origin
from infra import catalogue

EVENTS = catalogue.events()
FILES = {path.stem: catalogue.read(path) for path in sorted(catalogue.FOLDER.glob("*.json"))}
EXAMPLES = [
    pytest.param(type_, example, id=f"{type_}-{n}")
    for type_, file in FILES.items()
    for n, example in enumerate(file["examples"], start=1)
]
DECIDERS = {decider.category: decider for decider in catalogue.deciders().values()}


def kinds(base=Event):
    """Every event class of the product that has a name of its own."""
    for kind in base.__subclasses__():
        yield from kinds(kind)
        if kind.__module__.startswith("chalicelib.") and isinstance(
            kind.model_fields["type"].default, str
        ):
            yield kind


def test_every_event_class_can_be_written_by_a_decider():
    # An event outside its decider's union would be refused when its stream is read.
    assert {kind.__name__ for kind in kinds()} == {kind.__name__ for kind in EVENTS.values()}


def test_every_event_has_its_file_and_every_file_its_event():
    assert FILES.keys() == EVENTS.keys()


@pytest.mark.parametrize("type_", EVENTS)
def test_a_file_says_what_the_class_says(type_):
    kind, file = EVENTS[type_], FILES[type_]
    said = {name: file[name] for name in file if name not in {"examples", "chain"}}
    assert said == catalogue.entry(kind), "run python -m infra.catalogue"
    assert file["meaning"].endswith(".")
    assert file["rule"].endswith(".")
    Draft202012Validator.check_schema(file["schema"])


@pytest.mark.parametrize("type_", EVENTS)
def test_examples_are_as_they_were_published(type_):
    file = FILES[type_]
    assert file["examples"]
    assert catalogue.check(type_, file) == file["chain"], "run python -m infra.catalogue"


@pytest.mark.parametrize(("type_", "example"), EXAMPLES)
def test_an_example_is_still_read_and_still_means_something(type_, example):
    decider = DECIDERS[type_.split(".")[0]]
    # As the event store writes it, and as it reads it back.
    (event,) = decider.codec.validate_json(to_json([example]))
    assert type(event) is EVENTS[type_]
    assert isinstance(decider.fold([event]), type(decider.initial))
    assert decider.fold([event]) != decider.initial
    assert EVENTS[type_].model_validate_json(event.model_dump_json()) == event
    Draft202012Validator(FILES[type_]["schema"]).validate(example)


@pytest.mark.parametrize(("type_", "example"), EXAMPLES)
def test_nobody_who_hears_of_an_example_stumbles(type_, example):
    event = EVENTS[type_].model_validate(example)
    origin = Origin(
        command_id="c", digest="d", actor="a", method="reaction", at="2026-01-01T00:00:00Z"
    )
    for projection in registry.PROJECTIONS:
        if type_ in projection.types:
            # An event may bear on no row: that receivers were added changes nobody's subject.
            for key, part in projection.touched("stream-1", event):
                assert type(key) is str
                assert isinstance(projection.evolve(None, part), projection.row | None)
    for mail in registry.CORRESPONDENCE:
        if type_ in mail.types:
            notices = list(mail.routing.route("stream-1", event))
            # The portal hears of a dossier when its state there changes, and if there is a portal.
            assert notices or type_.startswith("dossier.")
    for reaction in registry.REACTIONS:
        if type_ in reaction.types:
            # Nothing may follow: most documents answer no question about a dossier.
            for decider, id_, command in reaction.react(event, origin):
                assert id_
                assert isinstance(decider, Decider)
                assert isinstance(command, Command)


@pytest.mark.parametrize("type_", EVENTS)
def test_a_newer_event_with_a_field_more_is_read(type_):
    example = FILES[type_]["examples"][0]
    newer = {**example, "a_field_of_tomorrow": 1}
    assert EVENTS[type_].model_validate(newer) == EVENTS[type_].model_validate(example)
    Draft202012Validator(FILES[type_]["schema"]).validate(newer)


def strings(data):
    if isinstance(data, dict):
        for value in data.values():
            yield from strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from strings(value)
    elif isinstance(data, str):
        yield data


def sealed(data):
    if isinstance(data, dict):
        if "sealed" in data:
            yield data
        for value in data.values():
            yield from sealed(value)
    elif isinstance(data, list):
        for value in data:
            yield from sealed(value)


@pytest.mark.parametrize(("type_", "example"), EXAMPLES)
def test_examples_are_invented(type_, example):
    # Z is the letter of no agency, no provider is called demo, and what is sealed begins with DEMO.
    invented = ("Z0", "000.00.00.Z0", "demo-")
    assert any(text.startswith(invented) for text in strings(example))
    assert all(part["sealed"].startswith("REVNT") for part in sealed(example))


def test_personal_values_are_published_sealed():
    published = json.dumps([file["schema"] for file in FILES.values()])
    assert "Personal" in published
    assert "mobile" not in published
    assert any(list(sealed(file["examples"])) for file in FILES.values())


FIRST, SECOND, THIRD = {"n": 1}, {"n": 2}, {"n": 3}


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param([FIRST, THIRD], id="the last one changed"),
        pytest.param([THIRD, SECOND], id="the first one changed"),
        pytest.param([FIRST], id="the last one removed"),
        pytest.param([SECOND], id="the first one removed"),
        pytest.param([SECOND, FIRST], id="moved"),
        pytest.param([FIRST, THIRD, SECOND], id="one put between"),
        pytest.param([], id="all removed"),
    ],
)
def test_a_touched_example_is_noticed(examples):
    chain = catalogue.links([FIRST, SECOND])
    with pytest.raises(catalogue.ExampleChanged):
        catalogue.check("demo", {"examples": examples, "chain": chain})


def test_an_appended_example_gets_its_link():
    chain = catalogue.links([FIRST, SECOND])
    grown = catalogue.check("demo", {"examples": [FIRST, SECOND, THIRD], "chain": chain})
    assert grown[:2] == chain
    assert grown == catalogue.links([FIRST, SECOND, THIRD])


def test_writing_the_catalogue_keeps_every_example(tmp_path):
    for type_, file in FILES.items():
        stale = {"type": type_, "meaning": "as it was", "schema": {}}
        old = {**stale, "examples": file["examples"], "chain": file["chain"][:1]}
        (tmp_path / f"{type_}.json").write_text(json.dumps(old), encoding="utf-8")
    catalogue.write(tmp_path)
    for path in catalogue.FOLDER.glob("*.json"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_writing_the_catalogue_stops_at_a_touched_example(tmp_path):
    type_ = "copy.received"
    file = FILES[type_]
    touched = {**file, "examples": [{**file["examples"][0], "note": "another"}]}
    path = tmp_path / f"{type_}.json"
    path.write_text(json.dumps(touched), encoding="utf-8")
    with pytest.raises(catalogue.ExampleChanged):
        catalogue.write(tmp_path)
    assert catalogue.read(path) == touched


# What was published stays readable: a change of a schema may only add.


@pytest.mark.parametrize(("type_", "example"), EXAMPLES)
def test_what_is_written_now_is_read_by_who_knows_only_the_published_schema(type_, example):
    # An old reader validates a new writer's event with the schema it has on file.
    written = EVENTS[type_].model_validate(example).model_dump(mode="json")
    Draft202012Validator(FILES[type_]["schema"]).validate(written)


BEFORE = {
    "type": "object",
    "properties": {
        "type": {"const": "demo.done"},
        "amount": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["a", "b"]},
        "note": {"type": "string"},
        "part": {"$ref": "#/$defs/Part"},
    },
    "required": ["type", "amount", "kind"],
    "$defs": {"Part": {"type": "object", "properties": {"n": {"type": "integer"}}}},
}


def changed(**properties):
    return {**BEFORE, "properties": {**BEFORE["properties"], **properties}}


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        pytest.param(BEFORE, [], id="nothing changed"),
        pytest.param(changed(more={"type": "string"}), [], id="a field more"),
        pytest.param(changed(kind={"enum": ["a", "b", "c"]}), [], id="a word more"),
        pytest.param(
            changed(note={"anyOf": [{"type": "string"}, {"type": "null"}]}), [], id="a type more"
        ),
        pytest.param(
            {**BEFORE, "properties": {k: BEFORE["properties"][k] for k in BEFORE["required"]}},
            ["/note is gone", "/part is gone"], id="fields removed",
        ),
        pytest.param(
            changed(kind={"enum": ["a"]}), ["/kind no longer takes 'b'"], id="a word less"
        ),
        pytest.param(
            changed(amount={"type": "string"}), ["/amount no longer takes integer"],
            id="another type",
        ),
        pytest.param(
            changed(amount={"type": "integer", "minimum": 1}), ["/amount: minimum is stricter"],
            id="a bound that is stricter",
        ),
        pytest.param(
            changed(note={"type": "string", "maxLength": 5}), ["/note: maxLength is stricter"],
            id="a bound that is new",
        ),
        pytest.param(
            {**BEFORE, "required": [*BEFORE["required"], "note"]}, ["/note became required"],
            id="a field that became required",
        ),
        pytest.param(
            {**BEFORE, "$defs": {"Part": {"type": "object", "properties": {}}}},
            ["/part/n is gone"], id="a field removed further in",
        ),
    ],
)  # fmt: skip
def test_a_breaking_change_is_named(after, broken):
    assert catalogue.breaks(BEFORE, after) == broken


def test_writing_the_catalogue_stops_at_a_breaking_change(tmp_path):
    file = FILES["copy.received"]
    schema = json.loads(json.dumps(file["schema"]))
    schema["properties"]["a_field_of_yesterday"] = {"type": "string"}
    path = tmp_path / "copy.received.json"
    path.write_text(json.dumps({**file, "schema": schema}), encoding="utf-8")
    with pytest.raises(catalogue.Breaking, match="a_field_of_yesterday is gone"):
        catalogue.write(tmp_path)
    assert catalogue.read(path)["schema"] == schema
