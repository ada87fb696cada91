"""A run that is to be killed: it records the rows of one edition of an input, and names each that is recorded."""

import sys
from pathlib import Path

from journals import answer, edition, opened


def main(out: str, number: str, rows: str) -> None:
    with opened(Path(out)) as journal:
        jobs = edition(int(number), int(rows))
        journal.survey(jobs)
        for each in jobs:
            if not journal.done(each):
                journal.append(answer(each, "word " * (each.row % 7 * 2000)))
                print(each.custom_id, each.digest, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
