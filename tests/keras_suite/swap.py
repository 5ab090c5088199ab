"""Puts the classes of this package where Keras has its own."""

import importlib
import pkgutil
import sys
import types

import keras

import keras_optlab
from keras_optlab.conversion import built_in


def counterparts() -> dict[type, type]:
    """Our class for each built-in optimizer and schedule that we have a drop-in of.

    `built_in` leaves out what only has the name in common, such as the `Muon` of Keras 3.12.
    """
    optimizers = [
        getattr(keras_optlab.optimizers, name) for name in keras_optlab.optimizers.__all__
    ]
    pairs = {built_in(ours): ours for ours in optimizers}
    for name in keras_optlab.schedules.__all__:
        theirs = getattr(keras.optimizers.schedules, name, None)
        pairs[theirs] = getattr(keras_optlab.schedules, name)
    pairs.pop(None, None)
    return pairs


def swap() -> dict[type, type]:
    """Replace the built-ins in every module of Keras; returns what was replaced by what.

    A built-in is found by identity, so that a module which imported it under any name gets ours.
    The registries by name, which strings and configs are looked up in, are replaced too.

    `keras_optlab` is imported before. What it looks up in `keras.optimizers` later, in
    `from_keras` and the lab, finds our classes from then on; no test of Keras calls these.

    Raises:
        RuntimeError: If the built-in is still found where Keras looks for an optimizer.
    """
    pairs = counterparts()
    if keras.backend.backend() == "torch":
        _keep_torch_variants()
    for module in _modules_of_keras():
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value in pairs:
                setattr(module, name, pairs[value])
    all_objects = keras.src.optimizers.ALL_OBJECTS
    replaced = {pairs.get(cls, cls) for cls in all_objects}
    all_objects.clear()
    all_objects.update(replaced)
    for registry in (
        keras.src.optimizers.ALL_OBJECTS_DICT,
        keras.src.api_export.REGISTERED_NAMES_TO_OBJS,
    ):
        for name, value in registry.items():
            if isinstance(value, type) and value in pairs:
                registry[name] = pairs[value]
    found = type(keras.optimizers.get("adam"))
    if found is not keras_optlab.optimizers.Adam:
        raise RuntimeError(f'`keras.optimizers.get("adam")` is still a {found}.')
    return pairs


def _modules_of_keras() -> list[types.ModuleType]:
    return [
        module
        for name, module in list(sys.modules.items())
        if module is not None and (name == "keras" or name.startswith("keras."))
    ]


def _keep_torch_variants() -> None:
    """Leave the built-ins their variants for torch.

    On torch, Keras' base class makes a variant of its own of each class that stands in
    `keras.src.optimizers`, and would make one of ours: this only ever concerns built-ins.
    """
    package = importlib.import_module("keras.src.backend.torch.optimizers")
    built_ins = types.SimpleNamespace(**vars(keras.src.optimizers))
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        module = importlib.import_module(found.name)
        if getattr(module, "optimizers", None) is keras.src.optimizers:
            module.optimizers = built_ins
