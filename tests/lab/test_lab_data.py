"""Reading a user's table: what is accepted, and what is refused with a one-line error."""

import io
import os
import pathlib
import pickle
import resource
import zipfile

import numpy as np
import pytest

from keras_optlab.lab import data, tables
from keras_optlab.lab.errors import InputError, pick

ROWS = 20
FEATURES = np.arange(2.0 * ROWS).reshape(ROWS, 2) ** 1.5
LABELS = np.arange(ROWS) % 3


def csv_text(header="", labels=LABELS, separator=","):
    lines = [
        separator.join([f"{row[0]:.17g}", f"{row[1]:.17g}", str(label)])
        for row, label in zip(FEATURES, labels, strict=True)
    ]
    return "\n".join([header, *lines] if header else lines) + "\n"


def written(path, content):
    if content is None:
        np.savez(path, x=FEATURES, y=LABELS)
        whole = path.read_bytes()
        path.write_bytes(whole[:80] + bytes(40) + whole[120:])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        np.savez(path, **content)
    return path


def everything(dataset):
    """Return all training and validation rows, sorted so that the split does not matter."""
    x = np.concatenate([dataset.x_train, dataset.x_validation])
    y = np.concatenate([dataset.y_train, dataset.y_validation])
    order = np.argsort(x.reshape(len(x), -1)[:, 0])
    return x[order], y[order]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", csv_text()),
        ("header.csv", csv_text("width,height,label")),
        ("byte-order-mark.csv", "\ufeff" + csv_text("width,height,kind")),
        ("semicolons.csv", csv_text("width;height;kind", separator=";")),
        ("numbers-as-header.csv", csv_text("0,1,y")),
        ("floats-as-labels.csv", csv_text(labels=[f"{label}.0" for label in LABELS])),
        ("xy.npz", {"x": FEATURES, "y": LABELS}),
        ("long-names.npz", {"features": FEATURES.astype("float32"), "labels": LABELS}),
        ("images.npz", {"x": FEATURES.reshape(ROWS, 2, 1), "y": LABELS}),
    ],
)
def test_every_form_of_the_same_table_gives_the_same_dataset(tmp_path, name, content):
    dataset = data.read(written(tmp_path / name, content), None, seed=3)
    assert dataset.x_train.shape[1:] == ((2, 1) if name == "images.npz" else (2,))
    x, y = everything(dataset)
    x = x.reshape(ROWS, 2)
    train_rows = dataset.x_train.reshape(-1, 2)
    training = np.isin(x[:, 0], train_rows[:, 0])
    standard = (FEATURES - FEATURES[training].mean(axis=0)) / FEATURES[training].std(axis=0)
    np.testing.assert_allclose(x, standard, atol=2e-6)
    np.testing.assert_array_equal(y, LABELS)
    assert dataset.classes == ("0", "1", "2")
    assert len(dataset.y_validation) == ROWS // 5
    assert (dataset.x_train.dtype, dataset.y_train.dtype) == ("float32", "int32")


def test_words_as_labels_are_numbered_in_alphabetical_order(tmp_path):
    words = np.array(["wren", "auk", "tern"])[LABELS]
    dataset = data.read(written(tmp_path / "birds.csv", csv_text(labels=words)), None, 0)
    assert dataset.classes == ("auk", "tern", "wren")
    np.testing.assert_array_equal(everything(dataset)[1], np.array([2, 0, 1])[LABELS])


def test_the_named_column_holds_the_labels(tmp_path):
    lines = [f"{label},{row[0]},{row[1]}" for row, label in zip(FEATURES, LABELS, strict=True)]
    path = written(tmp_path / "first.csv", "\n".join(["kind,width,height", *lines]))
    np.testing.assert_array_equal(everything(data.read(path, "kind", 0))[1], LABELS)
    path = written(tmp_path / "named.npz", {"x": FEATURES, "y": LABELS * 0, "kind": LABELS})
    np.testing.assert_array_equal(everything(data.read(path, "kind", 0))[1], LABELS)


