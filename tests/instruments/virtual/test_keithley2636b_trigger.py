"""The trigger model of the virtual 2636B: sweeps that events step."""

import numpy as np
import pytest

from tests.instruments.virtual.test_keithley2636b import expected, next_error, opened, run
from tests.instruments.virtual.test_keithley2636b import rack as rack

VOLTAGES = (0.05, 0.1, 0.15, 0.2)
PREPARED = """loadandrunscript
smua.source.output, smub.source.output = 1, 1
smua.trigger.source.listv({0.05, 0.1, 0.15, 0.2})
smua.trigger.source.action, smua.trigger.measure.action = smua.ENABLE, smua.ENABLE
smua.trigger.measure.iv(smua.nvbuffer1, smua.nvbuffer2)
smua.trigger.count = 4
smua.nvbuffer1.collecttimestamps = 1
endscript"""
CONDITION = "print(status.operation.sweeping.condition)"


@pytest.fixture
def prepared(rack):
    """A list sweep of smua, not yet initiated."""
    run(rack, PREPARED)
    assert next_error(rack) == 0
    return rack


def readings(rack, buffer="smua.nvbuffer1") -> list[float]:
    owner = ".".join(buffer.split(".")[:2])
    count = int(float(run(rack, f"print({owner}.n)")))
    return [float(text) for text in run(rack, f"printbuffer(1, {count}, {buffer})").split(",")]


def test_a_sweep_without_stimuli_runs_through_and_reads_what_the_model_says(prepared):
    run(prepared, "smua.trigger.initiate() waitcomplete()")

    assert readings(prepared) == pytest.approx([expected(prepared, v) for v in VOLTAGES], rel=1e-3)
    assert readings(prepared, "smua.nvbuffer2") == pytest.approx(VOLTAGES)
    assert next_error(prepared) == 0


def test_a_sweep_waits_for_its_trigger_and_a_program_that_polls_sees_it_once(prepared):
    run(prepared, "smua.trigger.arm.stimulus = trigger.EVENT_ID smua.trigger.initiate()")
    waiting = (run(prepared, CONDITION), run(prepared, "print(smua.nvbuffer1.n)"))

    run(prepared, "*TRG")

    assert [float(each) for each in waiting] == [0.0, 0.0]
    assert [float(run(prepared, CONDITION)) for _ in range(3)] == [2.0, 0.0, 0.0]
    assert len(readings(prepared)) == 4


def test_a_group_execute_trigger_is_a_trigger_too(prepared):
    run(prepared, "smua.trigger.arm.stimulus = trigger.EVENT_ID smua.trigger.initiate()")

    prepared.trigger("GPIB0::26::INSTR")

    assert len(readings(prepared)) == 4


def test_a_blender_that_wants_both_waits_for_the_slower(prepared):
    run(
        prepared,
        """loadandrunscript
trigger.blender[1].orenable = false
trigger.blender[1].stimulus[1] = trigger.EVENT_ID
trigger.blender[1].stimulus[2] = trigger.generator[1].EVENT_ID
smua.trigger.arm.stimulus = trigger.blender[1].EVENT_ID
smua.trigger.initiate()
endscript""",
    )
    run(prepared, "*TRG")
    after_one = float(run(prepared, "print(smua.nvbuffer1.n)"))

    run(prepared, "trigger.generator[1].assert()")

    assert after_one == 0
    assert len(readings(prepared)) == 4


def test_two_channels_step_together_and_measure_at_the_same_points(prepared):
    run(
        prepared,
        """loadandrunscript
smub.trigger.source.listv({0, 0, 0, 0.05})
smub.trigger.source.action, smub.trigger.measure.action = 1, 1
smub.trigger.measure.v(smub.nvbuffer1)
smub.trigger.count = 4
smub.trigger.source.stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID
smub.trigger.measure.stimulus = smua.trigger.MEASURE_COMPLETE_EVENT_ID
smub.nvbuffer1.collecttimestamps = 1
trigger.blender[2].orenable = false
trigger.blender[2].stimulus[1] = smua.trigger.MEASURE_COMPLETE_EVENT_ID
trigger.blender[2].stimulus[2] = smub.trigger.MEASURE_COMPLETE_EVENT_ID
smua.trigger.endpulse.stimulus = trigger.blender[2].EVENT_ID
smub.trigger.initiate()
smua.trigger.initiate()
endscript""",
    )

    first, second = (readings(prepared, f"smu{each}.nvbuffer1.timestamps") for each in "ab")

    assert float(run(prepared, CONDITION)) == 6.0
    assert readings(prepared, "smub.nvbuffer1") == pytest.approx([0, 0, 0, 0.05], abs=1e-6)
    in_order = np.ravel([first, second], order="F")
    assert (np.diff(in_order) > 0).all()  # a, b, a, b...


