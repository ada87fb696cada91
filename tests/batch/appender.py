"""A run that is to be killed: it records the rows of one edition of an input, and names each that is recorded."""

import sys
from pathlib import Path

from hfgen.batch.job import Job
from hfgen.batch.result import Result
from journals import answer, edition, opened


def result(job: Job) -> Result:
    """Short mostly; now and then so long that the system takes it in parts."""
    return answer(job, "word " * (100_000 if job.row % 50 == 0 else 20))


def main(out: str, number: str, rows: str) -> None:
    jobs = edition(int(number), int(rows))
    print("begin", flush=True)
    with opened(Path(out)) as journal:
        journal.survey(jobs)
        for job in jobs:
            if not journal.done(job):
                journal.append(result(job))
                print(job.custom_id, job.digest, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
