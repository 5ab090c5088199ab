"""Write type stubs from the tables of arguments, for editors and type checkers.

    pip install -e ".[lint]"
    python tests/stubs.py            # writes a stub next to each module that has a table
    python tests/stubs.py --check    # fails if a stub is out of date

A stub is its module without the code: imports, and public functions and classes with their
signatures from the source. Each table is replaced by the constructor, with the names, order, kinds
and defaults of its signature, and by a property for each argument. A hyperparameter reads as a
number or as `Any`, since it may be a schedule, or a variable inside a compiled step; it can be set
to numbers and schedules. An argument that only decides what is built is a plain attribute, and one
that can never change is read-only.

An abstract class with a table keeps the constructor of its source, `(*args, **kwargs)`: the
arguments of a user's subclass are declared in that subclass, where no stub can see them.
"""

import argparse
import ast
import inspect
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# Use the package in this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras_optlab
from keras_optlab.arguments import domain as domains
from keras_optlab.arguments.declaration import REQUIRED, Argument, Declared, Fixed
from keras_optlab.arguments.domain import Domain
from keras_optlab.arguments.hyperparameter import Hyperparameter, LearningRate
from keras_optlab.arguments.schedule import NumberOrSchedule

PACKAGE = Path(keras_optlab.__file__).parent
HEADER = "# Written by tests/stubs.py from the tables of arguments. Do not edit.\n\n"

# Where to import the names used in argument types, for a module that does not import them itself.
# `collections.abc.Sequence` is left out, since a schedule here is called `Sequence`.
HOMES = {
    "Any": "typing",
    "Callable": "collections.abc",
    "LearningRateSchedule": "keras.optimizers.schedules",
    "Literal": "typing",
    "Path": "pathlib",
    "PathLike": "os",
}

# Decorators that a type checker must see, by the last part of their name.
TYPING_DECORATORS = {
    "abstractmethod",
    "cache",
    "cached_property",
    "classmethod",
    "contextmanager",
    "dataclass",
    "final",
    "overload",
    "property",
    "setter",
    "staticmethod",
}


# Types


def type_of(domain: Domain, is_stored: bool = False) -> str:
    """Return the type of the values that a domain accepts, or of those that it stores."""
    match domain:
        case domains.Boolean():
            return "bool"
        case domains.Integer():
            return "int"
        case domains.Real():
            return "float"
        case domains.NumberOrVariable():
            return "float" if is_stored else "float | keras.Variable"
        case NumberOrSchedule():
            return "float | LearningRateSchedule"
        case domains.Text() | domains.Name() | domains.Pattern():
            return "str"
        case domains.Choice(values):
            return f"Literal[{', '.join(map(repr, values))}]"
        case domains.FilePath():
            return "Path" if is_stored else "str | PathLike[str]"
        case domains.Function(arguments):
            return f"Callable[[{', '.join(['Any'] * arguments)}], Any]"
        case domains.PatternOrFunction():
            return "str | Callable[[Any], Any]"
        case domains.Instance(kind):
            return kind.__name__
        case domains.Listing(item):
            item = type_of(item, is_stored)
            return f"tuple[{item}, ...]" if is_stored else f"collections.abc.Sequence[{item}]"
        case domains.Optional(inner):
            return f"{type_of(inner, is_stored)} | None"
        case domains.WordOr(word, other):
            return f"Literal[{word!r}] | {type_of(other, is_stored)}"
    raise TypeError(
        f"{type(domain).__name__} has no Python type yet. Give it one in `type_of` of {__file__}."
    )


def accepted_type(argument: Argument) -> str:
    """Return the type that a constructor accepts for an argument."""
    found = type_of(argument.domain)
    if isinstance(argument, LearningRate):
        return f"{found} | keras.Variable | LearningRateSchedule | Callable[[], Any]"
    if isinstance(argument, Hyperparameter):
        return f"{found} | LearningRateSchedule" + " | None" * argument.optional
    return found


def read_type(argument: Argument) -> str:
    """Return the type of an argument read as an attribute."""
    if isinstance(argument, LearningRate):
        return "Any"
    if isinstance(argument, Hyperparameter):
        return f"{type_of(argument.domain)} | Any"
    return type_of(argument.domain, is_stored=True)


def type_of_value(value: Any, known: set[str]) -> str:
    """Return the type of a constant, or `Any` for parts not of built-in or `known` types."""

    def common(items: Iterable[Any]) -> str:
        kinds = {type_of_value(item, known) for item in items}
        return kinds.pop() if len(kinds) == 1 else "Any"

    if isinstance(value, tuple):
        return f"tuple[{common(value)}, ...]"
    if isinstance(value, dict):
        return f"dict[{common(value)}, {common(value.values())}]"
    kind = type(value).__name__
    return kind if kind in known or kind in ("bool", "float", "int", "str") else "Any"


