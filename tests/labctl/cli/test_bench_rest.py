"""`labctl bench rest`: a bench brought to rest by hand."""

from __future__ import annotations

import json

from labctl.cli.root import run_command_line
from labctl_instruments import load_bench
from labctl_instruments.bench.writing import write_reaching


def test_a_bench_is_at_rest_and_every_instrument_is_listed(capsys):
    code = run_command_line(["bench", "rest", "sim-smu", "--json"])

    facts = json.loads(capsys.readouterr().out)
    names = [each["name"] for each in facts["instruments"]]
    assert code == 0
    assert facts["ok"] is True
    assert names[-4:] == ["matrix1", "matrix2", "matrix3", "matrix4"]  # relays last
    assert set(names[:-4]) == {"bit", "source", "gate", "pulser"}


def test_an_instrument_that_is_not_there_makes_it_fail_by_name(capsys, tmp_path):
    path = tmp_path / "absent.toml"
    addresses = {
        "board": "TCPIP0::127.0.0.1::1::SOCKET",
        "clock": "TCPIP0::127.0.0.1::2::SOCKET",
    }
    write_reaching(load_bench("sim-board"), addresses, path)

    code = run_command_line(["bench", "rest", str(path), "--json"])

    told = capsys.readouterr()
    assert code == 1
    assert json.loads(told.out)["ok"] is False
    assert "absent.toml: board:" in told.err


def test_a_bench_that_is_not_there_is_bad_input(capsys):
    assert run_command_line(["bench", "rest", "no-such-bench"]) == 2
    assert "no such bench" in capsys.readouterr().err
