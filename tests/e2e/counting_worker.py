"""A worker that counts until it is told to end, and forks one that does the same. Its argument is the file."""

import os
import sys
import time

from observabilipy import Observability


def main() -> None:
    obs = Observability(f"sqlite:///{sys.argv[1]}", auth="public", flush_interval=0.02)
    done = obs.counter("done_total", "Jobs done.", labels=("kind",))
    spent = obs.histogram("spent_seconds", "Time spent.", unit="seconds", buckets=(0.1, 1))
    done.labels("first").inc()
    obs.flush()
    print("counting", flush=True)
    parent = os.getppid() if os.fork() == 0 else 0
    number = 0
    while not parent or os.getppid() == parent:  # a child ends with its parent
        number += 1
        done.labels(f"kind {number % 5}").inc()
        spent.observe(0.25 * (number % 8))
        time.sleep(0.001)


if __name__ == "__main__":
    main()
