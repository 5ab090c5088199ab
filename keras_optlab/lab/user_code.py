"""User functions that are named on the command line and called by subcommands."""

import difflib
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_optlab.lab.errors import InputError


def load_function(spec: str, what: str) -> Callable[..., Any]:
    """Load the function, or any other callable, named by `module:function` or `FILE:function`.

    Modules are also looked up in the current folder, as by `python -m`, and a file's imports in the
    folder of the file, as by `python FILE`. An `InputError` says `what` needs it.
    """
    source, _, name = spec.rpartition(":")
    if not source or not name:
        raise InputError(
            f"{what} takes module:function or path/to/file.py:function. Received: {spec}"
        )
    path = Path(source).resolve() if source.endswith(".py") else None
    folder = str(path.parent if path else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = load_file(path) if path else importlib.import_module(source)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{what}: cannot import {path or source}: {reason}") from error
    function = getattr(module, name, None)
    if not callable(function):
        functions = [each for each, value in vars(module).items() if callable(value)]
        close = difflib.get_close_matches(name, functions, 1)
        hint = f": did you mean {close[0]}?" if close else ""
        raise InputError(f"{what}: {source} has no function {name!r}{hint}")
    return function


def load_file(path: Path) -> types.ModuleType:
    """Load a module from a file; a file that was loaded before is not run again."""
    # A file may share its name with a module that others still need, such as `keras.py`.
    names = path.stem, f"_user_code_{path.stem}"
    for loaded in filter(None, map(sys.modules.get, names)):
        if getattr(loaded, "__file__", None) == str(path):
            return loaded
    name = names[path.stem in sys.modules]
    specification: Any = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def call(function: Callable[[], Any], what: str) -> Any:
    """Call a user's function, and turn its errors into an `InputError`."""
    try:
        return function()
    except Exception as error:
        raise InputError(f"{what} failed: {type(error).__name__}: {error}") from error
