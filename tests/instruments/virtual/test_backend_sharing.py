"""Locks and service requests of `@labctl`, between sessions of one process."""

import threading
import time

import pytest
import pyvisa
from pyvisa.constants import AccessModes, EventMechanism, EventType, StatusCode

CLOCK = "TCPIP0::clock.sim::hislip0::INSTR"
SRQ = EventType.service_request
ERRORS_REQUEST_SERVICE = "*CLS;*SRE 4"


@pytest.fixture
def sessions(board_rack, visa):
    """Two sessions on one instrument, each of its own resource manager."""
    opened = [visa(board_rack).open_resource(CLOCK, read_termination="\n") for _ in range(2)]
    yield opened
    for session in opened:
        session.close()


def refused(action) -> StatusCode:
    with pytest.raises(pyvisa.VisaIOError) as error:
        action()
    return StatusCode(error.value.error_code)


@pytest.mark.parametrize("action", ["write", "read", "read_stb", "clear", "assert_trigger"])
def test_whom_an_exclusive_lock_shuts_out_may_not_talk(sessions, action):
    first, second = sessions
    first.lock_excl()

    arguments = ("*CLS",) if action == "write" else ()

    assert refused(lambda: getattr(second, action)(*arguments)) is StatusCode.error_resource_locked
    assert first.query("*OPC?") == "1"


def test_the_state_of_a_lock_is_an_attribute_of_the_resource(sessions):
    first, second = sessions
    states = [second.lock_state]

    first.lock_excl()
    states.append(second.lock_state)
    first.unlock()
    first.lock()
    states.append(second.lock_state)

    assert states == [AccessModes.no_lock, AccessModes.exclusive_lock, AccessModes.shared_lock]


def test_a_lock_taken_twice_is_given_back_twice(sessions):
    first, second = sessions
    first.lock_excl()
    first.lock_excl()

    first.unlock()
    still = refused(lambda: second.write("*CLS"))
    first.unlock()

    assert still is StatusCode.error_resource_locked
    assert second.query("*OPC?") == "1"
    assert refused(first.unlock) is StatusCode.error_session_not_locked


def test_a_shared_lock_admits_those_who_have_the_key(sessions):
    first, second = sessions
    key = first.lock()
    shut_out = refused(lambda: second.write("*CLS"))

    joined = second.lock(requested_key=key)

    assert shut_out is StatusCode.error_resource_locked
    assert joined == key
    assert (first.query("*OPC?"), second.query("*OPC?")) == ("1", "1")


def test_another_key_or_an_exclusive_lock_is_not_had_beside_a_shared_one(sessions):
    first, second = sessions
    first.lock(requested_key="ours")

    assert refused(lambda: second.lock(0, requested_key="theirs")) is (
        StatusCode.error_resource_locked
    )
    assert refused(lambda: second.lock_excl(0)) is StatusCode.error_resource_locked


def test_one_who_shares_may_take_the_exclusive_lock_and_shuts_the_other_out(sessions):
    first, second = sessions
    second.lock(requested_key=first.lock())

    with first.lock_context():
        during = refused(lambda: second.write("*CLS"))

    assert during is StatusCode.error_resource_locked
    assert second.query("*OPC?") == "1"


def test_a_lock_that_is_not_had_in_time_is_a_time_out(sessions):
    first, second = sessions
    first.lock_excl()
    began = time.monotonic()

    status = refused(lambda: second.lock_excl(50))

    assert status is StatusCode.error_timeout
    assert time.monotonic() - began >= 0.05


def test_who_waits_for_a_lock_gets_it_when_it_is_given_back(sessions):
    first, second = sessions
    first.lock_excl()
    waiting = threading.Thread(target=second.lock_excl, args=(20_000,))
    waiting.start()

    first.unlock()
    waiting.join(20)

    assert refused(lambda: first.write("*CLS")) is StatusCode.error_resource_locked


def test_a_closed_session_gives_its_locks_back(board_rack, visa, sessions):
    with visa(board_rack).open_resource(CLOCK) as third:
        third.lock_excl()

    assert sessions[0].query("*OPC?") == "1"


def test_a_session_may_be_opened_with_a_lock(board_rack, visa, sessions):
    manager = visa(board_rack)

    with manager.open_resource(CLOCK, access_mode=AccessModes.exclusive_lock):
        during = refused(lambda: sessions[0].write("*CLS"))
        other = refused(
            lambda: manager.open_resource(CLOCK, access_mode=AccessModes.exclusive_lock)
        )

    assert during is other is StatusCode.error_resource_locked


