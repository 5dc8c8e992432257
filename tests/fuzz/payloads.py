"""Payloads to send.

Mostly one JSON document; else other encodings, parts, none, or several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload

from tests.fuzz.documents import HOSTILE, MARK, encode_document, spoilt_documents
from tests.fuzz.harness import FUNCTION_PLACEHOLDER
from workflows.temporal.payloads import MAX_BYTES as LARGEST

_T = TypeVar("_T")
_JSON = b"json/plain"
_ENCODINGS = (
    b"binary/plain",
    b"binary/null",
    b"json/protobuf",
    b"binary/protobuf",
    b"binary/encrypted",
    b"",
    b"\xff",
    None,
)
_GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"\x00",
            b"\xff\xfe",
            b"{",
            b"null",
            b"\xef\xbb\xbf{}",
            MARK.encode(),
            b"\x80" * 100_000,
        ]
    ),
)


@dataclass(frozen=True)
class Sent:
    """The payloads of one input by encoding and bytes, and its kind."""

    kind: str
    parts: tuple[tuple[bytes | None, bytes], ...]

    def about(self, function: str) -> tuple[Payload, ...]:
        """The payloads with this function's name in them."""
        return tuple(
            _create_payload(encoding, data.replace(FUNCTION_PLACEHOLDER, function.encode()))
            for encoding, data in self.parts
        )

    def __str__(self) -> str:
        return f"{self.kind}: " + "; ".join(
            f"{encoding!r} {len(data)} bytes {data[:400]!r}" for encoding, data in self.parts
        )


def _create_payload(encoding: bytes | None, data: bytes) -> Payload:
    metadata = {} if encoding is None else {"encoding": encoding}
    if encoding in {b"json/protobuf", b"binary/protobuf"}:
        metadata["messageType"] = b"temporal.api.common.v1.WorkflowType"
    return Payload(metadata=metadata, data=data)


def inputs_around(
    shaped: st.SearchStrategy[Any],
    accepts: Callable[[bytes], bool],
    more: Sequence[st.SearchStrategy[Sent]] = (),
) -> st.SearchStrategy[Sent]:
    """Inputs: a third good, a third with a few mistakes, the rest arbitrary."""
    good = shaped.filter(lambda document: accepts(encode_document(document)))

    def plain(kind: str, documents: st.SearchStrategy[Any]) -> st.SearchStrategy[Sent]:
        return documents.map(lambda document: Sent(kind, ((_JSON, encode_document(document)),)))

    documents = any_of_equally([good, spoilt_documents(good), HOSTILE]).map(encode_document)
    garbage = _GARBAGE.map(lambda data: Sent("not JSON", ((_JSON, data),)))
    foreign = st.tuples(st.sampled_from(_ENCODINGS), st.one_of(documents, _GARBAGE)).map(
        lambda part: Sent("encoding", (part,))
    )
    several = (
        st.lists(st.tuples(st.just(_JSON), documents), max_size=3)
        .filter(lambda parts: len(parts) != 1)
        .map(lambda parts: Sent("none or several", tuple(parts)))
    )
    kinds = (
        [plain("valid", good)] * 4
        + [plain("shaped", shaped)] * 2
        + [plain("nearly valid", spoilt_documents(good, most=1))] * 4
    )
    return any_of_equally(
        [
            *kinds,
            plain("spoilt", spoilt_documents(good)),
            plain("spoilt", spoilt_documents(good)),
            *[plain("hostile", HOSTILE)] * 2,
            garbage,
            foreign,
            several,
            *more,
        ]
    )


def any_of_equally(kinds: Sequence[st.SearchStrategy[_T]]) -> st.SearchStrategy[_T]:
    """One of these with equal odds; ``one_of`` would flatten nested alternatives."""
    return st.sampled_from(range(len(kinds))).flatmap(lambda kind: kinds[kind])


def read_document(model: type[BaseModel], data: bytes) -> Any:
    """A document as this model reads it; None where the model refuses it."""
    try:
        return model.model_validate_json(data, by_alias=True, by_name=False)
    except ValidationError:
        return None


def read_input(model: type[BaseModel], payloads: Sequence[Payload]) -> Any:
    """An input as this model reads it; None where it must be refused."""
    if len(payloads) != 1 or payloads[0].metadata.get("encoding") != _JSON:
        return None
    if len(payloads[0].data) > LARGEST.get(model, len(payloads[0].data)):
        return None
    return read_document(model, payloads[0].data)
