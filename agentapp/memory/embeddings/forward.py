"""The model's forward pass in numpy, for machines on which onnxruntime cannot be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentapp.memory.embeddings.architecture import (
    HEAD_WIDTH,
    HEADS,
    LAYER_NORM_EPSILON,
    LAYERS,
    MASKED_SCORE,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentapp.memory.embeddings.weights import Weights

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]


class NumpyEncoder:
    """The whole network as matrix products over mapped weights."""

    def __init__(self, weights: Weights) -> None:
        self._tensors = {name: weights.tensor(name) for name in _float_tensors(weights)}

    def encode(self, ids: Ids, mask: Ids) -> Floats:
        """Turn token ids [batch, tokens] into unit vectors [batch, 384]."""
        import numpy as np

        kept = mask.astype(np.float32)
        hidden = self._embedded(ids)
        bias = ((1.0 - kept) * np.float32(MASKED_SCORE))[:, None, None, :]
        for layer in range(LAYERS):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, bias)
        summed = (hidden * kept[:, :, None]).sum(axis=1)
        mean = summed / np.maximum(kept.sum(axis=1, keepdims=True), 1.0)
        unit: Floats = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit

    def _embedded(self, ids: Ids) -> Floats:
        words = self._tensors["embeddings.word_embeddings.weight"][ids]
        positions = self._tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
        kinds = self._tensors["embeddings.token_type_embeddings.weight"][0]
        return self._normalised("embeddings.LayerNorm", words + positions + kinds)

    def _layer(self, name: str, hidden: Floats, bias: Floats) -> Floats:
        attended = self._dense(f"{name}.attention.output.dense", self._attended(name, hidden, bias))
        hidden = self._normalised(f"{name}.attention.output.LayerNorm", attended + hidden)
        widened = _gelu(self._dense(f"{name}.intermediate.dense", hidden))
        narrowed = self._dense(f"{name}.output.dense", widened)
        return self._normalised(f"{name}.output.LayerNorm", narrowed + hidden)

    def _attended(self, name: str, hidden: Floats, bias: Floats) -> Floats:
        import numpy as np

        batch, tokens, width = hidden.shape

        def heads(part: str) -> Floats:
            flat = self._dense(f"{name}.attention.self.{part}", hidden)
            return flat.reshape(batch, tokens, HEADS, HEAD_WIDTH).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2)
        scores = scores * np.float32(HEAD_WIDTH**-0.5) + bias
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed: Floats = scores @ heads("value")
        return mixed.transpose(0, 2, 1, 3).reshape(batch, tokens, width)

    def _dense(self, name: str, values: Floats) -> Floats:
        product: Floats = values @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]
        return product

    def _normalised(self, name: str, values: Floats) -> Floats:
        import numpy as np

        centred = values - values.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled: Floats = centred / np.sqrt(variance + np.float32(LAYER_NORM_EPSILON))
        return scaled * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]


def _float_tensors(weights: Weights) -> list[str]:
    # "__metadata__" has no dtype, and the file also carries integer position ids.
    return [name for name, entry in weights.header.items() if entry.get("dtype") == "F32"]


def _gelu(values: Floats) -> Floats:
    import numpy as np

    return values * np.float32(0.5) * (np.float32(1.0) + _erf(values * np.float32(0.5**0.5)))


def _erf(values: Floats) -> Floats:
    """Approximate the error function to 1.5e-7; numpy has none.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, formula 7.1.26.
    """
    import numpy as np

    size = np.abs(values)
    t = 1.0 / (1.0 + np.float32(0.3275911) * size)
    polynomial = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = polynomial * t + np.float32(factor)
    result: Floats = np.sign(values) * (1.0 - polynomial * t * np.exp(-size * size))
    return result
