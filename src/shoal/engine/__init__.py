"""The engine: a small fit loop with automatic device and precision, and runs that go on where they stopped."""

from shoal.engine.batches import Batches, Data, as_batches, in_order
from shoal.engine.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from shoal.engine.device import World, choose_device
from shoal.engine.environment import describe_environment
from shoal.engine.fit import fit
from shoal.engine.fit_config import FitConfig, History
from shoal.engine.interrupt import Interrupted
from shoal.engine.objective import Objective, classification, evaluate
from shoal.engine.precision import Precision, choose_precision, precision_named
from shoal.engine.progress import Progress, Silent, choose_progress
from shoal.engine.run import RunFolder
from shoal.engine.seeding import seed_everything, stream

__all__ = [
    "Batches",
    "Data",
    "FitConfig",
    "History",
    "Interrupted",
    "Objective",
    "Precision",
    "Progress",
    "RunFolder",
    "Silent",
    "World",
    "as_batches",
    "choose_device",
    "choose_precision",
    "choose_progress",
    "classification",
    "describe_environment",
    "evaluate",
    "fit",
    "in_order",
    "latest_checkpoint",
    "load_checkpoint",
    "precision_named",
    "save_checkpoint",
    "seed_everything",
    "stream",
]
