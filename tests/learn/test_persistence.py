"""One file, no pickles: the same predictions after, and a refusal by name of what was cut or changed."""

from __future__ import annotations

import hashlib
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
    *(MixtureMLE(2, family=family, random_state=0) for family in ("gaussian", "diag", "multinomial")),
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


def signed(header: dict) -> tuple[np.ndarray, np.ndarray]:
    text = json.dumps(header).encode()
    return np.frombuffer(text, np.uint8), np.frombuffer(hashlib.sha256(text).digest(), np.uint8)


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
        stored["header"], stored["header_digest"] = signed(header)

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


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def test_a_zip_bomb_is_named_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    KLNMF(2, random_state=0).fit(X).save(path)
    write(path, members(path) | {"array_0.npy": npy(np.zeros(1 << 21))})  # 16 MiB in some 16 KiB
    assert path.stat().st_size < 1 << 16
    reads: list[str] = []
    opened = zipfile.ZipFile.open

    def note(self: Any, name: Any, *args: Any, **kwargs: Any) -> Any:
        reads.append(name.filename)
        return opened(self, name, *args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "open", note)
    with pytest.raises(InvalidInput, match=r"bomb\.npz: not loaded, because its .* would expand to 16,7.*max_bytes"):
        load(path, max_bytes=1 << 24)
    assert not reads
    # Below the bound, the promise still refuses it: no more than its 128 bytes of .npy header are looked at.
    with pytest.raises(InvalidInput, match=r"bomb\.npz: not loaded, because array_0\.npy is <f8 of shape \(2097152,\)"):
        load(path)


def test_max_bytes_is_the_expanded_size_and_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    model = KLNMF(2, random_state=0).fit(X)
    model.save(path)
    size = sum(len(data) for data in members(path).values())
    assert (load(path, max_bytes=size).components_ == model.components_).all()
    with pytest.raises(InvalidInput, match=f"load\\(path, max_bytes={size}\\)"):
        load(path, max_bytes=size - 1)
    for wrong in (0, -1, 1.5, "many"):
        with pytest.raises((ValueError, TypeError), match="max_bytes"):
            load(path, max_bytes=wrong)  # type: ignore[arg-type]


def test_sizes_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    model = KLNMF(2, random_state=0).fit(X)
    model.save(path)
    whole = members(path)
    array = np.load(io.BytesIO(whole["array_0.npy"]))
    huge = whole["array_0.npy"].replace(b"(4,), }         ", b"(4000000000,), }")
    assert huge != whole["array_0.npy"]
    for change, why in (
        (whole["array_0.npy"] + b"\0" * 9, "its own header tells"),
        (whole["array_0.npy"][:-8], "its own header tells"),
        (npy(array.astype(np.float32)), "is <f4 of shape .*, expected <f8"),
        (npy(array[:-1]), "of shape .*, expected <f8 of shape"),
        (npy(array[:, None]), "of shape .*, expected <f8 of shape"),
        (npy(array.astype(object)), "only text and numbers"),
        (npy(np.zeros(4, dtype=[("a", "f8")])), "only text and numbers"),
        (huge, r"model\.npz: not loaded"),
        (b"", r"model\.npz: not loaded"),
        (b"\x93NUMPY\x09\x00", r"model\.npz: not loaded"),
    ):
        write(path, whole | {"array_0.npy": change})
        with pytest.raises(InvalidInput, match=why) as caught:
            load(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("model", [m for m in MODELS if not isinstance(m, SoftTarget)], ids=lambda m: type(m).__name__)
def test_arrays_of_another_shape_kind_or_class_are_refused_though_signed(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    model.fit(X, Y).save(path)
    whole = members(path)
    header = json.loads(bytes(np.load(io.BytesIO(whole["header.npy"]))))
    learned = header["content"]["learned"]

    def refused(content: dict[str, bytes], header: dict) -> None:
        text, digest = signed(header)
        write(path, content | {"header.npy": npy(text), "header_digest.npy": npy(digest)})
        with pytest.raises(InvalidInput, match=r"model\.npz: not loaded"):
            load(path)

    first = {"KLNMF": "components_", "KLKMeans": "cluster_centers_", "SoftmaxRegression": "coef_", "SNE": "_kept_"}
    attribute = first.get(type(model).__name__, "weights_")
    name = learned[attribute]["array"]
    array = np.load(io.BytesIO(whole[f"array_{name}.npy"]))
    for other in (array[..., :-1], array[None], array.astype(int), array.astype(str)):
        promise = {"dtype": other.dtype.str, "shape": list(other.shape)}
        promise["sha256"] = hashlib.sha256(f"{other.dtype.str}{other.shape}".encode() + other.tobytes()).hexdigest()
        changed = header | {"arrays": header["arrays"] | {name: promise}}
        refused(whole | {f"array_{name}.npy": npy(other)}, changed)
    for stranger in {"KLNMF", "KLKMeans", "SoftmaxRegression", "SNE"} - {type(model).__name__}:
        refused(whole, header | {"content": header["content"] | {"estimator": stranger, "params": {}}})
    for broken in ([], "text", {"float": "zz"}, {"list": 3}, {"csr": [name, name, name], "shape": [2, 2]}, {}, None):
        refused(whole, header | {"content": broken})
    refused(whole, header | {"content": header["content"] | {"params": {"nonsense": 1}}})
    refused(whole, {k: v for k, v in header.items() if k != "arrays"})
    refused(whole, header | {"arrays": []})


def test_a_header_too_deep_to_parse_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.npz"
    text = np.frombuffer(b"[" * 200_000, np.uint8)
    digest = np.frombuffer(hashlib.sha256(text.tobytes()).digest(), np.uint8)
    write(path, {"header.npy": npy(text), "header_digest.npy": npy(digest)})
    with pytest.raises(InvalidInput, match=r"deep\.npz: not loaded"):
        load(path)


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
