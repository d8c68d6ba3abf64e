"""Writers are killed at any moment, forty times: no batch whose commit returned is lost, none is there twice.

Who comes after a killed writer repeats the batch of which nobody knows, under the same name and number.

Run it: uv run python -m tests.soak.kills [--rounds 40] [--seed N]
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.batches import Verdict, batch, machine, quick_check, started, strays, upkeep

from observabilipy_sqlite import SQLiteStorage

WRITERS = 3
ENTRIES = 50
UPKEEP_BATCHES = 20


def write(path: str, worker: str, sequence: int) -> None:
    """One writer: says the number of each batch once its commit has returned, and maintains now and then."""
    storage = SQLiteStorage(path)
    while True:
        storage.commit(batch(worker, sequence, ENTRIES))
        print(sequence, flush=True)
        if sequence % UPKEEP_BATCHES == 0:
            upkeep(storage, worker)
        sequence += 1


def soak(rounds: int, seed: int) -> int:
    """Kill them; print the figures and give the exit status."""
    verdict = Verdict()
    chance = random.Random(seed)
    print(f"{machine()}, --seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "obs.db")
        committed = {f"w{number}": 0 for number in range(WRITERS)}
        storage = SQLiteStorage(path)
        sound: list[str] = []
        failed: list[str] = []
        kills = 0
        running: dict[str, subprocess.Popen[str]] = {}
        for turn in range(rounds):
            for worker in committed.keys() - running.keys():
                first = committed[worker] + 1
                running[worker] = started("tests.soak.kills", "--path", path, "--worker", worker, "--first", first)
            for worker, last in committed.items():  # each has committed something since it was started
                said = running[worker].stdout
                assert said is not None
                committed[worker] = int(said.readline() or last)
            time.sleep(chance.uniform(0, 0.3))
            is_last = turn == rounds - 1
            victims = list(committed) if is_last else chance.sample(list(committed), chance.randint(1, WRITERS))
            for worker in victims:
                running[worker].kill()
                kills += 1
            for worker in victims:
                ended = running.pop(worker)
                assert ended.stdout is not None
                # By the file: communicate() would pass over what readline() had read ahead.
                lines = [line for line in ended.stdout if line.endswith("\n")]
                committed[worker] = max([committed[worker], *map(int, lines)])
                _, err = ended.communicate()
                failed += [err] if err else []
            sound.append(quick_check(storage))
        storage.close()
        storage = SQLiteStorage(path)
        entries = sum(committed.values()) * ENTRIES
        print(f"{rounds} rounds, {kills} kills, {entries:,} entries acknowledged")
        verdict.nothing_wrong("writers that failed", failed)
        verdict.nothing_wrong("entries lost, doubled or out of order", asyncio.run(strays(storage, ENTRIES, committed)))
        verdict.nothing_wrong("rounds without quick_check ok", [one for one in sound if one != "ok"])
        storage.close()
    return verdict.status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--path", help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is None:
        return soak(given.rounds, given.seed)
    write(given.path, given.worker, given.first)
    return 0


if __name__ == "__main__":
    sys.exit(main())
