"""Jobs for Celery, over a broker that is a directory. Run as a script, it sends 20 of them."""

import os
from pathlib import Path

from celery import Celery

from observabilipy import Observability

directory = Path(os.environ["JOBS_DIRECTORY"])
queue, control, finished = (directory / name for name in ("queue", "control", "finished"))
for folder in (queue, control, finished):
    folder.mkdir(exist_ok=True)

app = Celery("celery_jobs", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(queue),
    "data_folder_out": str(queue),
    "control_folder": str(control),
}
app.conf.task_ignore_result = True

obs = Observability(f"sqlite:///{directory / 'observability.db'}", flush_interval=3600)
jobs = obs.counter("jobs_total", "Jobs done.")


@app.task(name="job")  # type: ignore[untyped-decorator]  # celery ships no types
def job(number: int) -> None:
    jobs.inc()
    obs.info("done", number=number)
    (finished / str(number)).touch()


if __name__ == "__main__":
    for number in range(20):
        job.delay(number)
