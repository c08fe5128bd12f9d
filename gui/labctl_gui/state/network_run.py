"""A network on the array of the bench that is open, and what is seen of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from labctl_gui.state.progress import ProgressMeter
from labctl_gui.state.watched import Stopped, WatchedStation

if TYPE_CHECKING:
    from labctl.engine import Control
    from labctl.inference import InferenceRequest
    from labctl_gui.state.verdict import Verdict

log = logging.getLogger(__name__)


class NetworkRun:
    """Runs networks, one at a time.

    Parameters
    ----------
    progress : ProgressMeter
        Is told how far it is.
    """

    def __init__(self, progress: ProgressMeter) -> None:
        self.verdict: Verdict | None = None
        """What came of the last network; None before its end."""
        self.mapping: bytes | None = None
        """Where it lies on the array, as a PNG; None before that is known."""
        self._progress = progress
        self._control: Control | None = None

    @property
    def control(self) -> Control | None:
        """What the network that goes on may be asked; None while none does."""
        return self._control

    def run(self, asked: InferenceRequest, station: WatchedStation) -> None:
        """Map, program and ask a network, and keep what came of it.

        Raises
        ------
        LabctlError
            If the network cannot be read, does not fit, or the bench fails.
        """
        from labctl.configuration import load_configuration, output_path
        from labctl.engine import Control
        from labctl.inference import run_inference
        from labctl_gui.state.mapping import MappingWatch
        from labctl_gui.state.verdict import judge

        self.verdict = self.mapping = None
        path = output_path(None, "Inference")
        self._control = Control()
        try:
            facts = run_inference(
                asked,
                station,
                path,
                progress=MappingWatch(self._progress, path, self._take_mapping),
                operator=load_configuration().operator,
                control=self._control,
            )
            if facts["status"] == "complete":
                self.verdict = judge(facts, asked.images)
            else:
                log.info("the network was ended: labctl run --resume %s goes on with it", path)
        except Stopped:
            log.info("the network was stopped")
        finally:
            self._control = None
            self._progress.finish()

    def _take_mapping(self, png: bytes) -> None:
        self.mapping = png


def inference_request(
    model: str, images: str, count: int | None, *, train: bool, again: tuple[float, ...] = ()
) -> InferenceRequest:
    """Return what is asked of a network, as the network panel has it.

    Parameters
    ----------
    model, images : str
        Network and image set.
    count : int or None
        Test images; None for all.
    train : bool
        Whether the last layer is trained on the array.
    again : tuple of float
        Bench times after the last step at which to ask again, rising, in s.
    """
    from labctl.inference import InferenceRequest

    return InferenceRequest(model, images, count, train, again=again)
