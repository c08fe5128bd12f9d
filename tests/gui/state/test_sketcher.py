"""The sketcher: pictures of the bench that is open, or of a file."""

from __future__ import annotations

from labctl_gui.state.sketcher import Sketcher, Subject, View
from tests.gui.patience import SECONDS, wait_until


def test_a_sketch_is_drawn_again_only_when_something_changed(session):
    sketcher = Sketcher(session)
    sketcher.close()  # drawn by hand here
    sketcher.look_at(View(pe=0, cell=(0, 1, 2), subject=Subject.DISTRIBUTION))
    sketcher.draw_if_changed()
    assert not sketcher.draw_if_changed()

    session.read_pe(0)
    assert session.settled(SECONDS)

    assert sketcher.draw_if_changed()
    sketch = sketcher.sketch
    assert len(sketch.picture.curves[0].x) == 16 * 8
    assert sketch.trace.conductances.tolist() == [session.chip_map.pe(0)[1, 2]]


def test_a_file_is_shown_in_place_of_the_bench_until_told_otherwise(session):
    session.start("IVSweep", {"cells": "0/0/0"})
    assert session.settled(SECONDS)
    sketcher = Sketcher(session)
    sketcher.close()
    live_map = sketcher.shown_map

    session.reader.open(session.queue.jobs[0].run_file)
    wait_until(lambda: session.reader.opened is not None)
    assert sketcher.shown_map is not live_map
    assert session.reader.opened.procedure == "IVSweep"

    session.reader.show_live()
    assert sketcher.shown_map is live_map