def test_a_timer_spaces_the_points(prepared):
    run(
        prepared,
        """loadandrunscript
trigger.timer[1].delay, trigger.timer[1].count = 0.5, 4
trigger.timer[1].stimulus = smua.trigger.ARMED_EVENT_ID
smua.trigger.source.stimulus = trigger.timer[1].EVENT_ID
smua.trigger.initiate()
endscript""",
    )

    times = readings(prepared, "smua.nvbuffer1.timestamps")

    assert np.diff(times) == pytest.approx(0.5, abs=2e-3)  # the first settles on its range


@pytest.mark.parametrize(("action", "left"), [("SOURCE_IDLE", 0.01), ("SOURCE_HOLD", 0.2)])
def test_the_end_of_a_sweep_leaves_the_output_as_it_is_told(prepared, action, left):
    run(prepared, f"smua.source.levelv = 0.01 smua.trigger.endsweep.action = smua.{action}")

    run(prepared, "smua.trigger.initiate()")

    assert float(run(prepared, "print(smua.measure.v())")) == pytest.approx(left)


@pytest.mark.parametrize(("action", "lowest"), [(0, 0.0), (1, 0.05)])
def test_a_pulsed_sweep_goes_back_between_its_points(prepared, action, lowest):
    run(prepared, f"smua.trigger.endpulse.action = {action}")
    run(prepared, "smua.trigger.source.stimulus = smub.trigger.MEASURE_COMPLETE_EVENT_ID")
    run(prepared, "smua.trigger.initiate() smua.trigger.source.set()")

    between = float(run(prepared, "print(smua.measure.v())"))

    assert between == pytest.approx(lowest)


def test_linear_and_logarithmic_sweeps_have_the_points_they_should(prepared):
    run(prepared, "smua.trigger.source.linearv(0.1, 0.2, 3) smua.trigger.count = 3")
    run(prepared, "smua.trigger.initiate()")
    linear = readings(prepared, "smua.nvbuffer2")

    run(prepared, "smua.trigger.source.logv(0.002, 0.2, 3, 0) smua.trigger.initiate()")

    assert linear == pytest.approx([0.1, 0.15, 0.2])
    assert readings(prepared, "smua.nvbuffer2") == pytest.approx([0.002, 0.02, 0.2], rel=1e-3)


@pytest.mark.parametrize(
    ("chunk", "number"),
    [
        ("smua.trigger.arm.stimulus = 1 smua.trigger.initiate() smua.trigger.initiate()", -213),
        ("smua.trigger.count = 0", -222),
        ("smua.trigger.source.listv({})", -224),
        ("smua.trigger.source.listv(7)", -224),
        ("smua.trigger.source.listv({{}})", -224),
        ("smua.trigger.source.linearv(0, 1, 1e9)", -222),
        ("smua.trigger.source.logv(-1, 1, 3, 0)", -222),
        ("smua.trigger.measure.i(7)", -224),
        ("trigger.blender[1].stimulus[1] = -3", -224),
        ("smua.trigger.source.listv({300}) smua.trigger.initiate()", 1101),
    ],
)
def test_what_cannot_be_swept_is_refused(prepared, chunk, number):
    run(prepared, chunk)

    assert next_error(prepared) == number


def test_an_aborted_sweep_can_be_initiated_anew(prepared):
    run(prepared, "smua.trigger.arm.stimulus = 1 smua.trigger.initiate() smua.abort()")
    run(prepared, "smua.trigger.arm.stimulus = 0 smua.trigger.initiate()")

    assert len(readings(prepared)) == 4
    assert next_error(prepared) == 0


def test_events_that_chase_each_other_end_in_an_error(prepared):
    run(prepared, "for k = 1, 2 do trigger.blender[k].orenable = true end")
    run(prepared, "trigger.blender[1].stimulus[1] = trigger.blender[2].EVENT_ID")
    run(prepared, "trigger.blender[2].stimulus[1] = trigger.blender[1].EVENT_ID")
    run(prepared, "trigger.blender[2].stimulus[2] = trigger.EVENT_ID")

    run(prepared, "*TRG")

    assert next_error(prepared) == -225


def test_a_sweep_runs_the_same_behind_a_socket(tmp_path):
    found = opened(tmp_path, noise=False)
    found.confine()

    run(found, PREPARED)
    run(found, "smua.trigger.arm.stimulus = trigger.EVENT_ID smua.trigger.initiate()")
    run(found, "*TRG")

    assert len(readings(found)) == 4
    found.close()
