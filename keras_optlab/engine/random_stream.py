"""Random numbers as a pure function of counters: no state advances, and a resume goes on exactly.

A number is a hash of the optimizer's saved seed, the step, the number of the variable, the hook,
the place of the draw within the hook's call, and the index of the element. A hook that is run again
in the same step gets the same numbers, and so does every backend: the hash has integers only.
"""

import math
import zlib
from types import SimpleNamespace
from typing import Any, final

import numpy as np
from keras import ops

# The slot that holds a variable's number among those that the optimizer is built with, and the name
# in `h` of the key of a step. Neither reaches a formula.
NUMBER = "stream_number"
KEY = "stream_key"

# Where the two halves of a key start (digits of pi). One half of 32 bits would make some of the
# keys of a long training equal.
START = np.array([0x243F6A88, 0x13198A2E], "int32")


@final
class RandomStream:
    """Random numbers, which a formula that says `draws = True` has as `h.random`.

    Args:
        key: Two integers, as a tensor.
        shape: The shape of the variable.
        dtype: The dtype of the arithmetic.
    """

    def __init__(self, key: Any, shape: tuple[int, ...], dtype: str) -> None:
        self._key = key
        self._shape = shape
        self._dtype = dtype
        self._draws = 0

    def uniform(self, shape: tuple[int, ...] | None = None) -> Any:
        """Multiples of 2**-24 in [0, 1), all equally likely.

        Args:
            shape: Their shape, or None for the variable's.
        """
        return ops.cast(self._uniform(shape), self._dtype)

    def normal(self, shape: tuple[int, ...] | None = None) -> Any:
        """Numbers of the normal distribution with mean 0 and variance 1, of size 5.8 at most.

        Those of float32 in float64 too, where backends differ in what they compute `cos` in.

        Args:
            shape: Their shape, or None for the variable's.
        """
        # By Box and Muller: `ops.erfinv` gives infinity near 1 on TensorFlow.
        radius = ops.sqrt(-2.0 * ops.log(1.0 - self._uniform(shape)))
        angle = 2.0 * math.pi * self._uniform(shape)
        return ops.cast(radius * ops.cos(angle), self._dtype)

    def of_hook(self, name: str) -> "RandomStream":
        """The stream of one call of a hook."""
        # Signed, as the integers are that it is added to.
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
    """What the numbers of one step are made from.

    Args:
        seed: Scalar, the optimizer's.
        step: Integer scalar.
    """
    key = scrambled(ops.convert_to_tensor(START) + ops.cast(seed, "int32"))
    return scrambled(key + ops.cast(step, "int32"))


def hand_in(slots: SimpleNamespace, h: SimpleNamespace, dtype: str) -> None:
    """Put the stream of a variable into `h`, and take away what it is made from.

    Args:
        slots: The variable's slots; without its number there is no stream.
        h: The numbers of the step, with `shape`.
        dtype: The dtype of the arithmetic.
    """
    number, key = vars(slots).pop(NUMBER, None), vars(h).pop(KEY, None)
    if number is not None:
        key = scrambled(key + ops.cast(number, "int32"))
        h.random = RandomStream(key, h.shape, dtype)


def for_hook(h: SimpleNamespace, name: str) -> SimpleNamespace:
    """`h` as one call of a hook gets it: a stream begins anew, and differs from other hooks'."""
    stream = getattr(h, "random", None)
    if not isinstance(stream, RandomStream):
        return h
    return SimpleNamespace(**vars(h) | {"random": stream.of_hook(name)})


def check_scope(cls: type) -> None:
    """Check that a class whose formula draws numbers gets variables whole.

    Raises:
        ValueError: If it claims that they may be cut.
    """
    if cls.draws and cls.scope.is_within_rows:
        raise ValueError(
            "A formula that draws random numbers needs each variable whole, since they depend on "
            f"an element's place in it. Expected `scope = Scope.VARIABLE` in {cls.__name__}, with "
            f"`draws = True`. Received: scope={cls.scope}. Leave `scope` out, or say "
            "`scope = Scope.VARIABLE` where a base class says otherwise."
        )


def scrambled(bits: Any) -> Any:
    """A hash of each 32-bit integer, whose bits are as good as independent of the number's.

    The multipliers are those of the "lowbias32" hash (Wellons, 2018).
    """
    bits = _folded(bits, 16) * 0x7FEB352D
    bits = _folded(bits, 15) * -0x7B935975
    return _folded(bits, 16)


def _folded(bits: Any, shift: int) -> Any:
    # An arithmetic shift, of which only the bits that a logical one has are kept.
    shifted = ops.bitwise_and(ops.right_shift(bits, shift), 2 ** (32 - shift) - 1)
    return ops.bitwise_xor(bits, shifted)
