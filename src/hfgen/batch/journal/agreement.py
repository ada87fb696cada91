"""Whether a job may go on with an output that is there: only with the parameters that made it."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from hfgen.batch.journal import sidecar
from hfgen.batch.journal.durable import beside
from hfgen.batch.journal.mending import begins_as_output
from hfgen.batch.journal.sidecar import Meta
from hfgen.errors import UsageError


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the job goes on with.

    Attributes:
        meta: To be written beside the output.
        notices: What a person should be told, in sentences.
    """

    meta: Meta
    notices: tuple[str, ...] = ()

    def under(self, run: str) -> "Agreement":
        """The same, with another name for the run."""
        return Agreement(msgspec.structs.replace(self.meta, run=run), self.notices)


def agree(out: Path, asked: Meta, *, force: bool) -> Agreement:
    """Compare what is asked for with what made the output.

    Args:
        out: The output.
        asked: The meta of the job as it is started now.
        force: Go on although parameters changed or are not known.

    Raises:
        UsageError: They changed, and it is not forced; or the file is not the output of a batch.
        OSError: As the system says.
    """
    try:
        before = sidecar.read(out)
    except ValueError:
        file = beside(out, sidecar.ENDING)
        return Agreement(asked, (f"{file} is damaged, so the parameters could not be compared with those of before.",))
    if before is None:
        _check_unknown(out, force=force)
        return Agreement(asked)
    changes = before.changes(asked)
    if changes and not force:
        raise UsageError(
            f"{out} was made with other parameters: {'; '.join(changes)}",
            hint="Give those again, or another --out; --resume force goes on with the new ones for what remains.",
        )
    notices = (f"It goes on with other parameters: {'; '.join(changes)}.",) if changes else ()
    if before.source.sha256 != asked.source.sha256:
        notices = (*notices, "The input is another than before: its rows are compared one by one.")
    return Agreement(before.followed_by(asked), notices)


def _check_unknown(out: Path, *, force: bool) -> None:
    """A file that nobody vouches for is not touched: it may be the input, or anything."""
    if not out.exists() or not out.stat().st_size:
        return
    if not begins_as_output(out):
        raise UsageError(f"{out} is there and is not the output of a batch", hint="Give another --out.")
    if not force:
        raise UsageError(
            f"{beside(out, sidecar.ENDING)} is gone, so it is not known with which parameters {out} was made",
            hint="Put it back, or give another --out; --resume force goes on with the parameters of this command.",
        )
