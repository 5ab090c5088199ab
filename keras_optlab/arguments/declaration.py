"""Declarative constructors: a class lists its arguments, and the rest follows from the list.

    class ExponentialDecay(Declared):
        initial_learning_rate: float = argument(NON_NEGATIVE)
        decay_steps: float = argument(POSITIVE)
        staircase: bool = argument(Boolean(), default=False)

provides the signature, the checks, `get_config` and `from_config`.
"""

import inspect
from enum import IntEnum
from typing import Any, ClassVar, final

from keras_optlab.arguments.domain import Domain, shown

REQUIRED = inspect.Parameter.empty


@final
class Section(IntEnum):
    """Sections of a signature, in order. Within one, arguments follow the class body's order."""

    OWN = 0
    SHARED = 1
    TRAILING = 2
    KEYWORD_ONLY = 3


class Argument:
    """One constructor argument: a checked attribute with a place in the signature.

    Args:
        domain: `Domain` of the allowed values.
        default: Value if the caller gives none; without a default, the argument is required.
        section: `Section` of the signature.
        keras_says: The sentence with which Keras rejects a value, for users who search for it.
    """

    def __init__(
        self,
        domain: Domain,
        default: Any = REQUIRED,
        section: Section = Section.OWN,
        keras_says: str = "",
    ) -> None:
        self.domain = domain
        self.default = default
        self.section = section
        self.keras_says = keras_says

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self.read(instance)

    def __set__(self, instance: Any, value: Any) -> None:
        self.write(instance, value)

    def read(self, instance: Any) -> Any:
        """Return the current value on an instance."""
        try:
            return vars(instance)[self.name]
        except KeyError:
            raise AttributeError(
                f"'{type(instance).__name__}' object has no attribute '{self.name}'"
            ) from None

    def normalize(self, value: Any) -> Any:
        """Return the value to store, or raise an error that names the argument."""
        return self.domain.check(self.name, value, self.keras_says)

    def write(self, instance: Any, value: Any) -> None:
        """Check and store a value on an instance."""
        vars(instance)[self.name] = self.normalize(value)

    def configuration(self, instance: Any) -> Any:
        """Return the value for `get_config`."""
        value = self.read(instance)
        return list(value) if isinstance(value, tuple) else value

    def original(self, instance: Any) -> Any:
        """Return the value as the constructor takes it."""
        return self.read(instance)

    def parameter(self) -> inspect.Parameter:
        """Return this argument as a parameter of the constructor's signature."""
        keyword_only = self.section is Section.KEYWORD_ONLY
        kind = (
            inspect.Parameter.KEYWORD_ONLY
            if keyword_only
            else inspect.Parameter.POSITIONAL_OR_KEYWORD
        )
        return inspect.Parameter(self.name, kind, default=self.default)


class Fixed(Argument):
    """An argument that cannot be changed, since objects made from it would not follow."""

    def write(self, instance: Any, value: Any) -> None:
        value = self.normalize(value)
        if self.name in vars(instance) and value != self.read(instance):
            kind = type(instance).__name__
            raise ValueError(
                f"`{self.name}` of this {kind} cannot be changed. Received: {self.name}="
                f"{shown(value)}; the current value is {shown(self.read(instance))}. Make a new "
                f"{kind}."
            )
        super().write(instance, value)


def argument(
    domain: Domain,
    default: Any = REQUIRED,
    section: Section = Section.OWN,
    keras_says: str = "",
) -> Any:
    """Declare an argument that is fixed when the object is made. See `Argument`."""
    return Fixed(domain, default, section, keras_says)


class Declared:
    """Base class for classes that declare their constructor arguments."""

    declared_arguments: ClassVar[dict[str, Argument]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        found = {
            name: value
            for ancestor in reversed(cls.__mro__)
            for name, value in vars(ancestor).items()
            if isinstance(value, Argument)
        }
        # The sort is stable: a redeclared argument takes the place of its last declaration.
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Argument)}
        order = {**{name: value for name, value in found.items() if name not in own}, **own}
        arguments = sorted(order.values(), key=lambda argument: argument.section)
        cls.declared_arguments = {argument.name: argument for argument in arguments}
        cls.__signature__ = inspect.Signature([argument.parameter() for argument in arguments])

    @classmethod
    def bind(cls, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return all constructor arguments by name, checked and with defaults filled in.

        Raises:
            TypeError: For an argument that is missing, unknown or given twice, or of a wrong type.
            ValueError: For an argument outside its domain.
        """
        try:
            bound = cls.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"{cls.__name__}: {error}. Its arguments are "
                f"{', '.join(cls.declared_arguments)}. Received: {len(args)} positional "
                f"argument(s) and keyword arguments {sorted(kwargs)}."
            ) from None
        bound.apply_defaults()
        return {
            name: cls.declared_arguments[name].normalize(value)
            for name, value in bound.arguments.items()
        }

    def configuration(self) -> dict[str, Any]:
        """Return the current values of all arguments, by name."""
        return {
            name: argument.configuration(self) for name, argument in self.declared_arguments.items()
        }
