"""The list arguments of every optimizer; a config includes them only if they matter."""

from collections.abc import Iterable
from typing import Any, final

import keras

from keras_optlab.arguments.declaration import Argument, Fixed, Section
from keras_optlab.arguments.domain import Instance, Listing, Optional, Text, shown
from keras_optlab.arguments.hyperparameter import Option
from keras_optlab.engine.groups import ParameterGroup
from keras_optlab.engine.transform import Transform


@final
class GroupList(Argument):
    """The `groups` argument, included in a config only if there are groups."""

    def __init__(self) -> None:
        super().__init__(Optional(Listing(Instance(ParameterGroup))), None, Section.KEYWORD_ONLY)

    def write(self, instance: Any, value: Any) -> None:
        """Check and store the groups; they are fixed once the optimizer is built."""
        if vars(instance).get("built", False):
            raise ValueError(
                "`groups` cannot be changed once the optimizer is built. "
                f"Received: groups={value!r}. Give them to the constructor."
            )
        super().write(instance, value)

    def configuration(self, instance: Any) -> Any:
        """Return the groups, serialized, or None if there are none."""
        return _serialized(self.read(instance))


@final
class TransformList(Fixed):
    """The `transforms` argument, included in a config only if there are transforms."""

    def __init__(self) -> None:
        super().__init__(Optional(Listing(Instance(Transform))), None, Section.KEYWORD_ONLY)

    def configuration(self, instance: Any) -> Any:
        """Return the transforms, serialized, or None if there are none."""
        return _serialized(self.read(instance))


@final
class SettableNames(Option):
    """The `settable` argument, included in a config only if it changes what is built."""

    def __init__(self) -> None:
        super().__init__(Optional(Listing(Text())), None, Section.KEYWORD_ONLY)

    def configuration(self, instance: Any) -> Any:
        """Return the names of hyperparameters that are in use despite having their off value."""
        names = [
            name
            for name, declared in instance.hyperparameters().items()
            if declared.off is not None
            and instance.uses(name)
            and declared.is_off(declared.read(instance))
        ]
        return names or None

    def write(self, instance: Any, value: Any) -> None:
        """Check and store the names; they are fixed once the optimizer is built."""
        declared = instance.hyperparameters()
        allowed = [name for name, each in declared.items() if each.off is not None]
        if not set(self.normalize(value) or ()) <= set(allowed):
            raise ValueError(
                f"`settable` may only name hyperparameters of {type(instance).__name__} that a "
                f"value of 0 switches off: {allowed}. Received: settable={shown(value)}."
            )
        super().write(instance, value)


def _serialized(objects: Iterable[Any] | None) -> list[Any] | None:
    return [keras.saving.serialize_keras_object(each) for each in objects or ()] or None


# Functions that return `Any`, as `option` does, so that type checkers accept each annotation.


def group_list() -> Any:
    """Declare `groups`."""
    return GroupList()


def transform_list() -> Any:
    """Declare `transforms`."""
    return TransformList()


def settable_names() -> Any:
    """Declare `settable`."""
    return SettableNames()
