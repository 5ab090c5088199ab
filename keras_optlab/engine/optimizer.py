"""The base class: everything about an optimizer that is not its formula."""

import operator
import random
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_optlab.engine import backend, clipping, plan, sparse
from keras_optlab.engine.declaration import Argument, Declared, Section
from keras_optlab.engine.domain import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Choice,
    Instance,
    Integer,
    Listing,
    Name,
    Optional,
    Pattern,
    Text,
    shown,
)
from keras_optlab.engine.faults import Faults, all_finite, first_not_finite
from keras_optlab.engine.formula import Values
from keras_optlab.engine.groups import ParameterGroup
from keras_optlab.engine.hyperparameter import (
    Hyperparameter,
    LearningRate,
    LearningRateSchedule,
    Option,
    Setting,
    hyperparameter,
    option,
)
from keras_optlab.engine.keras_hooks import HookedOptimizer, held_value, is_attached
from keras_optlab.engine.rounding import LARGEST_SEED, is_half
from keras_optlab.engine.slots import Scalar, Slot
from keras_optlab.engine.state import ExtraState
from keras_optlab.engine.update import Update

CLIPPING = {
    "clipnorm": clipping.by_norm,
    "clipvalue": clipping.by_value,
    "global_clipnorm": clipping.by_global_norm,
}

# Hyperparameters that the engine itself uses; all others belong to a formula.
ENGINE_HYPERPARAMETERS = (*CLIPPING, "ema_momentum")


class GroupList(Argument):
    """The `groups` argument, shown in a config only where there are any."""

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
        """The groups, serialized."""
        groups = self.read(instance)
        return groups and [keras.saving.serialize_keras_object(group) for group in groups]


class SettableNames(Option):
    """The `settable` argument, shown in a config only where it changes what is built."""

    def __init__(self) -> None:
        super().__init__(Optional(Listing(Text())), None, Section.KEYWORD_ONLY)

    def configuration(self, instance: Any) -> Any:
        """Names of the hyperparameters that are in use though they stand at their off value."""
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
                f"`settable` names hyperparameters of {type(instance).__name__} that 0 switches "
                f"off, which are {allowed}. Received: settable={shown(value)}."
            )
        super().write(instance, value)


