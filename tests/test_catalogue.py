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
            assert isinstance(projection.evolve(None, event), projection.row | None)
            if projection.keys:
                # An event may bear on no row: that receivers were added changes nobody's subject.
                assert {type(key) for key in projection.keys(event)} <= {str}
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
    # Z is the letter of no agency, and what is sealed begins with the word DEMO.
    assert any(text.removeprefix("000.00.00.").startswith("Z0") for text in strings(example))
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
