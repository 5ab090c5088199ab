"""State moves both ways between ours and the built-ins, and survives files, pickles, copies."""

import copy
import inspect
import itertools
import pickle
import warnings

import h5py
import keras
import numpy as np
import pytest
from keras_versions import needs_built_in, with_built_in
from selection import quick

import keras_optlab
from keras_optlab import optimizers, schedules
from keras_optlab.lab import parity

# Arguments that give each built-in all the slots it can have.
ARGUMENTS = {
    "SGD": {"momentum": 0.9},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adam": {"amsgrad": True, "use_ema": True},
    "Ftrl": {"l1_regularization_strength": 0.01},
}
if keras.backend.backend() != "jax":  # where Keras recompiles accumulation in each eager step
    ARGUMENTS["Adagrad"] = {"gradient_accumulation_steps": 3}

# Keras' ScheduleFreeAdamW is wrong on TensorFlow and torch; a separate test covers its swap.
SWAPPABLE = with_built_in(name for name in optimizers.__all__ if name != "ScheduleFreeAdamW")


def optimizer(module, name):
    return getattr(module, name)(0.02, **ARGUMENTS.get(name, {}))


def built(module, name):
    """Return a small model compiled with one of the optimizers, which is built."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Input((4,)), keras.layers.Dense(2, name="only")]
    model = keras.Sequential(layers, name="network")
    model.compile(optimizer(module, name), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def train(model, steps):
    """Take steps on gradients that depend on the weights and the step; return the weights."""
    point = getattr(model.optimizer, "to_training_point", None)
    if point:
        point()
    for _ in range(steps):
        phase = float(model.optimizer.variables[0])
        gradients = [
            keras.ops.cos(variable.value + phase) + 0.1 * variable.value
            for variable in model.trainable_variables
        ]
        model.optimizer.apply(gradients, model.trainable_variables)
    return [np.array(weight) for weight in model.get_weights()]


def assert_same(found, expected, start, share=2e-6):
    """Assert equality up to a share of the distance travelled plus 8 units in the last place."""
    for ours, theirs, before in zip(found, expected, start, strict=True):
        tolerance = share * np.abs(theirs - before).max() + 8 * np.spacing(np.abs(theirs))
        assert (np.abs(ours - theirs) <= tolerance).all()


@pytest.mark.parametrize(
    ("suffix", "direction", "name"),
    quick(
        [
            *(
                pytest.param("keras", "from Keras", *one.values, marks=one.marks)
                for one in SWAPPABLE
            ),
            *(
                pytest.param("weights.h5", "to Keras", *one.values, marks=one.marks)
                for one in SWAPPABLE
            ),
            ("keras", "to Keras", "Adam"),
            ("weights.h5", "from Keras", "Adam"),
        ],
        lambda suffix, direction, name: name in ("SGD", "Adam"),
    ),
)
def test_a_file_saved_by_one_goes_on_with_the_other(tmp_path, suffix, direction, name):
    modules = (keras.optimizers, optimizers)
    old, new = modules if direction == "from Keras" else reversed(modules)
    model = built(old, name)
    start = train(model, 7)
    path = tmp_path / f"saved.{suffix}"
    if suffix == "keras":
        model.save(path)
    else:
        model.save_weights(path)
    other = built(new, name)
    other.load_weights(path)
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations)
    assert_same(train(other, 20), train(model, 20), start, parity.tolerance_of(name))


@pytest.mark.parametrize("name", quick(SWAPPABLE))
def test_from_keras_goes_on_where_the_built_in_was(name):
    model, straight = built(keras.optimizers, name), built(keras.optimizers, name)
    start = train(model, 7)
    model.compile(keras_optlab.from_keras(model.optimizer), "mse")
    assert isinstance(model.optimizer, getattr(optimizers, name))
    assert_same(train(model, 20), train(straight, 27), start, parity.tolerance_of(name))


@needs_built_in("ScheduleFreeAdamW")
def test_a_schedule_free_file_of_keras_resumes_as_the_authors(tmp_path):
    """The reference is ours without a break: it matches the authors' package, Keras' does not."""
    straight, model = (built(optimizers, "ScheduleFreeAdamW") for _ in range(2))
    train(model, 7)
    built_in = built(keras.optimizers, "ScheduleFreeAdamW")
    built_in.set_weights(model.get_weights())
    built_in.optimizer.set_weights([v.value for v in model.optimizer.saved_variables])
    built_in.save_weights(tmp_path / "saved.weights.h5")
    other = built(optimizers, "ScheduleFreeAdamW")
    start = other.get_weights()
    other.load_weights(tmp_path / "saved.weights.h5")
    assert_same(train(other, 20), train(straight, 27), start)


def test_from_keras_takes_an_unbuilt_optimizer_and_schedule():
    built_in = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.1, 10), 0.25)
    ours = keras_optlab.from_keras(built_in)
    assert isinstance(ours.held_learning_rate, keras.optimizers.schedules.CosineDecay)
    assert ours.weight_decay == 0.25
    assert not ours.built


def test_from_keras_takes_over_exclusions_from_weight_decay(task):
    built_in = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    built_in.exclude_from_weight_decay(var_names=["bias"])
    model = task.network(keras_optlab.from_keras(built_in))
    model.optimizer.build(model.trainable_variables)
    decays = [plan.formula.weight_decay for plan in model.optimizer.engine.plans]
    assert decays == ["weight_decay", None, "weight_decay", None]


def test_from_keras_converts_inside_a_loss_scale_optimizer(task):
    built_in = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), initial_scale=8.0)
    model = task.network(built_in)
    task.fit(model)
    built_in.dynamic_scale.assign(32.0)
    converted = keras_optlab.from_keras(built_in)
    assert isinstance(converted.inner_optimizer, optimizers.Adam)
    assert float(converted.dynamic_scale) == 32.0
    assert int(converted.inner_optimizer.iterations) == 4


@pytest.mark.skipif(
    "rms_rate" in inspect.signature(keras.optimizers.Muon).parameters,
    reason="Keras' Muon is ours since 3.13",
)
def test_from_keras_refuses_another_algorithm_of_the_same_name():
    with pytest.raises(ValueError, match=r"`Muon` in Keras 3\.12.* Received: optimizer="):
        keras_optlab.from_keras(keras.optimizers.Muon())


@pytest.mark.parametrize("wrong", [None, "adam", keras.optimizers.Optimizer(0.1)])
def test_from_keras_refuses_what_it_does_not_know(wrong):
    with pytest.raises(TypeError, match=r"from_keras.*Received: optimizer="):
        keras_optlab.from_keras(wrong)


@pytest.mark.parametrize("name", quick(optimizers.__all__))
def test_a_saved_model_goes_on_bit_for_bit(tmp_path, name):
    model = built(optimizers, name)
    train(model, 7)
    model.optimizer.to_evaluation_point()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is getattr(optimizers, name)
    straight, resumed = train(model, 7), train(loaded, 7)
    assert all(np.array_equal(*pair) for pair in zip(straight, resumed, strict=True))


def test_a_weights_file_restores_values_set_while_training(task, tmp_path):
    model = task.linear(optimizers.SGD(0.05, momentum=0.9))
    task.fit(model)
    model.optimizer.momentum = 0.3
    model.save_weights(tmp_path / "saved.weights.h5")
    other = task.linear(optimizers.SGD(0.05, momentum=0.9))
    other.load_weights(tmp_path / "saved.weights.h5")
    assert np.array_equal(task.fit(model)[0], task.fit(other)[0])
    assert other.optimizer.momentum == 0.3


def test_an_unbuilt_optimizer_keeps_loaded_state(task, tmp_path):
    model = task.linear(keras.optimizers.Adam(0.05))
    start = task.fit(model)
    model.save_weights(tmp_path / "saved.weights.h5")
    other = task.linear(optimizers.Adam(0.05))
    other.load_weights(tmp_path / "saved.weights.h5")
    assert_same(task.fit(other, 5), task.fit(model, 5), start)


def test_a_file_of_weights_alone_leaves_the_optimizer(task, tmp_path):
    model = task.linear(optimizers.Adam(0.05))
    bare = keras.Sequential([keras.layers.Input((4,)), *model.layers])
    bare.save_weights(tmp_path / "pretrained.weights.h5")
    task.fit(model)
    model.load_weights(tmp_path / "pretrained.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], task.kernel)
    assert int(model.optimizer.iterations) == 4


def everything(model):
    """Return everything that a file could change, as bytes."""
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    extra = inner.extra_state.contents() | inner.extra_state.pending
    found = [np.asarray(keras.ops.convert_to_numpy(variable)).tobytes() for variable in variables]
    pending = inner.engine.saved_state.pending
    pending = pending and [value.tobytes() for value in pending]
    return found, {name: np.asarray(value).tobytes() for name, value in extra.items()}, pending


def remove_slot(path):
    with h5py.File(path, "r+") as file:
        optimizer = file["optimizer"]
        del optimizer.get("inner_optimizer", optimizer)["vars/5"]


def remove_bias(path):
    with h5py.File(path, "r+") as file:
        del file["layers/dense_1/vars/1"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-500])


def overwrite(path):
    content = path.read_bytes()
    path.write_bytes(content[:8] + b"\xa5" * 600 + content[608:])


def reshape_last_layer(path):
    with h5py.File(path, "r+") as file:
        layer = file["layers/dense_1/vars"]
        del layer["0"]
        layer["0"] = np.ones((5, 5), "float32")


REFUSALS = {
    "a formula with slots alike": (
        optimizers.Lion,
        lambda path: None,
        r"Expected .*`SGD.update`\. Received: .*`Lion.update`",
    ),
    "a truncated file": (None, truncate, "(?i)truncated"),
    "a file that was written over": (None, overwrite, "open"),
    "a layer of another shape": (None, reshape_last_layer, "(?s)could not be loaded.*last"),
    "a layer that lacks its bias": (None, remove_bias, "(?s)could not be loaded.*last"),
}


@pytest.mark.parametrize(
    ("state", "name"),
    quick(
        [
            *itertools.product(["built", "inside a LossScaleOptimizer"], REFUSALS),
            # Only an optimizer that has slots can refuse those of another formula.
            *itertools.product(["not built", "loaded"], list(REFUSALS)[1::2]),
        ],
        lambda state, name: (
            name in list(REFUSALS)[::3] and state == ("loaded" if "truncated" in name else "built")
        ),
    ),
)
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")  # By Keras.
def test_a_refused_file_changes_neither_model_nor_optimizer(task, tmp_path, name, state):
    saved_by, damage, message = REFUSALS[name]
    momentum = {"momentum": 0.9}

    def wrapped(optimizer):
        is_wrapped = state == "inside a LossScaleOptimizer"
        return keras.optimizers.LossScaleOptimizer(optimizer) if is_wrapped else optimizer

    saved = task.network(wrapped(saved_by(0.05) if saved_by else optimizers.SGD(0.05, **momentum)))
    task.fit(saved, 2)
    path = tmp_path / "saved.weights.h5"
    saved.save_weights(path)
    damage(path)
    model = task.network(wrapped(optimizers.SGD(0.03, **momentum)))
    if state == "loaded":
        other = task.network(optimizers.SGD(0.04, **momentum))
        task.fit(other)
        other.save_weights(tmp_path / "other.weights.h5")
        model.load_weights(tmp_path / "other.weights.h5")
    elif state != "not built":
        task.fit(model)
        model.evaluate(task.x[:20], task.y[:20], verbose=0)
    before = everything(model)
    with pytest.raises((ValueError, OSError), match=message) as caught:
        model.load_weights(path)
    assert caught.value.__notes__ == [
        "Nothing was loaded: the model and its optimizer are unchanged."
    ]
    assert everything(model) == before
    with pytest.raises((ValueError, OSError), match=message):
        keras.saving.load_weights(model, path)
    assert everything(model) == before
    assert task.fit(model)


SKIPPED = {
    "untrained": (lambda: optimizers.SGD(0.05, momentum=0.9), 0, lambda path: None),
    "another algorithm": (lambda: optimizers.Adam(0.05), 2, lambda path: None),
    "a slot is missing": (lambda: optimizers.SGD(0.05, momentum=0.9), 2, remove_slot),
}


@pytest.mark.parametrize("module", [optimizers, keras.optimizers], ids=["ours", "built-in"])
@pytest.mark.parametrize("built", quick([True, False], [True]))
@pytest.mark.parametrize("name", SKIPPED)
def test_state_of_other_slots_is_skipped_as_in_keras(task, tmp_path, name, built, module):
    make, epochs, damage = SKIPPED[name]
    saved = task.network(make())
    if epochs:
        task.fit(saved, epochs)
    saved.save_weights(tmp_path / "saved.weights.h5")
    damage(tmp_path / "saved.weights.h5")
    model = task.network(module.SGD(0.03, momentum=0.9))
    if built:
        model.optimizer.build(model.trainable_variables)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.load_weights(tmp_path / "saved.weights.h5")
        for ours, theirs in zip(model.get_weights(), saved.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        task.fit(model)
    messages = [str(warning.message) for warning in caught]
    # An unbuilt optimizer has the same two variables as a saved untrained one: nothing to skip.
    says_so = any(text.startswith("Skipping variable loading") for text in messages)
    assert says_so == (built or name != "untrained")
    assert int(model.optimizer.iterations) == 4
    assert float(model.optimizer.learning_rate) == pytest.approx(
        0.03 if built or name != "untrained" else 0.05
    )


def test_adamw_takes_the_state_of_adam(task, tmp_path):
    model = task.linear(optimizers.Adam(0.05))
    task.fit(model)
    model.save_weights(tmp_path / "adam.weights.h5")
    other = task.linear(optimizers.AdamW(0.05, weight_decay=0.0))
    other.load_weights(tmp_path / "adam.weights.h5")
    np.testing.assert_array_equal(task.fit(other)[0], task.fit(model)[0])


def test_a_file_of_a_later_version_is_refused(task, tmp_path, monkeypatch):
    model = task.linear(optimizers.Adam(0.05))
    task.fit(model)
    with monkeypatch.context() as later:
        later.setattr("keras_optlab.engine.state.NEWEST_FORMAT", 9)
        model.save_weights(tmp_path / "later.weights.h5")
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables]
    task.fit(model)
    again = [np.array(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables]
    with pytest.raises(ValueError, match=r"Received: a file with state in format 9, written by"):
        model.load_weights(tmp_path / "later.weights.h5")
    for kept, variable in zip(again, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(kept, keras.ops.convert_to_numpy(variable))
    assert not np.array_equal(before[0], again[0])


@pytest.mark.slow
def test_a_refused_file_leaves_a_normalization_layer_as_it_was(task, tmp_path):
    models = []
    for factor in (1.0, 3.0):
        scaled = keras.layers.Normalization()
        scaled.adapt(factor * task.x)
        layers = [keras.layers.Input((4,)), scaled, keras.layers.Dense(2, name="last")]
        models.append(keras.Sequential(layers))
        models[-1].compile(
            optimizers.SGD(momentum=0.9) if factor == 1 else optimizers.Lion(), "mse"
        )
        task.fit(models[-1])
    models[1].save_weights(tmp_path / "saved.weights.h5")
    before = models[0].predict(task.x, verbose=0)
    with pytest.raises(ValueError, match=r"formula is `SGD.update`"):
        models[0].load_weights(tmp_path / "saved.weights.h5")
    np.testing.assert_array_equal(models[0].predict(task.x, verbose=0), before)


def test_a_model_with_a_built_in_optimizer_loads_as_keras_does(task, tmp_path):
    model = task.network("sgd")
    model.save_weights(tmp_path / "saved.weights.h5")
    reshape_last_layer(tmp_path / "saved.weights.h5")
    before = model.get_weights()
    model.set_weights([weight + 1 for weight in before])
    with pytest.raises(ValueError, match="could not be loaded") as caught:
        model.load_weights(tmp_path / "saved.weights.h5")
    assert not hasattr(caught.value, "__notes__")
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("name", quick(optimizers.__all__, ["Adam", "ScheduleFreeAdamW"]))
def test_a_pickle_and_a_copy_carry_the_state(name, duplicate):
    model = built(optimizers, name)
    train(model, 7)
    twin = built(optimizers, name)
    twin.set_weights(model.get_weights())
    twin.compile(duplicate(model.optimizer), "mse")
    twin.optimizer.build(twin.trainable_variables)
    straight, resumed = train(model, 7), train(twin, 7)
    assert all(np.array_equal(*pair) for pair in zip(straight, resumed, strict=True))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_stateless_optimizer_is_pickled_with_its_arguments(duplicate):
    original = optimizers.RMSprop(schedules.CosineDecay(0.1, 10), momentum=0.5, clipnorm=2.0)
    assert duplicate(original).get_config() == original.get_config()


@pytest.mark.parametrize("name", optimizers.__all__)
def test_keras_optimizers_get_takes_instances_and_configs(name):
    original = optimizer(optimizers, name)
    again = keras.optimizers.get(keras.optimizers.serialize(original))
    assert keras.optimizers.get(original) is original
    assert type(again) is type(original)
    assert again.get_config() == original.get_config()


@pytest.mark.parametrize("name", with_built_in(optimizers.__all__))
def test_configs_go_both_ways(name):
    ours, built_in = optimizer(optimizers, name), optimizer(keras.optimizers, name)
    config = getattr(keras.optimizers, name).from_config(ours.get_config()).get_config()
    again = getattr(optimizers, name).from_config(built_in.get_config()).get_config()
    for key, value in built_in.get_config().items():
        for found in (config[key], again[key]):
            # Keras keeps the learning rate in float32, and Muon's None for no layers as [].
            close = isinstance(value, float) and found == pytest.approx(value, rel=1e-7)
            assert key == "name" or close or found == value or (not found and not value)


def test_a_loaded_model_needs_no_custom_objects_in_safe_mode(task, tmp_path):
    model = task.linear(optimizers.Lion(schedules.LinearWarmup(5, 0.01)))
    task.fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert isinstance(loaded.optimizer.held_learning_rate, schedules.LinearWarmup)
