from . import activations as activations
from . import book as book
from . import data as data
from . import initializers as initializers
from . import keys as keys
from . import losses as losses
from . import metrics as metrics
from . import models as models
from . import optim as optim
from . import parity as parity
from . import plots as plots
from . import runs as runs
from . import schedules as schedules
from . import train as train
from . import types as types

__version__: str