class Optimizer(Declared, HookedOptimizer):
    """Base class of all optimizers of this package; abstract.

    A subclass is a formula. It lists its arguments (`learning_rate`, `hyperparameter`,
    `option`), its `slots`, and a pure `update`:

        new_parameter, new_slots = update(parameter, gradient, slots, h)

    `slots` and `h` are namespaces. `h` holds the hyperparameters of this step by name, `h.t` the
    step counted from 1, `h.one_minus_<name>` for decay rates, and whatever `derive` adds. All
    are tensors of at least float32; nothing in the formula casts, looks up or assigns.

    Args:
        weight_decay: Float >= 0 or None: decoupled decay, parameter -= learning_rate *
            weight_decay * parameter before the update (Loshchilov & Hutter, 2019).
        clipnorm: Float > 0 or None: each gradient is scaled down to at most this norm.
        clipvalue: Float > 0 or None: each gradient element is clipped to +- this value.
        global_clipnorm: Float > 0 or None: all gradients together are scaled down to at most
            this norm. At most one of the three may be given.
        use_ema: Boolean: keep a moving average of the variables and end training on it.
        ema_momentum: Float in [0, 1], decay rate of that average.
        ema_overwrite_frequency: Integer >= 1 or None: overwrite the variables by their average
            every so many steps.
        loss_scale_factor: Float > 0 or None: the loss is multiplied and the gradients divided
            by it.
        gradient_accumulation_steps: Integer >= 2 or None: update once in so many steps, with
            the mean of their gradients.
        name: String or None, the prefix of variable paths.
        decoupled_weight_decay: Boolean. False puts the decay into the gradient instead (L2
            regularization), which for adaptive methods is not the same.
        groups: List of `ParameterGroup`; the first that matches a variable applies.
        settable: List of hyperparameters that are 0 now, such as `["momentum"]`, and get their
            slots all the same, so that they can be set while training.
        jit_compile: `"auto"`, True or False: whether the formula is compiled where the step around
            it is not. `"auto"` does on TensorFlow (XLA, in graphs on CPU too) and JAX where it
            saves time, and on torch uses fused kernels and blocks that fit the cache, which need no
            compiler. True compiles formulas of any size (torch: `torch.compile`, which takes some
            seconds and a C++ compiler; only variables of under 262,144 elements whose formula needs
            them whole, with `Lamb`, `Adafactor` and `Muon`, are updated side by side, uncompiled).
            False runs single operations.
        lazy: Boolean. With sparse gradients of embedding tables, True leaves parameters and
            slots of rows that were not looked up as they are: fast, and another algorithm than
            the dense one, whose momentum and decay go on in all rows. Weight decay then acts on
            the rows looked up. False is exact: rows are left out only where the formula would
            not change them. Sparse are gradients of `Embedding` on TensorFlow (`IndexedSlices`),
            of `torch.nn.Embedding(sparse=True)`, and a `BCOO` that your own loop makes on JAX,
            where Keras makes none. `use_ema` averages all rows, clipping sees those looked up.
        slot_dtype: `"bfloat16"`, `"float32"` or None, the dtype in which slots are kept; None is
            that of the arithmetic (float32, or float64 for float64 variables). bfloat16 halves
            the state; slots are rounded at random, so that slow averages do not stand still.
            All algorithms take it but `Ftrl`; `ScheduleFreeAdamW` keeps z in float32.
        rounding: How a bfloat16 or float16 variable keeps an update that is smaller than its last
            bit. `"compensated"`: what rounding takes away is kept in a slot of 16 bits and added
            before the next step, so that training goes as with float32 variables (all 24 bits of a
            float32 for bfloat16, 22 for float16). `"stochastic"`: rounded up or down at random,
            right in the mean, without memory; the bits come from `keras.utils.set_random_seed`.
            `"nearest"`: small updates are lost. Says nothing about float32 variables.
        nonfinite: What a step does whose gradients hold a NaN or an infinity. `"apply"`: what
            Keras does, the numbers reach the weights. `"skip"`: nothing; variables, slots and the
            step count stay as they are, `skipped_steps` counts it and the first one warns.
            `"raise"`: as `"skip"`, then a `ValueError` with the variable's path: at the end of
            `apply` where it runs eagerly; in `fit` after the batch, on JAX after at most
            100 batches and at the end of an epoch, in your own compiled step at the next
            `optimizer.report_faults()`; until then, every step is skipped.
    """

    weight_decay: float | None = hyperparameter(
        None, NON_NEGATIVE, Section.SHARED, cast_by_keras=True
    )
    clipnorm: float | None = hyperparameter(None, POSITIVE, Section.SHARED)
    clipvalue: float | None = hyperparameter(None, POSITIVE, Section.SHARED)
    global_clipnorm: float | None = hyperparameter(None, POSITIVE, Section.SHARED)
    use_ema: bool = option(False, Boolean(), Section.SHARED)
    ema_momentum: float = hyperparameter(0.99, FRACTION, Section.SHARED, only_with="use_ema")
    ema_overwrite_frequency: int | None = option(None, Optional(Integer(1)), Section.SHARED)
    loss_scale_factor: float | None = option(None, Optional(POSITIVE), Section.SHARED)
    gradient_accumulation_steps: int | None = option(None, Optional(Integer(2)), Section.SHARED)
    name: str | None = option(None, Optional(Name()), Section.SHARED)
    decoupled_weight_decay: bool = option(True, Boolean(), Section.KEYWORD_ONLY)
    groups: Sequence[ParameterGroup] | None = GroupList()
    settable: Sequence[str] | None = SettableNames()
    jit_compile: str | bool = option("auto", Choice(("auto", True, False)), Section.KEYWORD_ONLY)
    lazy: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    slot_dtype: str | None = option(
        None, Optional(Choice(("bfloat16", "float32"))), Section.KEYWORD_ONLY
    )
    rounding: str = option(
        "compensated", Choice(("compensated", "stochastic", "nearest")), Section.KEYWORD_ONLY
    )
    nonfinite: str = option("apply", Choice(("apply", "skip", "raise")), Section.KEYWORD_ONLY)

    # Optional hooks of a subclass. None where the formula has no use for them.
    #
    # scalars() -> dict of `Scalar`: state kept once for all variables.
    scalars: Callable[[], dict[str, Scalar]] | None = None
    # advance(state, h) -> dict: the new scalars, and anything else that then stands in `h`.
    advance: Callable[[Values, Values], dict[str, Any]] | None = None
    # derive(h) -> dict: what the formula needs once a step, not once a variable.
    derive: Callable[[Values], dict[str, Any]] | None = None
    # decay_name(variable) -> name of the hyperparameter that decays this variable.
    decay_name: Callable[[Any], str] | None = None
    # Whether `update` itself decays the parameter, by `h.decay`, which is None where nothing does.
    decays_in_update: ClassVar[bool] = False
    # What `update` needs of a whole variable: functions (parameter, gradient, slots, h) -> dict of
    # totals, taken one after another, each with those before it in `h`. A total over blocks of
    # rows is the sum of the blocks' totals. `h.shape` is the shape of the whole variable.
    totals: ClassVar[tuple[Callable[..., dict[str, Any]], ...]] = ()
    # Names of those totals that have one value for each row, which is of its block alone.
    totals_by_rows: ClassVar[tuple[str, ...]] = ()
    # needs_whole(variable) -> whether `update` needs it whole for another reason.
    needs_whole: Callable[[Any], bool] | None = None
    # Values in `h` that nearly always hold, by name. Where one does, it may stand in `h` as the
    # Python number itself, for which the formula is simpler (a root in place of a power).
    usual: ClassVar[dict[str, Any]] = {}
    # The order in which XLA need not copy anything; the numbers are the same in any other.
    # first_slots(parameter, gradient, slots, h) -> dict: new slots that `update` sees for the old.
    first_slots: Callable[..., dict[str, Any]] | None = None
    # Whether the new parameter is computed from old slots, and so before them.
    parameter_first: ClassVar[bool] = False
    # Slots that `update` writes and does not read.
    unread_slots: ClassVar[tuple[str, ...]] = ()
    # rests_at_zero() -> whether a zero gradient (without weight decay) changes nothing.
    rests_at_zero: Callable[[], bool] | None = None
    # Why `lazy=True` makes no sense, or why slots cannot be kept in bfloat16; "" where they can.
    not_lazy: ClassVar[str] = ""
    needs_exact_slots: ClassVar[str] = ""
    # Where training takes place at another point than evaluation, each from the other:
    # evaluation_point(parameter, slots, h) and training_point(parameter, slots, h) -> parameter.
    evaluation_point: Callable[[Any, Values, Values], Any] | None = None
    training_point: Callable[[Any, Values, Values], Any] | None = None

    @abstractmethod
    def slots(self, variable: Any) -> dict[str, Slot]:
        """The slots of a variable, by the name that `update` knows them by."""

    @abstractmethod
    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        """The formula: the new parameter and the new slots, from the old ones."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        package = cls.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package=package)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        values = self.bind(args, kwargs)
        rate, name = values.pop("learning_rate"), values.pop("name")
        super().__init__(learning_rate=rate, name=name, weight_decay=values["weight_decay"])
        # Not by setattr: Keras would take lists and dicts for state of its own to save.
        vars(self).update(
            extra_state=ExtraState(type(self).update.__qualname__, self._undo_load),
            exclusions=(set(), None),
            plans=[],
            scalar_state={},
            scale_setting=Setting(1.0),
            compiled=False,
            pending=None,
            before_load=None,
            rounding_seed=None,
            faults=None,
        )
        for argument_name, value in values.items():
            setattr(self, argument_name, value)
        self.check_combinations()

    def check_combinations(self) -> None:
        """Check what concerns several arguments; again in `build`, for what was set meanwhile.

        Raises:
            ValueError: For arguments that exclude each other, or that the algorithm cannot have.
        """
        refusals = {
            "lazy": self.lazy and self.not_lazy,
            "slot_dtype": self.slot_dtype == "bfloat16" and self.needs_exact_slots,
        }
        for refused, reason in refusals.items():
            if reason:
                raise ValueError(
                    f"{type(self).__name__} cannot have `{refused}`: {reason}. Received: "
                    f"{refused}={getattr(self, refused)!r}. Leave it out."
                )
        if self.lazy and self.gradient_accumulation_steps:
            raise ValueError(
                "`lazy` and `gradient_accumulation_steps` exclude each other, since accumulated "
                "gradients are dense. Received: lazy=True and gradient_accumulation_steps="
                f"{self.gradient_accumulation_steps}. Leave one of them out."
            )
        limits = {name: getattr(self, name) for name in CLIPPING}
        if sum(limit is not None for limit in limits.values()) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                + ", ".join(f"{name}={limit}" for name, limit in limits.items())
            )

    # Hyperparameters

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]:
        """All hyperparameters but the learning rate, by name."""
        return {
            name: declared
            for name, declared in cls.declared_arguments.items()
            if isinstance(declared, Hyperparameter) and not isinstance(declared, LearningRate)
        }

    @classmethod
    def formula_hyperparameters(cls) -> dict[str, Hyperparameter]:
        """Those that stand in the formula, and so may differ between groups."""
        return {
            name: declared
            for name, declared in cls.hyperparameters().items()
            if name not in ENGINE_HYPERPARAMETERS
        }

    def uses(self, name: str) -> bool:
        """Whether a hyperparameter is in use, in the optimizer or in one of its groups."""
        declared = self.hyperparameters()[name]
        if declared.setting(self).variable is not None or name in (self.settable or ()):
            return True
        values = [declared.setting(self).value]
        values += [group.overrides[name] for group in self.groups or () if name in group.overrides]
        return declared.is_needed(self) and not all(declared.is_off(value) for value in values)

    def setting_in_group(self, name: str, group: int) -> Setting:
        """The setting of a hyperparameter for a group, 0 being the variables in none."""
        declared = self.hyperparameters()[name]
        overrides = self.groups[group - 1].overrides if group else {}
        if name in overrides:
            return Setting(declared.normalize(overrides[name]))
        return declared.setting(self)

    def replace_learning_rate(self, value: Any) -> None:
        """Set the learning rate to a checked number, schedule or callable."""
        if isinstance(value, LearningRateSchedule) or (
            callable(value) and not isinstance(value, keras.Variable)
        ):
            if self.compiled:
                raise TypeError(
                    "The learning rate cannot become a schedule in a step that is compiled "
                    f"already. Received: learning_rate={value!r}. Make a new optimizer with it."
                )
            self.hold_learning_rate(value)
        elif isinstance(self.held_learning_rate, keras.Variable):
            self.held_learning_rate.assign(value)
        else:
            raise TypeError(
                "This optimizer was created with a schedule as its `learning_rate`, so it cannot "
                f"be set to a number. Received: learning_rate={value!r}. Set "
                "`learning_rate_scale` to multiply the schedule, or give a float to the "
                "constructor."
            )

    @property
    def learning_rate_scale(self) -> float:
        """Factor on a learning rate that is a schedule; 1.0 unless it was set."""
        return self.scale_setting.current()

    @learning_rate_scale.setter
    def learning_rate_scale(self, value: float) -> None:
        if not isinstance(self.held_learning_rate, LearningRateSchedule):
            raise TypeError(
                "`learning_rate_scale` is for optimizers whose learning rate is a schedule. "
                f"Received: learning_rate_scale={value!r} where it is a number. Set "
                "`learning_rate` itself."
            )
        self.scale_setting.store(NON_NEGATIVE.check("learning_rate_scale", value))

    # Building

    @property
    def variables(self) -> list[keras.Variable]:
        """The optimizer's variables, in the built-in's order.

        On JAX the hyperparameters follow, since a compiled step sees nothing but these.
        """
        if backend.STEP_SEES_ONLY_ITS_VARIABLES:
            return [*self.saved_variables, *self.extra_state.variables.values()]
        return self.saved_variables[:]

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Any] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Exclude variables from weight decay; to be called before the optimizer is built.

        Args:
            var_list: Variables to exclude.
            var_names: Regular expressions searched in a variable's name and path.

        Raises:
            ValueError: If the optimizer is built already, or a name is no regular expression.
            TypeError: If `var_names` is not a list of strings.
        """
        if self.built:
            raise ValueError(
                "`exclude_from_weight_decay()` can only be configured before the optimizer is "
                "built. Make a new optimizer, or call it before the first step."
            )
        if isinstance(var_names, str):
            raise TypeError(
                f"`var_names` must be a list of regular expressions. Received: var_names="
                f"{var_names!r}. Put it into a list."
            )
        names = list(var_names or ())
        for name in names:
            Pattern().check("var_names", name)
        identities = {self.identity(variable) for variable in var_list or ()}
        vars(self)["exclusions"] = (identities, re.compile("|".join(names)) if names else None)

    @backend.as_written
    def build(self, variables: Iterable[Any]) -> None:
        """Make the slots and hyperparameter variables for a list of variables.

        Raises:
            ValueError: If a group matches none of them or overrides what does not exist.
        """
        if self.built:
            return
        # Keras may build in the middle of tracing, where a saved state could not be taken over.
        with backend.outside_trace():
            self._build(list(variables))

    def _build(self, variables: list[Any]) -> None:
        self.check_combinations()
        groups = plan.assign_groups(self, variables)
        super().build(variables)
        vars(self)["plans"] = plan.make_plans(self, variables, groups)
        backend.prepare(self.plans, variables, held_value)
        vars(self)["dtype"] = plan.widest(plan.arithmetic_dtype(v) for v in variables)
        with keras.name_scope(self.name, caller=self):
            for group in sorted({0, *groups}):
                self.scalar_state[group] = self._build_scalars(group)
            self._build_settings()
            if self.training_point:
                vars(self)["evaluating"] = self.extra_state.add("evaluating", 0.0, "float32")
            if self.rounding == "stochastic" and any(is_half(v.dtype) for v in variables):
                seed = random.randrange(LARGEST_SEED)
                vars(self)["rounding_seed"] = self.extra_state.add("rounding_seed", seed, "float32")
            if self.nonfinite != "apply":
                vars(self)["faults"] = Faults(self.extra_state)
        # The one attribute that is set in the open, since `tf.train.Checkpoint` follows attributes.
        self.checkpointed = backend.checkpointed(self.extra_state.variables)
        self.extra_state.checkpointed = self.checkpointed
        if self.pending:
            extra = self.extra_state.contents()
            self.restore(self.pending)
            self.extra_state.restore(extra)

    def add_variable_from_reference(
        self,
        reference_variable: Any,
        name: str | None = None,
        initializer: Any = "zeros",
        dtype: str | None = None,
    ) -> keras.Variable:
        """Make state of the shape of a variable.

        Args:
            reference_variable: The variable.
            name: String, the end of its name.
            initializer: Initializer, or the name of one.
            dtype: String; None for that of the arithmetic: averages and sums of half-precision
                variables would stand still in their own.
        """
        dtype = dtype or plan.arithmetic_dtype(reference_variable)
        if dtype == keras.backend.standardize_dtype(reference_variable.dtype):
            return super().add_variable_from_reference(reference_variable, name, initializer)
        return self.add_variable(
            shape=reference_variable.shape,
            initializer=initializer,
            dtype=dtype,
            layout=self.layout_of(reference_variable),
            name=f"{plan.path_of(reference_variable).replace('/', '_')}_{name or 'var'}",
        )

    def _build_scalars(self, group: int) -> dict[str, keras.Variable]:
        state = {}
        for name, scalar in (self.scalars() if self.scalars else {}).items():
            if scalar.saved_by_keras and group == 0:
                state[name] = self.add_variable(
                    shape=(),
                    initializer=keras.initializers.Constant(scalar.initial),
                    dtype=self.dtype,
                    name=name,
                )
            else:
                saved_as = f"group_{group}_{name}" if group else name
                state[name] = self.extra_state.add(saved_as, scalar.initial, self.dtype)
        return state

    def _build_settings(self) -> None:
        for name, declared in self.hyperparameters().items():
            setting = declared.setting(self)
            if not self.uses(name) or setting.value is None or setting.is_schedule:
                continue
            number = setting.value
            setting.variable = self.extra_state.add(name, number, self.dtype)
            if declared.complement == "exact":
                complement = self.extra_state.add(f"one_minus_{name}", 1.0 - number, self.dtype)
                setting.complement = complement
        if isinstance(self.held_learning_rate, LearningRateSchedule):
            scale = self.scale_setting
            scale.variable = self.extra_state.add("learning_rate_scale", scale.value, "float32")

    # The step

    @backend.as_written
    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update the variables by their gradients.

        Args:
            grads: List of gradients, one a variable; None for a variable that has none.
            trainable_variables: List of variables, which builds the optimizer where it is not
                built yet. None for those that it was built with.
        """
        vars(self)["before_load"] = None
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
        variables = trainable_variables or (self.built_on if self.built else [])
        # Where the numbers differ, Keras says so.
        if len(variables) == len(grads):
            pairs = zip(grads, variables, strict=True)
            grads = [
                sparse.RowGradient.of(*pair) if backend.is_sparse(pair[0]) else pair[0]
                for pair in pairs
            ]
            # Keras clips and accumulates the gradients of each replica and sums them later: other
            # weights than one device gives, and a sum that no branch of a condition may take.
            grads = sparse.sum_over_replicas(grads, variables)
            if self.gradient_accumulation_steps:
                grads = [
                    gradient if gradient is None else as_summed(gradient, variable)
                    for gradient, variable in zip(grads, variables, strict=True)
                ]
        if self.nonfinite == "apply" or all(gradient is None for gradient in grads):
            super().apply(grads, trainable_variables)
        else:
            if not self.built:
                with keras.name_scope(self.name, caller=self):
                    self.build(variables)
            self._apply_if_finite(super().apply, grads, variables)

    def _apply_if_finite(
        self, apply: Callable[[list, list], None], grads: list[Any], variables: list[Any]
    ) -> None:
        """Take a step if all gradients are finite, and else count it as skipped."""
        pairs = [pair for pair in zip(grads, variables, strict=False) if pair[0] is not None]
        given = [gradient for gradient, _ in pairs]
        stops = self.nonfinite == "raise"

        def note() -> None:
            numbers = ops.convert_to_tensor([self.position(variable) for _, variable in pairs])
            self.faults.note(ops.take(numbers, first_not_finite(given)))

        backend.conditionally(
            self.faults.allow(all_finite(given), stops),
            lambda: apply(grads, variables),
            note,
            [*self.built_on, *self.variables],
        )
        if backend.to_host(self.step_count) is not None:
            self.report_faults()

    @property
    def skipped_steps(self) -> int:
        """How many steps were left out because a gradient was not finite; saved with the state."""
        return self.faults.count() if self.faults else 0

    def report_faults(self) -> None:
        """Warn of the first step that was skipped, or raise, as `nonfinite` says.

        `fit` calls it, and so does `apply` where it runs eagerly: it is for compiled steps of your
        own, which can do neither.

        Raises:
            ValueError: With `nonfinite="raise"`, if a gradient was not finite; once for each.
        """
        if self.faults:
            self.faults.report(self.built_on, self.nonfinite == "raise")

    def clip(self, gradients: list[Any]) -> list[Any]:
        """The gradients, clipped as the arguments say."""
        for name, function in CLIPPING.items():
            if self.uses(name):
                limit = self.setting_in_group(name, 0).tensor(self.step_count, self.dtype)
                values = function([sparse.values_of(gradient) for gradient in gradients], limit)
                return [sparse.with_values(*pair) for pair in zip(gradients, values, strict=True)]
        return gradients

    def step_values(
        self, own_plans: Iterable[plan.Plan], learning_rate: Any
    ) -> dict[str, dict[str, Any]]:
        """The hyperparameters of this step, and what derives from them, by `Plan.key`."""
        if backend.to_host(self.step_count) is None:
            vars(self)["compiled"] = True
        plans = {own.key: own for own in own_plans if not own.frozen}
        state = {
            group: self._advance(group, learning_rate)
            for group in sorted({shared.group for shared in plans.values()})
        }
        values = {}
        for key, shared in plans.items():
            values[key] = self._scheduled(shared.group, shared.dtype, learning_rate)
            if self.training_point:
                # A copy, since the variable is set back before the formula reads this.
                values[key]["evaluating"] = ops.copy(self.evaluating)
            if self.rounding_seed is not None:
                # A copy, since TensorFlow would take a variable for an argument of another kind.
                values[key]["rounding_seed"] = ops.copy(self.rounding_seed)
            for name, value in state[shared.group].items():
                values[key][name] = ops.cast(value, shared.dtype)
            if self.derive:
                values[key] |= self.derive(Values(**values[key]))
        if self.training_point:
            self.assign(self.evaluating, 0.0)
        return values

    def _scheduled(self, group: int, dtype: str, learning_rate: Any) -> dict[str, Any]:
        """Step count and hyperparameters as scalars of `dtype`, for one group."""
        values = {
            "t": ops.cast(self.iterations + 1, dtype),
            "learning_rate": ops.cast(learning_rate, dtype),
        }
        if group:
            multiplier = self.groups[group - 1].learning_rate_multiplier
            values["learning_rate"] = values["learning_rate"] * multiplier
        for name, declared in self.formula_hyperparameters().items():
            setting = self.setting_in_group(name, group)
            if setting.value is None or not self.uses(name):
                continue
            values[name] = setting.tensor(self.step_count, dtype, declared.rounded)
            if declared.complement == "exact":
                complement = setting.complement_tensor(self.step_count, dtype)
                values[f"one_minus_{name}"] = complement
            elif declared.complement == "rounded":
                values[f"one_minus_{name}"] = 1.0 - values[name]
        return values

    def _advance(self, group: int, learning_rate: Any) -> dict[str, Any]:
        """Move the scalar state of a group on by one step, and return it."""
        if not self.scalar_state[group]:
            return {}
        state = self.scalar_state[group]
        old = {name: ops.convert_to_tensor(variable) for name, variable in state.items()}
        h = Values(**self._scheduled(group, self.dtype, learning_rate))
        new = self.advance(Values(**old), h)
        for name, variable in state.items():
            self.assign(variable, new[name])
        return new

    def update_all(
        self, gradients: Sequence[Any], variables: Sequence[Any], learning_rate: Any
    ) -> None:
        """Run the formulas on all variables of a step."""
        plans = self._plans_of(variables)
        values = self.step_values(plans, learning_rate)
        updates = []
        for gradient, variable, own in zip(gradients, variables, plans, strict=True):
            if own.frozen:
                continue
            if isinstance(gradient, sparse.RowGradient):
                if self._updates_rows_alone(own):
                    sparse.run(Update(variable, gradient, own, values[own.key]))
                    continue
                gradient = gradient.dense()
            updates.append(Update(variable, gradient, own, values[own.key]))
        backend.run(updates, self.jit_compile)

    def _plans_of(self, variables: Sequence[Any]) -> list[plan.Plan]:
        """The plans of the variables of a step, which mostly are those that there are."""
        if len(variables) == len(self.plans) and all(map(operator.is_, variables, self.built_on)):
            return self.plans
        return [self.plans[self.position(variable)] for variable in variables]

    def _updates_rows_alone(self, own: plan.Plan) -> bool:
        """Whether the rows of a table that were not looked up stay as they are."""
        rests = self.rests_at_zero and self.rests_at_zero() and not own.formula.weight_decay
        return bool(self.lazy or rests)

    # Training at one point, evaluating at another

    def to_evaluation_point(self) -> None:
        """Move the variables to where the model is to be evaluated and saved.

        For the few algorithms that train elsewhere (`ScheduleFreeAdamW`); `fit`, `evaluate` and
        `predict` call it themselves. The training point is kept, to the last bit.
        """
        if self.evaluation_point is None or not self.built or self.is_evaluating:
            return
        for n, variable in enumerate(self.built_on):
            point = ops.copy(variable)
            self.extra_state.keep(training_point_name(n), point)
            variable.assign(self._point(self.evaluation_point, n, point))
        self.evaluating.assign(1.0)

    def to_training_point(self) -> None:
        """Move the variables back to where training goes on; see `to_evaluation_point`.

        Where somebody has changed a variable in between, training goes on from there.
        """
        if self.training_point is None or not self.built or not self.is_evaluating:
            return
        self.fetch_training_point()
        for n, variable in enumerate(self.built_on):
            kept = self.extra_state.take(training_point_name(n))
            if kept is None:
                kept = self._point(self.training_point, n, variable)
            elif not ops.all(self._point(self.evaluation_point, n, kept) == variable.value):
                kept = ops.copy(variable)
                for name, slot in self.slots(variable).items():
                    if callable(slot.initial):
                        self.plans[n].slots[name].assign(ops.copy(slot.initial(variable)))
            variable.assign(kept)
        self.evaluating.assign(0.0)

    def fetch_training_point(self) -> None:
        """Have the training point here that a restored checkpoint of TensorFlow holds."""
        if self.built and self.is_evaluating:
            for n, variable in enumerate(self.built_on):
                self.extra_state.fetch(training_point_name(n), variable)

    @property
    def is_evaluating(self) -> bool:
        """Whether the variables are at the evaluation point, not where training goes on."""
        return self.training_point is not None and bool(backend.to_host(self.evaluating) > 0)

    def _point(self, formula: Callable[[Any, Values, Values], Any], n: int, point: Any) -> Any:
        """What a formula makes of a value of variable number `n`."""
        own = self.plans[n]
        if own.frozen or not own.slots:
            return ops.convert_to_tensor(point)
        with backend.no_gradient():
            h = Values(**self._scheduled(own.group, own.dtype, self.learning_rate))
            slots = {name: ops.cast(slot, own.dtype) for name, slot in own.slots.items()}
            result = formula(ops.cast(point, own.dtype), Values(**slots), h)
            return ops.cast(result, self.built_on[n].dtype)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Leave the variables as they are to be kept; Keras calls it at the end of `fit`."""
        # Keras also comes here after an error that left the variables without values (JAX).
        if not is_attached(self.step_count):
            return
        super().finalize_variable_values(var_list)
        if self.training_point and not self.use_ema:
            self.to_evaluation_point()

    # Saving

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments with their current values.

        Arguments that Keras does not have are there only where they differ from their default,
        so that a built-in takes the config too.
        """
        return {
            name: value
            for name, value in self.configuration().items()
            if self.declared_arguments[name].section is not Section.KEYWORD_ONLY
            or value != self.declared_arguments[name].default
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "Optimizer":
        """An optimizer from what `get_config` returned, a built-in's config included."""
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value, custom_objects)
                if isinstance(value, (dict, list))
                else value
                for name, value in config.items()
            }
        )

    def save_own_variables(self, store: Any) -> None:
        """Write the variables that a built-in has too, in its layout."""
        # Comes before the extra state, in which it is written.
        self.fetch_training_point()
        for position, variable in enumerate(self.saved_variables):
            # A built-in reads no bfloat16; float32 holds it exactly.
            is_half = keras.backend.standardize_dtype(variable.dtype) == "bfloat16"
            value = ops.cast(variable, "float32") if is_half else variable
            store[str(position)] = ops.convert_to_numpy(value)

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` of this optimizer or of the built-in wrote.

        An optimizer that is not built yet keeps the state and takes it over when it is.

        Raises:
            ValueError: If the state is not that of this optimizer; nothing is changed then.
        """
        state = [np.asarray(store[str(n)]) for n in range(len(store.keys()))]
        # A file of weights alone, such as pretrained ones, says nothing about the optimizer.
        if state:
            # The extra state, which comes next in a file, may show that the file is another's.
            vars(self)["before_load"] = self._state() if self.built else (None, {})
            self.restore(state)

    def _state(self) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
        """All state, on the host."""
        self.fetch_training_point()
        state = [np.array(ops.convert_to_numpy(variable)) for variable in self.saved_variables]
        return state, self.extra_state.contents()

    def _undo_load(self) -> None:
        if self.before_load:
            state, extra = self.before_load
            vars(self).update(pending=None, before_load=None)
            if state:
                self.restore(state)
            self.extra_state.restore(extra)

    def restore(self, state: list[np.ndarray]) -> None:
        """Take over the values of the variables that a built-in has too, in its order."""
        if not self.built:
            vars(self)["pending"] = state
            return
        found = [tuple(value.shape) for value in state]
        expected = [tuple(variable.shape) for variable in self.saved_variables]
        if found != expected:
            raise ValueError(
                f"The saved state is not that of this {type(self).__name__} and these variables, "
                f"so nothing was loaded. Expected {len(expected)} arrays of shapes {expected}. "
                f"Received: {len(found)} of shapes {found}. Load it into the optimizer, with the "
                "arguments and the model, that it was saved from."
            )
        for variable, value in zip(self.saved_variables, state, strict=True):
            variable.assign(value)
        self._forget_extra_state()
        vars(self)["pending"] = None

    def _forget_extra_state(self) -> None:
        """Start the state that built-ins lack afresh; a file of ours restores it right after."""
        self.extra_state.forget()
        if self.training_point:
            self.evaluating.assign(0.0)
        for state in self.scalar_state.values():
            for name, variable in state.items():
                scalar = self.scalars()[name]
                if not scalar.saved_by_keras:
                    variable.assign(scalar.initial)

    def __reduce__(self) -> tuple:
        """Pickling and copying keep the state, for the variables that the copy is built with."""
        arguments = {
            name: declared.original(self) for name, declared in self.declared_arguments.items()
        }
        state, extra = self._state()
        return _rebuild, (
            type(self),
            arguments,
            state if self.built else self.pending,
            {**self.extra_state.pending, **extra},
            self.exclusions[1],
        )


def training_point_name(n: int) -> str:
    """The name in files of the point to which variable number `n` goes back to train."""
    return f"training_point_{n}"


def as_summed(gradient: Any, variable: Any) -> Any:
    """A gradient as it is added to those of earlier steps."""
    return ops.cast(sparse.dense(gradient), plan.arithmetic_dtype(variable))


def _rebuild(
    cls: type[Optimizer],
    arguments: dict[str, Any],
    state: list[np.ndarray] | None,
    extra: dict[str, np.ndarray],
    excluded_pattern: re.Pattern | None,
) -> Optimizer:
    optimizer = cls(**arguments)
    vars(optimizer)["pending"] = state
    optimizer.extra_state.restore(extra)
    vars(optimizer)["exclusions"] = (set(), excluded_pattern)
    return optimizer


def optimizers_of(model: Any) -> list[Optimizer]:
    """The optimizers of this package that train a model, wrapped ones included."""
    found = [getattr(model, "optimizer", None)]
    found += [getattr(optimizer, "inner_optimizer", None) for optimizer in found]
    found += [inner for optimizer in found for inner in getattr(optimizer, "optimizers", ())]
    return [optimizer for optimizer in found if isinstance(optimizer, Optimizer)]
