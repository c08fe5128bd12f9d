"""PyMeasure's AgilentB1500, as it is, over a socket."""

import numpy as np
import pytest
from pymeasure.instruments.agilent import AgilentB1500

pytestmark = pytest.mark.filterwarnings("ignore")
LEVELS = (-0.2, -0.1, 0.05, 0.1, 0.15, 0.2)


@pytest.fixture
def connected(serve):
    """Connect to a served frame; its SMUs initialised, its data in format 21 with sources."""
    opened = []

    def connect(**kind):
        frame = serve(**kind)
        b1500 = AgilentB1500(frame.resource, visa_library="@py", timeout=20_000)
        opened.append(b1500)
        b1500.reset()
        b1500.check_errors()  # answered once the reset is done
        frame.rack.exchange("GPIB0::17::INSTR", b"CN 3;DV 3,0,3,1E-3\n")
        b1500.initialize_all_smus()
        b1500.data_format(21, mode=1)
        return frame, b1500

    yield connect
    for b1500 in opened:
        b1500.adapter.close()


def values(point) -> dict[str, float]:
    """Return the values of one point, by what they are."""
    return {name: value for _, _, name, value in point}


def finish(b1500) -> None:
    """Drop the line feed that `read_channels` leaves behind on a socket."""
    b1500.adapter.flush_read_buffer()


def test_its_spot_measurements_read_the_models_currents(connected) -> None:
    frame, b1500 = connected()
    b1500.meas_mode("SPOT", b1500.smu1)
    b1500.smu1.enable()
    b1500.smu1.adc_type = "HRADC"
    b1500.adc_setup("HRADC", "PLC", 1)

    found = []
    for level in LEVELS:
        b1500.smu1.force("Voltage", "Auto Ranging", level, 1e-3)
        b1500.send_trigger()
        found.append(values(b1500.read_channels(1))["Current Measurement (A)"])
        finish(b1500)

    worst = np.abs(np.array(found) / frame.expected(LEVELS) - 1.0).max()
    print(f"PyMeasure AgilentB1500, spot: at most {worst:.2e} from the model")
    assert worst < 1e-3
    b1500.check_errors()
    assert frame.errors().startswith("+0")


def test_its_staircase_reads_the_models_currents_and_its_own_levels(connected) -> None:
    frame, b1500 = connected()
    steps = 11
    b1500.meas_mode("STAIRCASE_SWEEP", b1500.smu1)
    b1500.smu1.enable()
    b1500.smu1.meas_range_current = "Auto Ranging"
    b1500.smu1.meas_op_mode = "COMPLIANCE_SIDE"
    b1500.smu1.adc_type = "HRADC"
    b1500.adc_setup("HRADC", "PLC", 1)
    b1500.sweep_timing(0, 0.01)
    b1500.sweep_auto_abort(False, post="START")
    b1500.smu1.staircase_sweep_source(
        "VOLTAGE", "LINEAR_SINGLE", "Auto Ranging", 0.05, 0.3, steps, 1e-3
    )
    b1500.check_errors()
    b1500.clear_buffer()
    b1500.clear_timer()

    b1500.send_trigger()
    points = [values(b1500.read_channels(2)) for _ in range(steps)]
    finish(b1500)

    levels = [point["Voltage Output (V)"] for point in points]
    found = [point["Current Measurement (A)"] for point in points]
    assert levels == pytest.approx(np.linspace(0.05, 0.3, steps))
    worst = np.abs(np.array(found) / frame.expected(levels) - 1.0).max()
    print(f"PyMeasure AgilentB1500, staircase: at most {worst:.2e} from the model")
    assert worst < 1e-3
    b1500.check_errors()
    assert frame.errors().startswith("+0")


