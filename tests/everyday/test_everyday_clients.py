"""Everyday uses: packages that take an optimizer and train with it."""

import keras
import numpy as np
import pytest
from everyday import assert_learns, ours_only, use

import keras_optlab

# Warnings of these packages are not about us.
pytestmark = pytest.mark.filterwarnings("ignore")


@use(["Adam", "SGD", "Adafactor"], compiled_for=["Adam"])
def test_keras_tuner(task, make_optimizer, jit_compile, tmp_path):
    keras_tuner = pytest.importorskip("keras_tuner")

    def build(choices):
        rate = choices.Choice("learning_rate", [1e-6, make_optimizer.keywords["learning_rate"]])
        return task.linear(make_optimizer(learning_rate=rate), jit_compile=jit_compile)

    settings = {"max_trials": 2, "directory": tmp_path, "seed": 1}
    tuner = keras_tuner.RandomSearch(build, "val_loss", **settings)
    data = task.x, task.y
    tuner.search(*data, validation_data=data, epochs=2, batch_size=16, verbose=0)
    best = tuner.get_best_hyperparameters()[0].get("learning_rate")
    assert best == make_optimizer.keywords["learning_rate"]
    assert_learns(tuner.get_best_models()[0], *data)


@pytest.fixture
def classifier():
    """A small text classifier with random weights, and data for it."""
    models = pytest.importorskip("keras_hub").models
    keras.utils.set_random_seed(4)
    backbone = models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        dropout=0.0,
        max_sequence_length=6,
    )
    model = models.BertTextClassifier(backbone, num_classes=2, preprocessor=None, dropout=0.0)
    tokens = np.random.default_rng(5).integers(1, 20, size=(32, 6))
    x = {
        "token_ids": tokens,
        "segment_ids": np.zeros_like(tokens),
        "padding_mask": np.ones_like(tokens),
    }
    return model, x, (tokens[:, 0] > 10).astype("int32")


def tune(classifier, optimizer, jit_compile):
    model, x, y = classifier
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=jit_compile)
    assert_learns(model, x, y, epochs=5)


@use(algorithms=["Adam", "Adafactor"])
def test_keras_hub(classifier, make_optimizer, jit_compile):
    tune(classifier, make_optimizer(learning_rate=0.01), jit_compile)


@ours_only
@use(algorithms=["AdamW", "Adafactor"])
def test_keras_hub_with_layerwise_decay(classifier, make_optimizer, jit_compile):
    groups = keras_optlab.layerwise_decay(classifier[0], 0.8)
    tune(classifier, make_optimizer(learning_rate=0.01, groups=groups), jit_compile)
