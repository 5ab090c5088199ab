"""Replace the built-ins of Keras by the classes of this package."""

import importlib
import pkgutil
import sys
import types

import keras

import keras_optlab
from keras_optlab.conversion import built_in


def counterparts() -> dict[type, type]:
    """Return our class for each built-in optimizer and schedule that it can replace.

    `built_in` leaves out classes that only share a name, such as the `Muon` of Keras 3.12.
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
    """Replace the built-ins in every module of Keras, and return the pairs of classes.

    Built-ins are found by identity, so a module that imported one under any name gets ours. The
    registries that look up strings and configs by name are updated too.

    `keras_optlab` is imported before. Its later lookups in `keras.optimizers`, in `from_keras` and
    the lab, find our classes; no test of Keras calls these.

    Raises:
        RuntimeError: If Keras still finds the built-in when it looks up an optimizer.
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
    """Restrict the torch variants to the built-ins.

    On torch, Keras' base class makes torch variants of the classes in `keras.src.optimizers`, and
    would do so for ours after the swap. The modules that do this get a stand-in for
    `keras.src.optimizers`, which still holds the built-ins.
    """
    package = importlib.import_module("keras.src.backend.torch.optimizers")
    built_ins = types.SimpleNamespace(**vars(keras.src.optimizers))
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        module = importlib.import_module(found.name)
        if getattr(module, "optimizers", None) is keras.src.optimizers:
            module.optimizers = built_ins
