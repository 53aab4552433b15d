"""Runs the embedding model: one per process, loaded at the first text, usable by many threads."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from django.conf import settings

from agentapp.foundation.database import refuse_open_transaction
from agentapp.memory.embeddings import weights
from agentapp.memory.embeddings.architecture import MAX_TOKENS
from agentapp.memory.embeddings.forward import NumpyEncoder
from agentapp.memory.embeddings.graph import GRAPH_VERSION, build_model
from agentapp.memory.embeddings.vectors import EmbeddingUnavailable, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

BATCH_TEXTS = 32
BATCH_TOKENS = 2048
"""Padded tokens in one run: bounds the memory of a batch of long texts to about 50 MB."""

TEXT_CHARACTERS = 8192
"""256 tokens of ordinary language end long before; what lies beyond is not even tokenised."""


class Encoder(Protocol):
    """A way to run the network; safe to call from several threads at once."""

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Turn token ids and mask, both [batch, tokens], into unit vectors [batch, 384]."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """A tokenizer and the network behind it."""

    tokenizer: Tokenizer
    encoder: Encoder

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed in batches of similar length, so that little of a batch is padding."""
        tokens = [self.tokenizer.encode(_encodable(text)).ids for text in texts]
        vectors: list[Vector] = [[] for _ in texts]
        for batch in batches([len(ids) for ids in tokens]):
            found = self._encode([tokens[place] for place in batch])
            for place, vector in zip(batch, found, strict=True):
                vectors[place] = vector
        return vectors

    def _encode(self, batch: Sequence[Sequence[int]]) -> list[Vector]:
        import numpy as np

        ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        vectors: list[Vector] = self.encoder.encode(ids, mask).tolist()
        return vectors


class OnnxEncoder:
    """The network in onnxruntime on one thread: more threads gain nothing at this size."""

    def __init__(self, source: Path, cache: Path) -> None:
        onnxruntime = importlib.import_module("onnxruntime")
        path = onnx_file(source, cache)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run the session; onnxruntime allows concurrent runs of one session."""
        found: NDArray[np.float32]
        (found,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return found


def embed(texts: Sequence[str]) -> list[Vector]:
    """Turn texts into unit vectors, in the given order.

    Slow (about 5 ms for a short text, 55 ms for a long one): never call it in a transaction.

    Args:
        texts: Any strings; what lies beyond 256 tokens of a text does not count.

    Raises:
        EmbeddingUnavailable: The model is missing, is not the pinned one or cannot be stored.
        OpenTransaction: A transaction is open.
    """
    if not texts:
        return []
    refuse_open_transaction()
    return loaded_runtime().embed(texts)


_runtime: Runtime | None = None
_loading = threading.Lock()


def loaded_runtime() -> Runtime:
    """Return this process's runtime, loading it once."""
    global _runtime  # noqa: PLW0603 - one session per process, and it holds 100 MB
    with _loading:
        if _runtime is None:
            _runtime = load_runtime(Path(settings.GREENROOM_DATA) / "models")
        return _runtime


def load_runtime(cache: Path) -> Runtime:
    """Load tokenizer and network; files made on the way are kept in `cache`."""
    folder = weights.model_folder()
    try:
        source = weights.verified_weights(folder=folder, cache=cache)
        return Runtime(tokenizer=_tokenizer(folder), encoder=_encoder(source, cache))
    except OSError as error:
        raise EmbeddingUnavailable(f"The embedding model cannot be prepared: {error}") from error


def onnx_file(source: Path, cache: Path) -> Path:
    """Return the ONNX file of these weights, writing it when this machine has none yet."""
    path = cache / f"minilm-{weights.WEIGHTS_SHA256}-v{GRAPH_VERSION}.onnx"
    if not path.exists():
        model = build_model(weights.Weights.open(source))
        with weights.replacing(path) as file:
            file.write(model.SerializeToString())
    return path


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group places of `lengths` by length, within the limits of one run."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Sorted upwards: the newcomer is the longest, and all are padded to it.
        if batch and (
            len(batch) == BATCH_TEXTS or (len(batch) + 1) * lengths[place] > BATCH_TOKENS
        ):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _encoder(source: Path, cache: Path) -> Encoder:
    try:
        return OnnxEncoder(source, cache)
    except ImportError:
        # No build of onnx or onnxruntime for this machine: slower, the same numbers.
        logger.warning("onnxruntime cannot be loaded; embeddings are computed by numpy")
        return NumpyEncoder(weights.Weights.open(source))


def _tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _encodable(text: str) -> str:
    # A lone surrogate cannot become UTF-8; a pair of them is one character in disguise.
    head = text[:TEXT_CHARACTERS]
    return head.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
