"""Custom training steps, written as in Keras' guides for each backend."""

from collections.abc import Callable
from typing import Any

import keras

BACKEND = keras.backend.backend()


def own_step(model: keras.Model, optimizer: Any, jit_compile: bool) -> Callable[[Any, Any], float]:
    """Return a function that takes one step on a batch and returns its mean squared error."""
    return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND](
        model, optimizer, jit_compile
    )


def _tensorflow(model, optimizer, jit_compile):
    import tensorflow as tf

    weights = model.trainable_variables

    @tf.function(jit_compile=jit_compile)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    return lambda x, y: float(step(tf.constant(x), tf.constant(y)))


def _jax(model, optimizer, jit_compile):
    import jax

    optimizer.build(model.trainable_variables)

    def loss_of(trainable, others, x, y):
        outputs, others = model.stateless_call(trainable, others, x, training=True)
        return jax.numpy.mean((outputs - y) ** 2), others

    def step(trainable, others, state, x, y):
        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trainable, others, x, y
        )
        trainable, state = optimizer.stateless_apply(state, gradients, trainable)
        return loss, trainable, others, state

    compiled = jax.jit(step) if jit_compile else step

    def stateful(x, y):
        held = model.trainable_variables, model.non_trainable_variables, optimizer.variables
        values = ([variable.value for variable in variables] for variables in held)
        loss, *new = compiled(*values, x, y)
        for variables, results in zip(held, new, strict=True):
            for variable, result in zip(variables, results, strict=True):
                variable.assign(result)
        return loss.item()

    return stateful


def _torch(model, optimizer, jit_compile):
    import torch

    def step(x, y):
        model.zero_grad()
        loss = torch.mean((model(torch.as_tensor(x)) - torch.as_tensor(y)) ** 2)
        loss.backward()
        weights = model.trainable_weights
        with torch.no_grad():
            optimizer.apply([weight.value.grad for weight in weights], weights)
        return loss.item()

    return step


class OwnTrainStep(keras.Sequential):
    """A model with a custom `train_step`, which also reports twice the loss."""

    def train_step(self, *arguments: Any) -> Any:
        return getattr(self, f"{BACKEND}_step")(*arguments)

    def tensorflow_step(self, data):
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss, "twice_the_loss": 2 * loss}

    def jax_step(self, state, data):
        import jax

        trainable, others, optimizer_state, metrics = state
        x, y = data

        def loss_of(trainable, others):
            outputs, others = self.stateless_call(trainable, others, x, training=True)
            return self.compute_loss(x, y, outputs), others

        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, others)
        trainable, optimizer_state = self.optimizer.stateless_apply(
            optimizer_state, gradients, trainable
        )
        logs = {"loss": loss, "twice_the_loss": 2 * loss}
        return logs, (trainable, others, optimizer_state, metrics)

    def torch_step(self, data):
        import torch

        x, y = data
        self.zero_grad()
        loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        loss.backward()
        weights = self.trainable_weights
        with torch.no_grad():
            self.optimizer.apply([weight.value.grad for weight in weights], weights)
        return {"loss": loss, "twice_the_loss": 2 * loss}
