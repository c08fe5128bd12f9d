"""Networks on the array: map, program, run, and train in place.

>>> from labctl_procedures.network import load_images, load_network, map_network
>>> images = load_images("digits")
>>> network = load_network("mcnn", "digits")
>>> plan = map_network(network, Geometry(8, 128, 16), images.train_images)
>>> print(plan.describe())
"""

from labctl_procedures.network.errors import ImagesError, NetworkError
from labctl_procedures.network.graph import Network, accuracy_software
from labctl_procedures.network.images import ImageSet, load_images
from labctl_procedures.network.inference import InferenceResult, infer
from labctl_procedures.network.mapping import MappingSettings, accuracy_quantized, map_network
from labctl_procedures.network.matching import matched
from labctl_procedures.network.models import load_network
from labctl_procedures.network.onnx_import import read_module
from labctl_procedures.network.plan import NetworkPlan
from labctl_procedures.network.programming import (
    ErrorSource,
    ProgramReport,
    ProgramSettings,
    program,
)
from labctl_procedures.network.progress import Progress
from labctl_procedures.network.training import TrainReport, TrainSettings, train_in_situ

__all__ = [
    "ErrorSource",
    "ImageSet",
    "ImagesError",
    "InferenceResult",
    "MappingSettings",
    "Network",
    "NetworkError",
    "NetworkPlan",
    "ProgramReport",
    "ProgramSettings",
    "Progress",
    "TrainReport",
    "TrainSettings",
    "accuracy_quantized",
    "accuracy_software",
    "infer",
    "load_images",
    "load_network",
    "map_network",
    "matched",
    "program",
    "read_module",
    "train_in_situ",
]
