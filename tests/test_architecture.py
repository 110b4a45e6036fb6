"""The rules that keep the folders honest; who may import whom is import-linter's business."""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

import chalicelib
from app import app
from chalicelib import contexts, registry
from chalicelib.http.identity import ROLES
from chalicelib.http.resource import Door, Resource
from chalicelib.kernel import Command, Event, Refused, Value
from chalicelib.projector.projection import Projection, event_types
from infra import catalogue

ROOT = Path(chalicelib.__path__[0])
MODULES = {
    found.name: importlib.import_module(found.name)
    for found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib.")
}
SOURCES = {name: Path(module.__file__) for name, module in MODULES.items()}
CONTEXTS = [found.name for found in pkgutil.iter_modules(contexts.__path__, "chalicelib.contexts.")]
DOMAINS = [name for name in MODULES if re.match(r"chalicelib\.contexts\.\w+\.domain(\.|$)", name)]
PURE = DOMAINS + [
    name
    for name in MODULES
    if re.match(r"chalicelib\.contexts\.(\w+\.)+(messages|reactions|projections)(\.|$)", name)
]
DECIDERS = catalogue.deciders()


def trees(names):
    return [pytest.param(ast.parse(SOURCES[name].read_text("utf-8")), id=name) for name in names]


def imported(tree):
    """Every module that is imported, also inside a function, with the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((node.module, alias.name) for alias in node.names)


def below(base):
    """Every class of the product under `base`."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("chalicelib."):
            yield kind
        yield from below(kind)


REFUSALS = sorted(set(below(Refused)), key=lambda kind: kind.__qualname__)


# The registry lists all there is.


def modules_called(name):
    """The contexts' modules of one file name, and what stands in them."""
    return [MODULES[f"{one}.{name}"] for one in CONTEXTS if f"{one}.{name}" in MODULES]


def test_every_contexts_routes_are_listed():
    found = {
        id(thing)
        for name, module in MODULES.items()
        if name.startswith("chalicelib.contexts.")
        for thing in vars(module).values()
        if isinstance(thing, Resource)
    }
    # What is wired with what a context may not import is made for the registry, by its `resource`.
    made = {
        name
        for name, module in MODULES.items()
        if name.startswith("chalicelib.contexts.")
        and inspect.isfunction(vars(module).get("resource"))
    }
    named = {
        id(resource): resource.blueprint._import_name
        for resource in registry.RESOURCES
        if resource.blueprint._import_name in made
    }
    assert modules_called("routes")
    assert sorted(named.values()) == sorted(made)
    assert found | named.keys() == {id(resource) for resource in registry.RESOURCES}
    listed = {id(blueprint) for blueprint in registry.BLUEPRINTS}
    assert {id(resource.blueprint) for resource in registry.RESOURCES} <= listed


def test_every_question_is_listed():
    files = [name for name in MODULES if re.search(r"\.projections\.\w+$", name)]
    answers = [MODULES[name].answer for name in files]
    assert Counter(map(id, answers)) == Counter(map(id, registry.PROJECTIONS))


def test_every_reaction_is_listed():
    # A part of a context may have its own.
    modules = [MODULES[name] for name in PURE if name.endswith(".reactions")]
    carried_out = [(inspect.unwrap(r.react), r.types) for r in registry.REACTIONS]
    assert {module.react for module in modules} == {react for react, _ in carried_out}
    for module in modules:
        listed = [types for react, types in carried_out if react is module.react]
        assert listed == [event_types(module.EVENTS)]


def test_every_correspondence_is_listed():
    modules = modules_called("messages")
    assert [(module.route, event_types(module.Told)) for module in modules] == [
        (inspect.unwrap(m.routing.route), m.types) for m in registry.CORRESPONDENCE
    ]
    assert all(event_types(m.routing.events) == m.types for m in registry.CORRESPONDENCE)
    assert [module.delivered for module in modules] == [
        inspect.unwrap(m.delivered) for m in registry.CORRESPONDENCE
    ]
    assert [module.refused for module in modules] == [m.refused for m in registry.CORRESPONDENCE]


def test_names_in_the_registry_are_not_given_twice():
    for names in (
        [projection.name for projection in registry.PROJECTIONS],
        [reaction.name for reaction in registry.REACTIONS],
        [deadline.name for deadline in registry.DEADLINES],
    ):
        assert len(set(names)) == len(names)


def test_what_falls_due_is_a_question_that_is_kept_current():
    for deadline in registry.DEADLINES:
        assert deadline.projection in registry.PROJECTIONS
        due = deadline.projection.row.model_fields[deadline.projection.sort].annotation
        assert "datetime" in str(due).lower(), "rows are ordered by when they fall due"


def test_what_is_listened_to_exists():
    known = catalogue.events()
    heard = [p.types for p in registry.PROJECTIONS]
    heard += [r.types for r in registry.REACTIONS] + [m.types for m in registry.CORRESPONDENCE]
    for types in heard:
        assert types.items() <= known.items()


# Who may call.


def listed_routes():
    return [(resource, route) for resource in registry.RESOURCES for route in resource.table]


