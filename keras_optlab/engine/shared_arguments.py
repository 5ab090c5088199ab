"""The arguments that every optimizer has, as a table."""

from collections.abc import Sequence

from keras_optlab.arguments.declaration import Declared, Section
from keras_optlab.arguments.domain import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Choice,
    Integer,
    Name,
    Optional,
)
from keras_optlab.arguments.hyperparameter import (
    Hyperparameter,
    LearningRate,
    hyperparameter,
    option,
)
from keras_optlab.engine.clipping import CLIPPING
from keras_optlab.engine.groups import ParameterGroup
from keras_optlab.engine.own_arguments import group_list, settable_names, transform_list
from keras_optlab.engine.storage import SLOT_STORAGES
from keras_optlab.engine.transform import Transform

# Hyperparameters that the engine itself uses; all others belong to a formula.
ENGINE_HYPERPARAMETERS = (*CLIPPING, "ema_momentum")


class SharedArguments(Declared):
    """Arguments that come after those of the algorithm; abstract.

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
            every this many steps.
        loss_scale_factor: Float > 0 or None: the loss is multiplied and the gradients divided
            by it.
        gradient_accumulation_steps: Integer >= 2 or None: update once in this many steps, with
            the mean of their gradients.
        name: String or None, the prefix of variable paths.
        decoupled_weight_decay: Boolean. False puts the decay into the gradient instead (L2
            regularization), which for adaptive methods is not the same.
        groups: List of `ParameterGroup`. All that match a variable apply: their learning-rate
            multipliers multiply, and of two that set the same hyperparameter the last wins.
        transforms: List of `keras_optlab.transforms`, such as `[Cautious(), Lookahead()]`, which
            change gradient, step or weights around the algorithm, in this order.
        settable: List of hyperparameters that are 0 now, such as `["momentum"]`, and get their
            slots all the same, so that they can be set while training.
        jit_compile: `"auto"`, True or False: whether the formula is compiled where the step around
            it is not. `"auto"` does on TensorFlow (XLA, in graphs on CPU too) and JAX where it
            saves time, and on torch uses fused kernels and blocks that fit the cache, which need no
            compiler. True compiles formulas of any size (torch: `torch.compile`, which takes some
            seconds and a C++ compiler; formulas with periodic work, such as `SOAP`, stay
            uncompiled, and so do variables of under 262,144 elements whose formula needs them
            whole, with `Lamb`, `Adafactor` and `Muon`, which are updated side by side).
            False runs single operations.
        lazy: Boolean. With sparse gradients of embedding tables, True leaves parameters and
            slots of rows that were not looked up as they are: fast, and another algorithm than
            the dense one, whose momentum and decay go on in all rows. Weight decay then acts on
            the rows looked up. False is exact: rows are left out only where the formula would
            not change them. Sparse are gradients of `Embedding` on TensorFlow (`IndexedSlices`),
            of `torch.nn.Embedding(sparse=True)`, and a `BCOO` that a custom loop makes on JAX,
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
            100 batches and at the end of an epoch, in a custom compiled step at the next
            `optimizer.report_faults()`; until then, every step is skipped.
    """

    weight_decay: float | None = hyperparameter(None, NON_NEGATIVE, Section.SHARED)
    clipnorm: float | None = hyperparameter(None, POSITIVE, Section.SHARED)
    clipvalue: float | None = hyperparameter(None, POSITIVE, Section.SHARED)
    global_clipnorm: float | None = hyperparameter(None, POSITIVE, Section.SHARED)
    use_ema: bool = option(False, Boolean(), Section.SHARED)
    ema_momentum: float = hyperparameter(
        0.99,
        FRACTION,
        Section.SHARED,
        only_with="use_ema",
        keras_says="`ema_momentum` must be in the range [0, 1].",
    )
    ema_overwrite_frequency: int | None = option(
        None,
        Optional(Integer(1)),
        Section.SHARED,
        keras_says="`ema_overwrite_frequency` must be an integer >= 1 or None.",
    )
    loss_scale_factor: float | None = option(None, Optional(POSITIVE), Section.SHARED)
    gradient_accumulation_steps: int | None = option(
        None,
        Optional(Integer(2)),
        Section.SHARED,
        keras_says="`gradient_accumulation_steps` must be an integer >= 2.",
    )
    name: str | None = option(None, Optional(Name()), Section.SHARED)
    decoupled_weight_decay: bool = option(True, Boolean(), Section.KEYWORD_ONLY)
    groups: Sequence[ParameterGroup] | None = group_list()
    transforms: Sequence[Transform] | None = transform_list()
    settable: Sequence[str] | None = settable_names()
    jit_compile: str | bool = option("auto", Choice(("auto", True, False)), Section.KEYWORD_ONLY)
    lazy: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    slot_dtype: str | None = option(
        None, Optional(Choice(SLOT_STORAGES.keys())), Section.KEYWORD_ONLY
    )
    rounding: str = option(
        "compensated", Choice(("compensated", "stochastic", "nearest")), Section.KEYWORD_ONLY
    )
    nonfinite: str = option("apply", Choice(("apply", "skip", "raise")), Section.KEYWORD_ONLY)

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
