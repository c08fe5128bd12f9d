"""What can be known to be wrong with a job before its time comes."""

from __future__ import annotations

from labctl.queue.job import JobRequest


def check_request(request: JobRequest) -> JobRequest:
    """Return a request that names a procedure, parameters and a bench that there are.

    What a bench's envelope forbids is refused too. Nothing is opened.

    Raises
    ------
    LabctlError
        If there is no such procedure, parameter, value, bench or folder, or an output exists.
    """
    from labctl.configuration import refuse_existing
    from labctl_instruments import load_bench
    from labctl_procedures import catalogue

    procedure = catalogue.make(request.procedure, request.parameters)
    bench = load_bench(request.bench)
    procedure.demand().check(bench.envelope.envelope(), where=bench.path.name)
    if request.output is not None:
        refuse_existing(request.output)
    return request
