"""QCoDeS's KeysightB1500, as it is, over a socket. It knows no pulse generator: the frame has none.

Whatever it writes it follows with a question for errors, and raises if there is one.
"""

import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("qcodes")
    from qcodes.instrument_drivers.Keysight.keysightb1500 import KeysightB1500, constants

pytestmark = pytest.mark.filterwarnings("ignore")
LEVELS = (-0.2, -0.1, 0.05, 0.1, 0.15, 0.2)


@pytest.fixture
def connected(serve):
    """Connect to a served frame."""
    opened = []

    def connect():
        frame = serve(has_pulses=False)
        b1500 = KeysightB1500("b1500", frame.resource, visalib="@py", timeout=20)
        opened.append(b1500)
        return frame, b1500

    yield connect
    for b1500 in opened:
        b1500.close()


def test_it_finds_the_modules_in_their_slots(connected) -> None:
    _, b1500 = connected()

    assert [module.slot_nr for module in b1500.by_kind["SMU"]] == [1, 2, 3]
    assert b1500.get_idn()["model"] == "B1500A"
    assert b1500.error_message() == '+0,"No Error."'


def test_a_module_that_it_does_not_know_is_its_own_error(serve) -> None:
    frame = serve(has_pulses=True)

    with pytest.raises(NotImplementedError, match="B1525A in slot 5"):
        KeysightB1500("b1500", frame.resource, visalib="@py", timeout=20)


def test_its_spot_measurements_read_the_models_currents(connected) -> None:
    frame, b1500 = connected()
    smu = b1500.smu1
    smu.enable_outputs()
    assert smu.is_enabled()
    b1500.use_nplc_for_high_resolution_adc(1)
    smu.use_high_resolution_adc()
    smu.source_config(constants.VOutputRange.AUTO, 1e-3)
    smu.i_measure_range_config(constants.IMeasRange.AUTO)
    smu.v_measure_range_config(constants.VMeasRange.AUTO)

    found = []
    for level in LEVELS:
        smu.voltage(level)
        found.append(smu.current())
        assert smu.voltage() == pytest.approx(level, rel=1e-4)

    worst = np.abs(np.array(found) / frame.expected(LEVELS) - 1.0).max()
    print(f"QCoDeS KeysightB1500, spot: at most {worst:.2e} from the model")
    assert worst < 1e-3
    assert frame.errors().startswith("+0")


def test_a_compliance_is_told_as_the_status_of_its_reading(connected) -> None:
    _, b1500 = connected()
    smu = b1500.smu1
    smu.enable_outputs()
    smu.source_config(constants.VOutputRange.AUTO, 1e-6)
    smu.voltage(0.3)

    assert smu.current() == pytest.approx(1e-6, rel=1e-3)
    assert smu.current.measurement_status == constants.MeasurementStatus.C


def test_its_staircase_reads_the_models_currents_of_two_channels(connected) -> None:
    frame, b1500 = connected()
    b1500.smu1.enable_outputs()
    b1500.smu2.enable_outputs()
    b1500.smu1.setup_staircase_sweep(
        v_start=0.05,
        v_end=0.3,
        n_steps=11,
        i_comp=1e-3,
        i_meas_range=constants.IMeasRange.FIX_10uA,
        av_coef=-1,
    )
    b1500.set_measurement_mode(constants.MM.Mode.STAIRCASE_SWEEP, channels=(1, 2))

    first, second = b1500.run_iv_staircase_sweep()

    levels = b1500.run_iv_staircase_sweep.source_voltage.value
    assert levels == pytest.approx(np.linspace(0.05, 0.3, 11))
    worst = np.abs(np.array(first) / frame.expected(levels) - 1.0).max()
    print(f"QCoDeS KeysightB1500, staircase: at most {worst:.2e} from the model")
    assert worst < 1e-3
    assert second == pytest.approx([0.0] * 11, abs=1e-12)
    assert set(b1500.run_iv_staircase_sweep.param1.status) == {"N"}
    assert frame.errors().startswith("+0")


def test_its_sampling_trace_reads_the_models_current(connected) -> None:
    frame, b1500 = connected()
    smu = b1500.smu1
    smu.enable_outputs()
    smu.timing_parameters(h_bias=0, interval=0.01, number=9)
    smu.measurement_mode(constants.MM.Mode.SAMPLING)
    smu.source_config(constants.VOutputRange.AUTO, 1e-3)
    smu.voltage(0.2)

    trace = smu.sampling_measurement_trace()

    assert trace == pytest.approx([float(frame.expected(0.2)[0])] * 9, rel=1e-3)
    assert frame.errors().startswith("+0")