# Tables


def table(cls: type) -> dict[str, Argument]:
    """Return the arguments that the class itself declares."""
    return {name: value for name, value in vars(cls).items() if isinstance(value, Argument)}


def classes_with_tables(base: type = Declared) -> Iterator[type]:
    """Yield all classes of the package that declare arguments."""
    for cls in base.__subclasses__():
        if table(cls) and cls.__module__.startswith(f"{keras_optlab.__name__}."):
            yield cls
        yield from classes_with_tables(cls)


def constructor(cls: type[Declared]) -> str:
    """Return the stub of `__init__` that the table of a class defines."""
    parameters = ["self"]
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        annotated = f"{parameter.name}: {accepted_type(cls.declared_arguments[parameter.name])}"
        is_required = parameter.default is REQUIRED
        parameters.append(annotated if is_required else f"{annotated} = {parameter.default!r}")
    return f"def __init__({', '.join(parameters)}) -> None: ..."


def is_variable_of_base(cls: type, name: str) -> bool:
    """Whether a base class annotates the name as a variable, which a property cannot override."""
    return any(name in vars(base).get("__annotations__", {}) for base in cls.__mro__[1:])


def attribute(cls: type, name: str, argument: Argument) -> str:
    """Return the stub of an argument as an attribute of the object."""
    getter = f"@property\ndef {name}(self) -> {read_type(argument)}: ..."
    if isinstance(argument, Hyperparameter):
        value = accepted_type(argument)
        return f"{getter}\n@{name}.setter\ndef {name}(self, value: {value}) -> None: ..."
    if isinstance(argument, Fixed) and not is_variable_of_base(cls, name):
        return getter
    return f"{name}: {read_type(argument)}"


# Modules


def is_public(name: str) -> bool:
    return not name.startswith("_") or name.startswith("__")


def names_in(statements: list[ast.stmt]) -> set[str]:
    """Return the names of classes and functions that statements define, and those they import."""
    found = set()
    for node in statements:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found.add(node.name)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def imported_elsewhere() -> dict[str, set[str]]:
    """Return the names that the package's modules import, by the module they import from."""
    found = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found[node.module] |= {alias.name for alias in node.names}
    return found


def stub_of_function(function: ast.FunctionDef) -> ast.FunctionDef:
    """Return a function without its code."""
    function.body = [ast.Expr(ast.Constant(...))]
    function.decorator_list = for_type_checkers(function.decorator_list)
    return function


def for_type_checkers(decorators: list[ast.expr]) -> list[ast.expr]:
    """Return the decorators that a type checker must see."""
    names = {each: ast.unparse(each).partition("(")[0].split(".")[-1] for each in decorators}
    return [each for each, name in names.items() if name in TYPING_DECORATORS]


def set_in_methods(node: ast.ClassDef) -> dict[str, str]:
    """Return the attributes that the methods of a class set, with their annotated types."""
    found: dict[str, str] = {}
    for each in ast.walk(node):
        match each:
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name("self"), attr=name)):
                found[name] = ast.unparse(each.annotation)
            case ast.Assign():
                for target in each.targets:
                    match target:
                        case ast.Attribute(value=ast.Name("self"), attr=name):
                            found.setdefault(name, "Any")
                        case ast.Subscript(
                            value=ast.Call(func=ast.Name("vars"), args=[ast.Name("self")]),
                            slice=ast.Constant(str(name)),
                        ):
                            found.setdefault(name, "Any")
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Call(func=ast.Name("vars"), args=[ast.Name("self")]), attr="update"
                )
            ):
                for keyword in each.keywords:
                    found.setdefault(keyword.arg or "", "Any")
    return {name: kind for name, kind in found.items() if name and is_public(name)}


def stub_of_class(node: ast.ClassDef, cls: type, known: set[str]) -> ast.ClassDef:
    """Return a class without its code, with the members that its table defines.

    Args:
        node: Definition of the class.
        cls: The class itself.
        known: Names that its module defines or imports.
    """
    arguments = table(cls)
    has_constructor = bool(arguments) and not inspect.isabstract(cls)
    lines = [constructor(cls)] if has_constructor else []
    # If a base class declares the argument too, the attribute is in its stub.
    listed = {name for base in cls.__mro__[1:] for name in table(base)}
    lines += [attribute(cls, name, each) for name, each in arguments.items() if name not in listed]
    lines += [
        f"{name}: {kind}"
        for name, kind in set_in_methods(node).items()
        if not hasattr(cls, name) and name not in vars(cls).get("__annotations__", {})
    ]
    body: list[ast.stmt] = ast.parse("\n".join(lines)).body
    for each in node.body:
        match each:
            case ast.FunctionDef(name="__init__") if has_constructor:
                pass
            case ast.FunctionDef(name=name) if is_public(name):
                is_property = isinstance(vars(cls)[name], property)
                if not (is_property and is_variable_of_base(cls, name)):
                    body.append(stub_of_function(each))
            case ast.AnnAssign(target=ast.Name(name)) if is_public(name) and name not in arguments:
                if issubclass(cls, Declared):
                    each.value = None
                body.append(each)
            case ast.Assign(targets=[ast.Name(name)]) if is_public(name) and name not in arguments:
                body += ast.parse(stub_of_value(cls, name, known)).body
    node.body = body or [ast.Expr(ast.Constant(...))]
    node.decorator_list = for_type_checkers(node.decorator_list)
    return node