def test_its_sampling_reads_the_models_current_again_and_again(connected) -> None:
    frame, b1500 = connected()
    b1500.meas_mode("SAMPLING", b1500.smu1)
    b1500.smu1.enable()
    b1500.sampling_mode = "LINEAR"
    b1500.sampling_timing(0, 0.005, 7)
    b1500.sampling_auto_abort(False, post="BASE")
    b1500.smu1.sampling_source("VOLTAGE", "Auto Ranging", 0, 0.2, 1e-3)
    b1500.time_stamp = True
    b1500.clear_timer()

    b1500.send_trigger()
    points = [values(b1500.read_channels(3)) for _ in range(7)]
    finish(b1500)

    found = [point["Current Measurement (A)"] for point in points]
    assert [point["Sampling index"] for point in points] == list(range(1, 8))
    assert np.diff([point["Time (s)"] for point in points]) == pytest.approx(0.005, abs=1e-3)
    assert found == pytest.approx([float(frame.expected(0.2)[0])] * 7, rel=1e-3)
    assert frame.errors().startswith("+0")


def test_it_reads_its_settings_back_in_words(connected) -> None:
    _, b1500 = connected()
    b1500.smu1.enable()
    b1500.smu1.force("Voltage", "2 V", 0.1, 1e-5)
    b1500.meas_mode("SPOT", b1500.smu1, b1500.smu2)
    b1500.smu2.meas_range_current = "1 nA range fixed"
    b1500.adc_averaging(4)
    b1500.adc_auto_zero = True

    told = b1500.smu1.status["SMU1"]
    assert told["Source Type"] == "Constant Voltage"
    assert float(told["Compliance Current (A)"]) == 1e-5
    assert b1500.smu2.status == {"SMU2": "OFF"}
    assert b1500.query_meas_settings()["Measurement Channels"] == "SMU1, SMU2"
    assert b1500.query_meas_ranges()["SMU2 Current Measurement Range"] == "1 nA range fixed"
    assert b1500.query_meas_settings()["ADC Averaging Number"] == "4"
    assert b1500.adc_auto_zero is True
    assert b1500.query_adc_setup()
    assert b1500.query_staircase_sweep_settings()
    assert b1500.query_sampling_settings()
    assert b1500.query_series_resistor() == {f"SMU{k} Series Resistor": False for k in (1, 2, 3)}
    assert b1500.check_idle()
    b1500.check_errors()


def test_what_it_forces_beyond_the_module_raises(connected) -> None:
    _, b1500 = connected()
    b1500.smu1.enable()

    with pytest.raises(OSError, match="Agilent B1500 Error \\+123"):
        b1500.smu1.force("Voltage", "Auto Ranging", 0.1, 1.0)


def test_its_pulse_generator_writes_the_cell(connected) -> None:
    frame, b1500 = connected(row="E")
    before = float(frame.rack.chip.conductances([0], frame.rack.clock.now())[0])
    b1500.initialize_all_spgus()
    spgu = b1500.spgu5
    spgu.operation_mode = 0
    spgu.ch1.enabled = True
    spgu.ch1.load_impedance = 1e6
    spgu.ch1.output_mode = 1
    spgu.ch1.set_pulse_timings(source=1, delay=0, width=5e-8, rise_time=8e-9)
    spgu.ch1.set_output_voltage(source=1, base_voltage=0, peak_voltage=-2.0)
    spgu.period = 1e-6
    spgu.set_output_mode(1, 25)
    spgu.ch1.apply_setup()

    spgu.output = True

    assert spgu.complete
    assert spgu.period == 1e-6
    assert spgu.get_output_mode() == (1, 25.0)
    assert spgu.ch1.get_output_voltage() == (0.0, -2.0)
    assert spgu.ch1.get_pulse_timings() == (0.0, 5e-8, 8e-9, 8e-9)
    assert frame.rack.chip.pulse_counts(np.array([0])).tolist() == [25]
    after = float(frame.rack.chip.conductances([0], frame.rack.clock.now())[0])
    assert after < 0.95 * before
    b1500.check_errors()


def test_a_period_below_a_microsecond_that_it_prints_as_zero_is_refused(connected) -> None:
    _, b1500 = connected(row="E")
    b1500.initialize_all_spgus()

    b1500.spgu5.period = 2e-7  # sent as SPPER 0.000000

    with pytest.raises(OSError, match="Agilent B1500 Error \\+120"):
        b1500.check_errors()
