"""Random numbers as a pure function of counters: stateless, and exact when training resumes.

Each number is a hash of the optimizer's saved seed, the step, the number of the variable, the hook,
the position of the draw within the hook's call, and the index of the element. A hook that runs
again in the same step gets the same numbers, and all backends agree: the hash uses only integers.
"""

import math
import zlib
from types import SimpleNamespace
from typing import Any, final

import numpy as np
from keras import ops

# The slot that holds a variable's index among the optimizer's variables, and the name in `h` of the
# key of a step. Hooks see neither.
NUMBER = "stream_number"
KEY = "stream_key"

# Initial values of the two halves of a key (digits of pi). With a single half of 32 bits, some keys
# of a long training run would collide.
START = np.array([0x243F6A88, 0x13198A2E], "int32")


@final
class RandomStream:
    """Random numbers for formulas that set `draws = True`, passed to them as `h.random`.

    Args:
        key: Tensor of two integers.
        shape: The shape of the variable.
        dtype: The dtype of the arithmetic.
    """

    def __init__(self, key: Any, shape: tuple[int, ...], dtype: str) -> None:
        self._key = key
        self._shape = shape
        self._dtype = dtype
        self._draws = 0

    def uniform(self, shape: tuple[int, ...] | None = None) -> Any:
        """Draw multiples of 2**-24 in [0, 1), all equally likely.

        Args:
            shape: Shape of the result, or None for the variable's.
        """
        return ops.cast(self._uniform(shape), self._dtype)

    def normal(self, shape: tuple[int, ...] | None = None) -> Any:
        """Draw from the standard normal distribution; absolute values are at most 5.8.

        With float64 too, they are computed in float32, since backends differ in the precision of
        a float64 `cos`.

        Args:
            shape: Shape of the result, or None for the variable's.
        """
        # Box-Muller transform: `ops.erfinv` returns infinity near 1 on TensorFlow.
        radius = ops.sqrt(-2.0 * ops.log(1.0 - self._uniform(shape)))
        angle = 2.0 * math.pi * self._uniform(shape)
        return ops.cast(radius * ops.cos(angle), self._dtype)

    def of_hook(self, name: str) -> "RandomStream":
        """Return the stream for one call of a hook."""
        # Signed, like the integers it is added to.
        number = zlib.crc32(name.encode()) - 2**31
        return RandomStream(scrambled(self._key + number), self._shape, self._dtype)

    def _uniform(self, shape: tuple[int, ...] | None) -> Any:
        shape = self._shape if shape is None else tuple(shape)
        key = scrambled(self._key + self._draws)
        self._draws += 1
        index = ops.reshape(ops.arange(math.prod(shape), dtype="int32"), shape)
        bits = scrambled(scrambled(index + key[0]) + key[1])
        return ops.cast(ops.bitwise_and(bits, 0xFFFFFF), "float32") * 2.0**-24


def key_of_step(seed: Any, step: Any) -> Any:
    """Return the key from which the random numbers of one step are derived.

    Args:
        seed: Scalar, the optimizer's seed.
        step: Integer scalar.
    """
    key = scrambled(ops.convert_to_tensor(START) + ops.cast(seed, "int32"))
    return scrambled(key + ops.cast(step, "int32"))


def hand_in(slots: SimpleNamespace, h: SimpleNamespace, dtype: str) -> None:
    """Add the stream of a variable to `h`, and remove the slot and the key that it is made from.

    Args:
        slots: The variable's slots; without `NUMBER` among them, no stream is added.
        h: The numbers of the step, including `shape`.
        dtype: The dtype of the arithmetic.
    """
    number, key = vars(slots).pop(NUMBER, None), vars(h).pop(KEY, None)
    if number is not None:
        key = scrambled(key + ops.cast(number, "int32"))
        h.random = RandomStream(key, h.shape, dtype)


def for_hook(h: SimpleNamespace, name: str) -> SimpleNamespace:
    """Return `h` for one call of a hook: its stream restarts, and differs from other hooks'."""
    stream = getattr(h, "random", None)
    if not isinstance(stream, RandomStream):
        return h
    return SimpleNamespace(**vars(h) | {"random": stream.of_hook(name)})


def check_scope(cls: type) -> None:
    """Check that a class that draws random numbers is given whole variables.

    Raises:
        ValueError: If it draws, but its scope allows variables to be cut.
    """
    if cls.draws and cls.scope.is_within_rows:
        raise ValueError(
            "A formula that draws random numbers needs whole variables, since the numbers depend "
            f"on an element's position. Expected `scope = Scope.VARIABLE` in {cls.__name__}, which "
            f"has `draws = True`. Received: scope={cls.scope}. Remove `scope`, or set "
            "`scope = Scope.VARIABLE` if a base class sets another."
        )


def scrambled(bits: Any) -> Any:
    """Hash each 32-bit integer, to bits that are practically independent of the input bits.

    The multipliers are those of the "lowbias32" hash (Wellons, 2018).
    """
    bits = _folded(bits, 16) * 0x7FEB352D
    bits = _folded(bits, 15) * -0x7B935975
    return _folded(bits, 16)


def _folded(bits: Any, shift: int) -> Any:
    # An arithmetic shift, masked to the bits that a logical shift would keep.
    shifted = ops.bitwise_and(ops.right_shift(bits, shift), 2 ** (32 - shift) - 1)
    return ops.bitwise_xor(bits, shifted)
