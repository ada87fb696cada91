"""One row of a batch: a request in the form of the OpenAI Batch API, under a name of its own."""

import hashlib
from typing import Final, Literal, TypeAlias, get_args

import msgspec

Url: TypeAlias = Literal["/v1/chat/completions", "/v1/completions", "/v1/images/generations"]

URLS: Final[tuple[Url, ...]] = get_args(Url)


class Job(msgspec.Struct, frozen=True):
    """A request that is to be answered once.

    Attributes:
        custom_id: Its name, unique within the batch.
        url: What is asked for.
        body: The request's body, a JSON object as of the OpenAI API; what it leaves out the batch's own options say.
        digest: Of `url` and `body`: a row that was edited since has another.
        row: Its place in the input, from 1.
    """

    custom_id: str
    url: Url
    body: bytes
    digest: str
    row: int

    @classmethod
    def of(cls, custom_id: str, url: Url, body: bytes, row: int) -> "Job":
        """The job of a body; how its keys are ordered and spaced makes no difference to the digest.

        Raises:
            msgspec.DecodeError: The body is no JSON.
        """
        canonical = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
        digest = hashlib.blake2b(url.encode() + b"\0" + canonical, digest_size=8).hexdigest()
        return cls(custom_id, url, body, digest, row)
