"""One file, no pickles: the same predictions after, and a refusal by name of what was cut or changed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from kullback.errors import InvalidInput
from kullback.learn import KLNMF, SNE, KLKMeans, MixtureMLE, SoftmaxRegression, SoftTarget, load, save

X = np.random.default_rng(0).poisson(3.0, (60, 4)) + 1.0
Y = np.array(["low", "high"], dtype=object)[(X[:, 0] > 3).astype(int)]
MODELS: list[Any] = [
    KLNMF(2, random_state=0),
    KLKMeans(3, random_state=0, init=np.ones((3, 4)) + np.eye(3, 4)),
    SoftmaxRegression(),
    MixtureMLE(2, family="poisson", random_state=0),
    SNE(perplexity=5, early_iter=20, max_iter=40, polish=5, metric="hellinger"),
    SoftTarget(SoftmaxRegression(0.1)),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_saved_and_loaded_predicts_the_same(model: Any, tmp_path: Path) -> None:
    model.fit(X, Y)
    path = tmp_path / "model.npz"
    save(model, path)
    again = load(path)
    method = "predict" if hasattr(model, "predict") else "transform"
    ours, theirs = getattr(model, method)(X), getattr(again, method)(X)
    assert np.array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype
    assert set(vars(model)) == set(vars(again))
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    with np.load(path, allow_pickle=False) as file:  # nothing in it is a pickle
        assert all(file[name].dtype != object for name in file.files)


def test_every_byte_cut_off_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    KLNMF(2, random_state=0).fit(X).save(path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(InvalidInput, match=r"model\.npz: not loaded"):
            load(path)


def rewrite(path: Path, change: Any) -> None:
    with np.load(path) as file:
        stored = {name: file[name] for name in file.files}
    change(stored)
    np.savez(path, **stored)


def test_changed_arrays_and_headers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    model = KLNMF(2, random_state=0).fit(X)

    def edit_array(stored: dict) -> None:
        stored["array_0"] = stored["array_0"] + 1

    def drop_array(stored: dict) -> None:
        del stored["array_0"]

    def edit_header(stored: dict) -> None:
        stored["header"] = stored["header"].copy()
        stored["header"][20] ^= 1

    def other_class(stored: dict) -> None:
        header = json.loads(bytes(stored["header"]))
        header["content"]["estimator"] = "Popen"
        sign(stored, header)

    def dunder(stored: dict) -> None:
        header = json.loads(bytes(stored["header"]))
        header["content"]["learned"]["__class__"] = 1
        sign(stored, header)

    def newer(stored: dict) -> None:
        header = json.loads(bytes(stored["header"]))
        header["schema"] = 99
        sign(stored, header)

    def sign(stored: dict, header: dict) -> None:
        import hashlib

        text = json.dumps(header).encode()
        stored["header"] = np.frombuffer(text, np.uint8)
        stored["header_digest"] = np.frombuffer(hashlib.sha256(text).digest(), np.uint8)

    for change, why in (
        (edit_array, "does not match its digest"),
        (drop_array, "missing or were added"),
        (edit_header, "header does not match"),
        (other_class, "'Popen', which is none of this room"),
        (dunder, "'__class__', which no fit learns"),
        (newer, "newer than 1: update kullback"),
    ):
        save(model, path)
        rewrite(path, change)
        with pytest.raises(InvalidInput, match=why):
            load(path)


def test_pickles_and_strangers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InvalidInput, match=r"other\.npz: not loaded"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hi")
    with pytest.raises(InvalidInput, match=r"other\.npz: not loaded"):
        load(path)
    path.write_bytes(io.BytesIO(b"not a zip").getvalue())
    with pytest.raises(InvalidInput, match="cannot be read"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.npz")


def test_foreign_models_are_not_written(tmp_path: Path) -> None:
    model = SoftTarget(RandomForestClassifier(3, random_state=0)).fit(X, Y)
    with pytest.raises(TypeError, match=r"RandomForestClassifier, which only its own library can write.*skops"):
        save(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_skops_sees_only_our_types() -> None:
    skops_io = pytest.importorskip("skops.io")
    for model in MODELS:
        types = skops_io.get_untrusted_types(data=skops_io.dumps(model.fit(X, Y)))
        assert all(name.startswith("kullback.") for name in types), types
