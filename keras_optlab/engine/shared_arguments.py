"""The arguments shared by all optimizers, as a table."""

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
from keras_optlab.engine.list_arguments import group_list, settable_names, transform_list
from keras_optlab.engine.storage import SLOT_STORAGES
from keras_optlab.engine.transform import Transform

# Hyperparameters used by the engine; all others belong to a formula.
ENGINE_HYPERPARAMETERS = (*CLIPPING, "ema_momentum")


class SharedArguments(Declared):
    """Arguments of every optimizer, which follow those of the algorithm; abstract.

    Args:
        weight_decay: Float >= 0 or None: decoupled decay, parameter -= learning_rate *
            weight_decay * parameter before the update (Loshchilov & Hutter, 2019).
        clipnorm: Float > 0 or None: each gradient is scaled down to at most this norm.
        clipvalue: Float > 0 or None: each gradient element is clipped to +- this value.
        global_clipnorm: Float > 0 or None: all gradients together are scaled down to at most
            this norm. At most one of the three clipping arguments may be given.
        use_ema: Boolean: keep a moving average of the variables, which replaces them at the end of
            training.
        ema_momentum: Float in [0, 1], decay rate of this average.
        ema_overwrite_frequency: Integer >= 1 or None: overwrite the variables with their average
            each time this number of steps has passed.
        loss_scale_factor: Float > 0 or None: multiply the loss and divide the gradients by this
            factor.
        gradient_accumulation_steps: Integer >= 2 or None: number of steps per update, which uses
            the mean of their gradients.
        name: String or None, the prefix of variable paths.
        decoupled_weight_decay: Boolean. False adds the decay to the gradient instead (L2
            regularization), which is not the same for adaptive methods.
        groups: List of `ParameterGroup`. All groups that match a variable apply: their
            learning-rate multipliers multiply, and if several set the same hyperparameter, the last
            one wins.
        transforms: List of `keras_optlab.transforms`, such as `[Cautious(), Lookahead()]`, which
            change the gradient, the step or the weights around the algorithm, in list order.
        settable: List of hyperparameters, such as `["momentum"]`, that are 0 now but get their
            slots anyway, so that they can be set during training.
        jit_compile: `"auto"`, True or False: whether to compile the formula if the step around it
            is not compiled. `"auto"` compiles it on TensorFlow (XLA, in graphs on CPU too) and JAX
            where that saves time; on torch, it uses fused kernels and cache-sized blocks, which
            need no compiler. True compiles formulas of any size, on torch with `torch.compile`,
            which takes some seconds and a C++ compiler. There, formulas with periodic work, such as
            `SOAP`, stay uncompiled, and so do variables of under 262,144 elements whose formula
            needs them whole, as in `Lamb`, `Adafactor` and `Muon`; these are stacked and updated
            together. False runs the operations one by one.
        lazy: Boolean. With sparse gradients of embedding tables, True does not touch the parameters
            and slots of rows that were not looked up. This is fast, but a different algorithm from
            the dense one, where momentum and decay continue in all rows; weight decay acts only on
            the rows looked up. False is exact: rows are skipped only if the formula would not
            change them. Gradients are sparse for `Embedding` on TensorFlow (`IndexedSlices`) and
            for `torch.nn.Embedding(sparse=True)`; on JAX, Keras makes none, but a custom loop can
            pass a `BCOO`. `use_ema` averages all rows; clipping sees only the rows looked up.
        slot_dtype: `"bfloat16"`, `"float32"` or None: the dtype in which slots are stored. None is
            the dtype of the arithmetic (float32, or float64 for float64 variables). bfloat16 halves
            the state; slots are rounded stochastically, so that slow averages do not stall.
            All algorithms except `Ftrl` accept it; `ScheduleFreeAdamW` keeps z in float32.
        rounding: How bfloat16 and float16 variables keep updates smaller than their last bit.
            `"compensated"`: the rounding error is kept in a 16-bit slot and added back before the
            next step, so that training proceeds as with float32 variables (with all 24 bits of a
            float32 for bfloat16, 22 for float16). `"stochastic"`: round up or down at random,
            unbiased and without extra memory, seeded by `keras.utils.set_random_seed`.
            `"nearest"`: small updates are lost. Has no effect on float32 variables.
        nonfinite: What to do in a step whose gradients contain a NaN or an infinity. `"apply"`:
            apply them to the weights, as Keras does. `"skip"`: leave variables, slots and the step
            count unchanged; `skipped_steps` counts such steps, and the first one warns. `"raise"`:
            skip the step, then raise a `ValueError` with the variable's path: at the end of `apply`
            if it runs eagerly; in `fit` after the batch (on JAX after at most 100 batches, and at
            the end of an epoch); in a custom compiled step at the next
            `optimizer.report_faults()`. Until then, every step is skipped.
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
        """Return all hyperparameters except the learning rate, by name."""
        return {
            name: declared
            for name, declared in cls.declared_arguments.items()
            if isinstance(declared, Hyperparameter) and not isinstance(declared, LearningRate)
        }

    @classmethod
    def formula_hyperparameters(cls) -> dict[str, Hyperparameter]:
        """Return the hyperparameters of the formula, which may differ between groups, by name."""
        return {
            name: declared
            for name, declared in cls.hyperparameters().items()
            if name not in ENGINE_HYPERPARAMETERS
        }
