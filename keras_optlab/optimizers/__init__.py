"""Optimizers, one per file, with formula, arguments and source.

All of them train on several devices with the distribution tools of the backends. The weights match
those of a single device with the same global batch. TensorFlow, `MirroredStrategy`:

    strategy = tf.distribute.MirroredStrategy()
    with strategy.scope():
        model = keras.Sequential([keras.layers.Dense(10)])
        model.compile(keras_optlab.optimizers.Adam(clipnorm=1.0), loss="mse")
    model.fit(x, y, batch_size=64)

TensorFlow, `MultiWorkerMirroredStrategy`, in each process with its `TF_CONFIG`. It needs a custom
loop, since `fit` of Keras 3 fails there with any optimizer (keras issue 20585). `step(x, y)`
computes gradients of the loss divided by `strategy.num_replicas_in_sync`, then calls
`optimizer.apply(gradients, variables)`:

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model, optimizer = make_model(), keras_optlab.optimizers.Adam(1e-3)
        optimizer.build(model.trainable_variables)
    train = tf.function(lambda x, y: strategy.run(step, (x, y)))

JAX, `DataParallel`; slots are placed on the same devices as their variables:

    keras.distribution.set_distribution(keras.distribution.DataParallel())
    model = keras.Sequential([keras.layers.Dense(10)])
    model.compile(keras_optlab.optimizers.Muon(1e-3), loss="mse")
    model.fit(x, y, batch_size=64)

JAX, `ModelParallel`; training saved under one layout can resume under another:

    mesh = keras.distribution.DeviceMesh((2, 4), axis_names=("batch", "model"))
    layouts = keras.distribution.LayoutMap(mesh)
    layouts[".*dense.*kernel"] = (None, "model")
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch"))

torch, `DistributedDataParallel`, in each process after `torch.distributed.init_process_group`:

    parallel = torch.nn.parallel.DistributedDataParallel(model)
    model.zero_grad()
    loss_function(parallel(x), y).backward()
    with torch.no_grad():
        optimizer.apply([v.value.grad for v in model.trainable_weights], model.trainable_weights)
"""

from keras_optlab.optimizers.adabelief import AdaBelief
from keras_optlab.optimizers.adadelta import Adadelta
from keras_optlab.optimizers.adafactor import Adafactor
from keras_optlab.optimizers.adagrad import Adagrad
from keras_optlab.optimizers.adam import Adam
from keras_optlab.optimizers.adamax import Adamax
from keras_optlab.optimizers.adamw import AdamW
from keras_optlab.optimizers.adan import Adan
from keras_optlab.optimizers.ademamix import AdEMAMix
from keras_optlab.optimizers.adopt import ADOPT
from keras_optlab.optimizers.ftrl import Ftrl
from keras_optlab.optimizers.lamb import Lamb
from keras_optlab.optimizers.laprop import LaProp
from keras_optlab.optimizers.lars import LARS
from keras_optlab.optimizers.lion import Lion
from keras_optlab.optimizers.mars import MARS
from keras_optlab.optimizers.muon import Muon
from keras_optlab.optimizers.nadam import Nadam
from keras_optlab.optimizers.nadamw import NAdamW
from keras_optlab.optimizers.prodigy import Prodigy
from keras_optlab.optimizers.radam import RAdam
from keras_optlab.optimizers.rmsprop import RMSprop
from keras_optlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from keras_optlab.optimizers.schedule_free_sgd import ScheduleFreeSGD
from keras_optlab.optimizers.sgd import SGD
from keras_optlab.optimizers.soap import SOAP

__all__ = [
    "ADOPT",
    "LARS",
    "MARS",
    "SGD",
    "SOAP",
    "AdEMAMix",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Ftrl",
    "LaProp",
    "Lamb",
    "Lion",
    "Muon",
    "NAdamW",
    "Nadam",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
]