def test_chalice_knows_exactly_the_routes_that_name_their_roles():
    known = {(path, method) for path, methods in app.routes.items() for method in methods}
    listed = [(route.path, route.method) for _, route in listed_routes()]
    assert known == set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    "route",
    [pytest.param(route, id=f"{route.method} {route.path}") for _, route in listed_routes()],
)
def test_a_route_names_its_roles(route):
    entry = app.routes[route.path][route.method]
    if isinstance(route.allow, Door):
        assert entry.authorizer is None
    else:
        assert route.allow
        assert route.allow <= ROLES
        assert entry.authorizer is not None
    assert route.view.__doc__


# Refusals.


def test_refusal_codes_are_unique_and_public():
    codes = Counter(kind.code for kind in REFUSALS)
    assert [code for code, count in codes.items() if count > 1] == []
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_says_what_is_the_matter(kind):
    assert "code" in vars(kind), "an inherited code is somebody else's"
    assert kind.__doc__
    assert "__doc__" in vars(kind)
    assert str(kind())


@pytest.mark.parametrize(
    "kind", [k for k in REFUSALS if k.__module__ in DOMAINS], ids=lambda kind: kind.__name__
)
def test_a_refusal_of_the_domain_names_its_rule(kind):
    assert kind.rule


# Purity.

OF_THE_WORLD = {
    *("asyncio", "http", "io", "logging", "os", "pathlib", "random", "secrets", "shutil"),
    *("socket", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid"),
}
SHARED = {
    "chalicelib.agency_code",
    "chalicelib.kernel",
    "chalicelib.privacy.personal",
    "chalicelib.working_time",
}


@pytest.mark.parametrize("tree", trees(DOMAINS))
def test_a_domain_stands_on_pydantic_and_the_standard_library(tree):
    for module, _ in imported(tree):
        assert module not in OF_THE_WORLD
        assert (
            module.split(".")[0] in sys.stdlib_module_names
            or module.split(".")[0] in {"pydantic", "pydantic_core"}
            or module in SHARED
            or module in DOMAINS
        )


@pytest.mark.parametrize("tree", trees(PURE))
def test_the_time_and_chance_arrive_inside_the_command(tree):
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"now", "utcnow", "today", "uuid1", "uuid4", "open", "read_text"}
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not named & {"open", "print", "input", "eval", "exec", "__import__"}


def test_only_runtime_reads_the_environment():
    readers = set()
    for name, source in SOURCES.items():
        tree = ast.parse(source.read_text("utf-8"))
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names = {taken for module, taken in imported(tree) if module == "os"}
        if (attributes | names) & {"environ", "environb", "getenv", "getenvb"}:
            readers.add(name)
    assert readers == {"chalicelib.runtime"}


# Names and words.


@pytest.mark.parametrize(("module", "decider"), DECIDERS.items(), ids=list(DECIDERS))
def test_events_are_named_by_their_category(module, decider):
    assert decider.category == module.rsplit(".", 1)[-1]
    for type_, kind in event_types(decider.events).items():
        category, fact = type_.split(".")
        assert category == decider.category
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", fact)
        assert kind.__name__ == "".join(word.title() for word in f"{category}_{fact}".split("_"))


def test_categories_are_not_shared():
    counted = Counter(decider.category for decider in DECIDERS.values())
    assert set(counted.values()) == {1}


def test_every_category_is_a_file_and_every_file_a_category_or_a_part_of_one():
    words = {"events", "domain"}
    files = {name for name in DOMAINS if name.rsplit(".", 1)[-1] not in words}
    # A category too long for one sitting is split; its parts serve the decider that imports them.
    parts = {
        part
        for name in DECIDERS
        for module, word in imported(ast.parse(SOURCES[name].read_text("utf-8")))
        for part in (module, f"{module}.{word}")
        if module.startswith(name.rsplit(".", 1)[0])
    }
    assert DECIDERS.keys() <= files <= DECIDERS.keys() | parts


def test_events_and_commands_stand_in_domains():
    for kind in (*below(Event), *below(Command)):
        assert kind.__module__ in DOMAINS


@pytest.mark.parametrize("name", DOMAINS)
def test_everything_in_a_domain_is_explained(name):
    module = MODULES[name]
    assert module.__doc__
    for word, thing in vars(module).items():
        mine = getattr(thing, "__module__", None) == name and not word.startswith("_")
        if mine and isinstance(thing, type) and issubclass(thing, Value | Refused):
            assert (vars(thing).get("__doc__") or "").strip(), word
    for decider in DECIDERS.values():
        assert decider.decide.__doc__


@pytest.mark.parametrize("question", registry.PROJECTIONS, ids=lambda question: question.name)
def test_a_projection_is_a_readers_question(question):
    assert isinstance(question, Projection)
    assert "?" in MODULES[question.evolve.__module__].__doc__.split("\n\n")[0]
    assert {question.by, question.sort} <= question.row.model_fields.keys()


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_contexts_front_page_is_words_only(name):
    tree = ast.parse(SOURCES[name].read_text("utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1
