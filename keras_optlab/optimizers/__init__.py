from keras_optlab.optimizers.adadelta import Adadelta
from keras_optlab.optimizers.adafactor import Adafactor
from keras_optlab.optimizers.adagrad import Adagrad
from keras_optlab.optimizers.adam import Adam
from keras_optlab.optimizers.adamax import Adamax
from keras_optlab.optimizers.adamw import AdamW
from keras_optlab.optimizers.ftrl import Ftrl
from keras_optlab.optimizers.lamb import Lamb
from keras_optlab.optimizers.lion import Lion
from keras_optlab.optimizers.muon import Muon
from keras_optlab.optimizers.nadam import Nadam
from keras_optlab.optimizers.rmsprop import RMSprop
from keras_optlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from keras_optlab.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "ScheduleFreeAdamW",
]