def test_a_service_request_is_queued_once_for_whom_wants_it(sessions):
    first, second = sessions
    first.write(ERRORS_REQUEST_SERVICE)
    first.enable_event(SRQ, EventMechanism.queue)

    second.write("NONSENSE")
    second.write("MORE NONSENSE")

    assert first.wait_on_event(SRQ, 0).event.event_type == SRQ
    assert first.wait_on_event(SRQ, 0, capture_timeout=True).timed_out


def test_a_serial_poll_ends_the_request_and_not_what_it_is_about(sessions):
    first, _ = sessions
    first.write(ERRORS_REQUEST_SERVICE)
    first.read_stb()
    first.write("NONSENSE")

    polled = [first.read_stb() for _ in range(2)]

    assert polled == [4 + 64, 4]
    assert first.query("*STB?") == str(4 + 64)


def test_a_request_comes_again_after_its_reason_was_gone(sessions):
    first, _ = sessions
    first.write(ERRORS_REQUEST_SERVICE)
    first.enable_event(SRQ, EventMechanism.queue)

    for _ in range(3):
        first.write("NONSENSE")
        first.write("*CLS")

    assert not any(first.wait_on_event(SRQ, 0, capture_timeout=True).timed_out for _ in range(3))
    assert first.wait_on_event(SRQ, 0, capture_timeout=True).timed_out


def test_an_answer_that_waits_requests_service_where_that_is_wanted(sessions):
    first, _ = sessions
    first.write("*SRE 16")
    first.enable_event(SRQ, EventMechanism.queue)

    first.write("*IDN?")

    assert first.wait_on_event(SRQ, 0).event.event_type == SRQ
    assert first.read_stb() == 16 + 64
    first.read()
    assert first.read_stb() == 0


def test_wait_for_srq_of_a_gpib_instrument_ends_at_its_request(smu_rack, visa):
    with visa(smu_rack).open_resource("GPIB0::18::INSTR", read_termination="\n") as smu:
        smu.write(ERRORS_REQUEST_SERVICE)
        smu.enable_event(SRQ, EventMechanism.queue)
        smu.write("NONSENSE")

        smu.wait_for_srq(1000)

        assert smu.query(":SYST:ERR?").startswith("-113")


def test_who_waits_is_woken_by_anothers_message(sessions):
    first, second = sessions
    first.write(ERRORS_REQUEST_SERVICE)
    first.enable_event(SRQ, EventMechanism.queue)
    found = []
    waiting = threading.Thread(target=lambda: found.append(first.wait_on_event(SRQ, 20_000)))
    waiting.start()

    second.write("NONSENSE")
    waiting.join(20)

    assert found[0].event.event_type == SRQ


def test_a_handler_is_called_with_its_handle_until_it_is_uninstalled(sessions):
    first, second = sessions
    heard = []
    handler = first.wrap_handler(
        lambda resource, event, user: heard.append((event.event_type, user))
    )
    first.write(ERRORS_REQUEST_SERVICE)
    user = first.install_handler(SRQ, handler, "mine")
    first.enable_event(SRQ, EventMechanism.handler)
    second.write("NONSENSE")

    first.disable_event(SRQ, EventMechanism.handler)
    first.uninstall_handler(SRQ, handler, user)
    second.write("*CLS")
    second.write("NONSENSE")

    assert heard == [(SRQ, "mine")]


def test_suspended_events_reach_the_handler_when_it_is_enabled(sessions):
    first, _ = sessions
    heard = []
    first.install_handler(SRQ, lambda *facts: heard.append(facts[3]), 7)
    first.write(ERRORS_REQUEST_SERVICE)
    first.enable_event(SRQ, EventMechanism.suspend_handler)
    first.write("NONSENSE")
    before = list(heard)

    first.enable_event(SRQ, EventMechanism.handler)

    assert (before, heard) == ([], [7])


def test_events_that_are_discarded_are_not_waited_for(sessions):
    first, _ = sessions
    first.write(ERRORS_REQUEST_SERVICE)
    first.enable_event(SRQ, EventMechanism.queue)
    first.write("NONSENSE")

    first.discard_events(SRQ, EventMechanism.all)

    assert first.wait_on_event(SRQ, 0, capture_timeout=True).timed_out


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (lambda s: s.wait_on_event(SRQ, 0), StatusCode.error_not_enabled),
        (
            lambda s: s.enable_event(SRQ, EventMechanism.handler),
            StatusCode.error_handler_not_installed,
        ),
        (
            lambda s: s.enable_event(EventType.trig, EventMechanism.queue),
            StatusCode.error_invalid_event,
        ),
    ],
)
def test_events_that_cannot_come_are_refused(sessions, action, status):
    assert refused(lambda: action(sessions[0])) is status
