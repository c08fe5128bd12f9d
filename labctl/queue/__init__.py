"""The durable queue: measurements to be made, one after another, on each bench."""

from labctl.queue.errors import NoSuchJobError, QueueBusyError, QueueError, QueueFileError
from labctl.queue.job import Job, JobRequest, JobState
from labctl.queue.job_queue import JobQueue, default_queue_path
from labctl.queue.working import run_queue

__all__ = [
    "Job",
    "JobQueue",
    "JobRequest",
    "JobState",
    "NoSuchJobError",
    "QueueBusyError",
    "QueueError",
    "QueueFileError",
    "default_queue_path",
    "run_queue",
]