def stub_of_value(cls: type, name: str, known: set[str]) -> str:
    """Return the stub of a class attribute; the arguments are as in `stub_of_class`."""
    if inspect.isfunction(vars(cls)[name]):
        return f"def {name}(self, *args: Any, **kwargs: Any) -> Any: ..."
    # An attribute that overrides one of a base class keeps the type declared there.
    is_inherited = any(hasattr(base, name) for base in cls.__mro__[1:])
    return "" if is_inherited else f"{name}: {type_of_value(vars(cls)[name], known)}"


def stub_of_module(name: str, exported: set[str]) -> str:
    """Return the unformatted stub of a module.

    Args:
        name: Full name of the module.
        exported: Names that other modules import from it.
    """
    module = sys.modules[name]
    source = ast.parse(inspect.getsource(module))
    statements: list[ast.stmt] = []
    for node in source.body:
        is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        statements += node.body if is_for_types else [node]
    known = names_in(statements)
    body: list[ast.stmt] = []
    for node in statements:
        match node:
            case ast.Import():
                body.append(node)
            case ast.ImportFrom():
                for alias in node.names:
                    if alias.name in exported:
                        alias.asname = alias.asname or alias.name
                body.append(node)
            case ast.FunctionDef(name=function) if is_public(function):
                body.append(stub_of_function(node))
            case ast.ClassDef(name=cls) if is_public(cls):
                body.append(stub_of_class(node, vars(module)[cls], known))
            case ast.AnnAssign(target=ast.Name(constant)) if is_public(constant):
                node.value = None
                body.append(node)
            case ast.Assign(targets=[ast.Name(constant)]) if is_public(constant):
                if isinstance(node.value, (ast.Attribute, ast.Name)):
                    body.append(node)
                else:
                    kind = type_of_value(vars(module)[constant], known)
                    body += ast.parse(f"{constant}: {kind}").body
    homes = HOMES | instances_in_tables(module)
    added = [f"from {home} import {new}" for new, home in homes.items() if new not in known]
    text = ast.unparse(ast.Module(body=body, type_ignores=[]))
    return HEADER + "\n".join(["import collections.abc", "import keras", *added, text]) + "\n"


def instances_in_tables(module: Any) -> dict[str, str]:
    """Return the module of each class whose instances a module's tables accept, by class name."""
    found: dict[str, str] = {}
    parts = [
        argument.domain
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, Declared)
        for argument in cls.declared_arguments.values()
    ]
    while parts:
        part = parts.pop()
        if isinstance(part, domains.Instance):
            found[part.type.__name__] = part.type.__module__
        parts += [inner for inner in vars(part).values() if isinstance(inner, Domain)]
    return found


def formatted(text: str, path: Path) -> str:
    """Return a stub without unused imports, in the format of the package."""
    mend = ["check", "--select", "F401,I001,UP037", "--fix", "--exit-zero", "--quiet"]
    for command in (mend, ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=PACKAGE.parent,
        ).stdout
    return text


def stubs() -> dict[Path, str]:
    """Return all stubs, by file."""
    exported = imported_elsewhere()
    found = {}
    for name in sorted({cls.__module__ for cls in classes_with_tables()}):
        path = Path(inspect.getfile(sys.modules[name])).with_suffix(".pyi")
        found[path] = formatted(stub_of_module(name, exported[name]), path)
    return found


def out_of_date(expected: dict[Path, str]) -> list[Path]:
    """Return the stub files that are outdated, missing, or no longer needed."""
    present = {path: path.read_text() for path in PACKAGE.rglob("*.pyi")}
    return sorted(path for path in present | expected if present.get(path) != expected.get(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")
    check = parser.parse_args().check
    expected = stubs()
    for path in (changed := out_of_date(expected)):
        done = "out of date" if check else "wrote" if path in expected else "removed"
        print(f"{done} {path.relative_to(PACKAGE.parent)}")
        if done == "wrote":
            path.write_text(expected[path])
        elif done == "removed":
            path.unlink()
    sys.exit(1 if check and changed else 0)


if __name__ == "__main__":
    main()