def test_a_feature_that_never_changes_becomes_zero_not_nan():
    features = np.column_stack([FEATURES, np.full(ROWS, 7.0)])
    dataset = data.from_arrays("constant", (features, LABELS), 0, standardize=True)
    np.testing.assert_array_equal(dataset.x_train[:, 2], 0.0)


def test_the_seed_decides_the_split():
    rows = [
        set(data.from_arrays("", (FEATURES, LABELS), seed, standardize=True).x_validation[:, 0])
        for seed in (0, 0, 1)
    ]
    assert rows[0] == rows[1] != rows[2]


def test_the_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    dataset = data.digits(0)
    counts = np.bincount(np.concatenate([dataset.y_train, dataset.y_validation]))
    np.testing.assert_array_equal(counts, np.bincount(load_digits().target))
    assert dataset.x_train.shape == (1438, 64)


NAN = FEATURES.copy()
NAN[4, 1] = np.nan


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.xlsx", "", "takes a .npz or .csv"),
        ("empty.csv", "", "No columns to parse"),
        ("header-only.csv", "a,b,label\n", "at least 10 rows"),
        ("one-column.csv", "1\n2\n", "one column"),
        ("ragged.csv", csv_text() + "1,2\n", "row 21 has no label"),
        ("short-line.csv", csv_text("y,a,b") + "1,2\n", "Received: '' in row 21, feature 2"),
        ("long-line.csv", csv_text() + "1,2,0,0\n", "Expected 3 fields in line 21, saw 4"),
        ("array.npz", b"\x93NUMPY", "not an npz file"),
        ("words.csv", csv_text() + "1,two,0\n", "Received: 'two' in row 21, feature 2"),
        ("gap.csv", csv_text() + "1,,0\n", "Received: '' in row 21, feature 2"),
        ("nan.csv", csv_text() + "1,nan,0\n", "finite number. Received: 'nan' in row 21"),
        ("no-label.csv", csv_text() + "1,2,\n", "row 21 has no label"),
        ("short.csv", "1,2,0\n3,4,1\n", "at least 10 rows are needed. Received: 2"),
        ("one-class.csv", csv_text(labels=LABELS * 0), "two classes are needed. Received: only 0"),
        ("all-different.csv", csv_text(labels=range(ROWS)), "20 different labels in 20 rows"),
        ("text.npz", "this is no zip file", "not an npz file"),
        ("empty.npz", "", "not an npz file"),
        ("other.npz", {"a": FEATURES}, "no array called x or features; its arrays: a"),
        ("no-y.npz", {"x": FEATURES}, "no array called y or labels"),
        ("objects.npz", {"x": FEATURES.astype(object), "y": LABELS}, "Object arrays"),
        ("strings.npz", {"x": FEATURES.astype(str), "y": LABELS}, "(20, 2) and type <U32"),
        ("vector.npz", {"x": FEATURES[:, 0], "y": LABELS}, "Received: features of shape (20,)"),
        ("lengths.npz", {"x": FEATURES, "y": LABELS[:7]}, "labels of shape (7,)"),
        ("no-rows.npz", {"x": FEATURES[:0], "y": LABELS[:0]}, "at least 10 rows"),
        ("no-features.npz", {"x": FEATURES[:, :0], "y": LABELS}, "features of shape (20, 0)"),
        ("damaged.npz", None, "cannot be read"),
        ("nan.npz", {"x": NAN, "y": LABELS}, "nan in row 5, feature 2"),
        ("complex.npz", {"x": FEATURES, "y": LABELS + 1j}, "must be numbers or text"),
        ("mixed.csv", csv_text() + "true,2,0\n", "Received: 'true' in row 21, feature 1"),
        ("underscore.csv", csv_text() + "1_0,2,0\n", "Received: '1_0' in row 21, feature 1"),
        (
            "comma.csv",
            csv_text(separator=";") + "1,5;2;0\n",
            "Received: '1,5' in row 21, feature 1",
        ),
        ("one-row.csv", "1,2,0\n", "at least 10 rows are needed. Received: 1"),
        ("blank.csv", "\n\n  \n", "No columns to parse"),
        ("nul.csv", csv_text() + "1,\0,0\n", "nul.csv"),
        ("long-field.csv", csv_text() + "1," + "9" * 200_000 + ",0\n", "in row 21, feature 2"),
        ("long-label.csv", csv_text() + "1,2," + "z" * 5000 + "\n", "more than 200 characters"),
        ("open-quote.csv", csv_text() + '1,"2,0\n', "EOF inside string"),
        ("twins.csv", csv_text("y,width,y"), "several columns are called y"),
        ("huge.csv", csv_text() + "1e400,2,0\n", "Received: '1e400' in row 21, feature 1"),
        ("too-large.npz", {"x": FEATURES * 1e300, "y": LABELS}, "too large, or too small, to be"),
        ("too-small.npz", {"x": FEATURES * 1e-300, "y": LABELS}, "too large, or too small, to be"),
        ("zero-d.npz", {"x": np.array(3.0), "y": LABELS}, "Received: features of shape ()"),
        ("pickled-y.npz", {"x": FEATURES, "y": LABELS.astype(object)}, "Object arrays"),
        (
            "record.npz",
            {"x": np.zeros(20, [("a", "f4")]), "y": LABELS},
            "expected numeric features",
        ),
        ("times.npz", {"x": FEATURES.astype("M8[s]"), "y": LABELS}, "expected numeric features"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(tmp_path, name, content, message):
    path = written(tmp_path / name, content)
    with pytest.raises(InputError) as raised:
        data.read(path, None, 0)
    assert message in str(raised.value)
    assert name in str(raised.value)


def test_unreadable_files_and_missing_columns_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        data.read(tmp_path / "nowhere.csv", None, 0)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        data.read(tmp_path / "folder.csv", None, 0)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00,\x01\n" * 20)
    with pytest.raises(InputError, match="codec can't decode"):
        data.read(tmp_path / "binary.csv", None, 0)
    with pytest.raises(InputError, match="no column called kind; its columns: a, b, c"):
        data.read(written(tmp_path / "named.csv", csv_text("a,b,c")), "kind", 0)
    with pytest.raises(InputError, match="no column called kind; its columns: 0, 1, 0"):
        data.read(written(tmp_path / "plain.csv", csv_text()), "kind", 0)


def test_a_number_in_other_digits_is_the_same_class_among_words():
    """It does not matter whether all training rows happen to hold numbers."""
    labels = ["1.0", "2"] * 9 + ["1.0", "auk"]
    for seed in range(5):
        dataset = data.from_arrays("x", (FEATURES, labels), seed, True, "classification")
        assert dataset.classes == ("1.0", "2", "auk")


def test_bytes_that_are_not_utf_8_are_classes_with_escaped_names():
    labels = np.array([b"auk", b"\xff", "é".encode(), b"auk"])[np.arange(ROWS) % 4]
    dataset = data.from_arrays("x", (FEATURES, labels), 0, standardize=True)
    assert dataset.classes == ("\\xff", "auk", "é")


def test_numbers_that_differ_in_the_last_digit_are_two_classes(tmp_path):
    """As float64 they would be equal."""
    labels = np.where(LABELS > 0, 2**53 + 1, 2**53)
    dataset = data.read(written(tmp_path / "text.csv", csv_text(labels=labels)), None, 0)
    assert dataset.classes == ("9007199254740992", "9007199254740993")
    arrays = {"x": FEATURES, "y": labels.astype("uint64")}
    dataset = data.read(written(tmp_path / "integers.npz", arrays), None, 0)
    assert dataset.classes == ("9007199254740992", "9007199254740993")


def test_a_constant_whose_mean_is_rounded_becomes_zero():
    features = np.column_stack([FEATURES, np.full(ROWS, 0.1)])
    assert features[:, 2].std() > 0
    dataset = data.from_arrays("constant", (features, LABELS), 0, standardize=True)
    np.testing.assert_allclose(dataset.x_train[:, 2], 0.0, atol=1e-6)


# Regression


def test_labels_that_are_not_whole_are_targets(tmp_path):
    targets = LABELS / 7 + np.arange(ROWS)
    for name, content in (
        ("table.csv", csv_text(labels=targets)),
        ("table.npz", {"x": FEATURES, "y": targets}),
    ):
        dataset = data.read(written(tmp_path / name, content), None, 0, scale_targets=False)
        assert dataset.is_regression and dataset.y_train.dtype == "float32"
        np.testing.assert_allclose(everything(dataset)[1], targets, rtol=1e-6)
        assert dataset.preparation == "each feature standardized, targets unscaled"
    scaled = data.read(tmp_path / "table.npz", None, 0)
    assert scaled.y_train.mean() == pytest.approx(0, abs=1e-6)
    assert scaled.y_train.std() == pytest.approx(1, rel=1e-5)
    assert scaled.preparation.endswith("targets standardized")


def test_whole_numbers_are_targets_where_the_task_says_so():
    dataset = data.from_arrays("x", (FEATURES, np.arange(ROWS)), 0, False, "regression")
    assert dataset.is_regression and sorted(everything(dataset)[1]) == list(range(ROWS))
    several = np.stack([LABELS / 7, LABELS / 3], axis=1)
    dataset = data.from_arrays("x", (FEATURES, several), 0, standardize=False)
    assert dataset.y_train.shape == (16, 2)
    parts = (FEATURES, np.ones(ROWS), FEATURES, LABELS / 7)
    with pytest.raises(InputError, match="the targets must differ"):
        data.from_arrays("x", parts, 0, standardize=False)


@pytest.mark.parametrize(
    ("labels", "task", "message"),
    [
        (LABELS / 7, "classification", "must be classes: integers or text"),
        (np.arange(ROWS) % 9, None, "9 different labels in 20 rows: set the task"),
        (
            ["a", "b"] * 10,
            "regression",
            "every target must be a finite number. Received: 'a' in row 1",
        ),
        (LABELS + 1j, "regression", "must be numbers or text, of one type. Received: complex128"),
        ([0.5, np.nan] * 10, None, "every target must be a finite number. Received: nan in row 2"),
        (np.eye(ROWS), None, r"labels of shape \(20, 20\); to predict numbers"),
        (LABELS * 1e300 + 0.5, "regression", "targets are too large"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(labels, task, message):
    for standardize in (True, False):
        with pytest.raises(InputError, match=message):
            data.from_arrays("x", (FEATURES, labels), 0, standardize, task)


# Hostile files


def archive(path, members):
    """Write a zip file with the members, unmodified."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def npy(array=None, *, shape=None, data=b""):
    """Return an .npy file; with a shape, one whose header promises more data than it has."""
    if array is not None:
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()
    header = repr({"descr": "<f8", "fortran_order": False, "shape": shape}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def refused(path, message):
    with pytest.raises(InputError) as raised:
        data.read(path, None, 0)
    assert message in str(raised.value)
    assert str(path.name) in str(raised.value)


def test_arrays_that_promise_terabytes_take_no_memory(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for shape in ((2**40, 4), (2**62, 2**62), (-1, 4)):
        path = archive(tmp_path / "liar.npz", {"x.npy": npy(shape=shape), "y.npy": npy(LABELS)})
        refused(path, "cannot be read")
    # In kB. NumPy reserves memory for such an array, but never writes to it.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 50 * 2**10


def test_a_decompression_bomb_is_refused_by_its_declared_size(tmp_path, monkeypatch):
    # 8 MB of zeros take up 8 kB in the file.
    bomb = npy(np.zeros((1000, 1000)))
    path = archive(tmp_path / "bomb.npz", {"x.npy": bomb, "y.npy": npy(LABELS)})
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(tables, "NPZ_LIMIT", 4 * 2**20)
    refused(path, "may have at most 4 MB. Received: 8 MB; load larger data with --data module")
    # Arrays that are not read may be of any size.
    path = archive(
        tmp_path / "aside.npz",
        {"other.npy": bomb, "x.npy": npy(FEATURES), "y.npy": npy(LABELS)},
    )
    assert data.read(path, None, 0).x_train.shape == (16, 2)


def test_a_csv_that_is_too_large_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "CSV_LIMIT", 100)
    refused(written(tmp_path / "large.csv", csv_text()), "may have at most 0 MB")


def test_names_that_leave_the_folder_write_nothing(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    path = archive(
        inside / "slip.npz",
        {"../../y.npy": npy(LABELS), "/tmp/x.npy": npy(FEATURES), "../x.npy": npy(FEATURES)},
    )
    refused(path, "no array called x or features; its arrays: ../../y, ../x, /tmp/x")
    assert [file.name for file in tmp_path.rglob("*")] == ["inside", "slip.npz"]


def test_names_in_messages_are_short_and_printable(tmp_path):
    path = archive(tmp_path / "names.npz", {"\x1b[2J\nevil.npy": b"", "z" * 9000: b""})
    with pytest.raises(InputError) as raised:
        data.read(path, None, 0)
    message = str(raised.value)
    assert "\x1b" not in message and "\n" not in message
    assert len(message) < len(str(path)) + 300


def test_members_that_are_no_arrays_are_refused(tmp_path):
    for content in (b"", b"text", b"\x93NUMPY", b"\x93NUMPY\x09\x00", npy(FEATURES)[:100]):
        path = archive(tmp_path / "member.npz", {"x.npy": content, "y.npy": npy(LABELS)})
        refused(path, "member.npz")


def test_a_pickle_in_an_array_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pathlib.Path.touch, (tmp_path / "run",))

    array = np.array([Evil(), 1], dtype=object)
    path = archive(tmp_path / "evil.npz", {"x.npy": npy(array), "y.npy": npy(LABELS)})
    refused(path, "Object arrays cannot be loaded")
    (tmp_path / "raw.npz").write_bytes(pickle.dumps(Evil()))
    refused(tmp_path / "raw.npz", "not an npz file")
    assert not (tmp_path / "run").exists()


def test_a_pipe_is_refused_without_waiting(tmp_path):
    for name in ("pipe.csv", "pipe.npz"):
        os.mkfifo(tmp_path / name)
        refused(tmp_path / name, "it is a folder or a pipe")


@pytest.mark.parametrize("name", ["table.npz", "table.csv"])
def test_bytes_changed_anywhere_give_data_or_one_line(tmp_path, name):
    """Hundreds of files with a few bytes changed, removed or inserted."""
    path = written(
        tmp_path / name, csv_text("a,b,y") if name.endswith("csv") else {"x": FEATURES, "y": LABELS}
    )
    whole, random = path.read_bytes(), np.random.default_rng(11)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            place, size = random.integers(len(content)), random.integers(0, 5)
            new = random.bytes(random.integers(0, 5))
            content[place : place + size] = new
        if random.random() < 0.2:
            del content[random.integers(len(content)) :]
        path.write_bytes(content)
        try:
            dataset = data.read(path, None, 0)
        except InputError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
        else:
            assert np.isfinite(dataset.x_train).all()
            assert dataset.is_regression or dataset.y_train.max() < len(dataset.classes)
            outcomes["read"] += 1
    assert min(outcomes.values()) > 0


def test_names_are_found_in_any_case_or_the_nearest_is_named():
    known = ["Adam", "AdamW", "SGD"]
    assert pick(["adam,sgd", "ADAM", "AdamW,"], known, "optimizer") == ["Adam", "SGD", "AdamW"]
    with pytest.raises(InputError, match="unknown optimizer 'adamm': did you mean Adam"):
        pick(["adamm"], known, "optimizer")
    with pytest.raises(InputError, match="unknown optimizer 'zzz': choose from Adam, AdamW, SGD"):
        pick(["zzz"], known, "optimizer")
    with pytest.raises(InputError, match="expected at least one optimizer"):
        pick([","], known, "optimizer")
