from pymeasure.experiment.parameters import (
    BooleanParameter as BooleanParameter,
    FloatParameter as FloatParameter,
    IntegerParameter as IntegerParameter,
    ListParameter as ListParameter,
    Parameter as Parameter,
)
from pymeasure.experiment.procedure import Procedure as Procedure
