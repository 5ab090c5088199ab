"""Reading a user's table: what is understood, and what is refused in one line."""

import numpy as np
import pytest

from keras_optlab.lab import data
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
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        np.savez(path, **content)
    return path


def everything(dataset):
    """All rows, training and validation, sorted: what does not depend on the split."""
    x = np.concatenate([dataset.x_train, dataset.x_validation])
    y = np.concatenate([dataset.y_train, dataset.y_validation])
    order = np.argsort(x[:, 0])
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
    x, y = everything(dataset)
    training = np.isin(x[:, 0], dataset.x_train[:, 0])
    standard = (FEATURES - FEATURES[training].mean(axis=0)) / FEATURES[training].std(axis=0)
    np.testing.assert_allclose(x, standard, atol=2e-6)
    np.testing.assert_array_equal(y, LABELS)
    assert dataset.classes == ("0", "1", "2")
    assert len(dataset.y_validation) == ROWS // 5
    assert (dataset.x_train.dtype, dataset.y_train.dtype) == ("float32", "int32")


def test_labels_that_are_words_are_numbered_in_alphabetical_order(tmp_path):
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
    dataset = data.split("constant", features, LABELS, 0)
    np.testing.assert_array_equal(dataset.x_train[:, 2], 0.0)


def test_the_seed_decides_the_split():
    rows = [set(data.split("", FEATURES, LABELS, seed).x_validation[:, 0]) for seed in (0, 0, 1)]
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
        ("empty.csv", "", "is empty"),
        ("header-only.csv", "a,b,label\n", "at least 10 rows"),
        ("one-column.csv", "1\n2\n", "one column"),
        ("ragged.csv", csv_text() + "1,2\n", "line 21: expected 3 columns. Received: 2"),
        ("words.csv", csv_text() + "1,two,0\n", "line 21: 'two' is not a number"),
        ("gap.csv", csv_text() + "1,,0\n", "line 21: '' is not a number"),
        ("nan.csv", csv_text() + "1,nan,0\n", "finite number. Received: nan in row 21"),
        ("no-label.csv", csv_text() + "1,2,\n", "row 21 has no label"),
        ("short.csv", "1,2,0\n3,4,1\n", "at least 10 rows are needed. Received: 2"),
        ("one-class.csv", csv_text(labels=LABELS * 0), "two classes are needed. Received: only 0"),
        ("regression.csv", csv_text(labels=LABELS / 7), "must be classes"),
        ("all-different.csv", csv_text(labels=range(ROWS)), "20 different labels in 20 rows"),
        ("text.npz", "this is no zip file", "not an npz file"),
        ("empty.npz", "", "not an npz file"),
        ("other.npz", {"a": FEATURES}, "no array called x or features; its arrays: a"),
        ("no-y.npz", {"x": FEATURES}, "no array called y or labels"),
        ("objects.npz", {"x": FEATURES.astype(object), "y": LABELS}, "Python objects"),
        ("strings.npz", {"x": FEATURES.astype(str), "y": LABELS}, "are not numbers but <U32"),
        ("vector.npz", {"x": FEATURES[:, 0], "y": LABELS}, "Received: features (20,)"),
        ("lengths.npz", {"x": FEATURES, "y": LABELS[:7]}, "labels (7,)"),
        ("no-rows.npz", {"x": FEATURES[:0], "y": LABELS[:0]}, "at least 10 rows"),
        ("no-features.npz", {"x": FEATURES[:, :0], "y": LABELS}, "at least one feature"),
        ("damaged.npz", None, "it is damaged"),
        ("nan.npz", {"x": NAN, "y": LABELS}, "nan in row 5, feature 2"),
        ("complex.npz", {"x": FEATURES, "y": LABELS + 1j}, "must be integers or text"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_by_name(tmp_path, name, content, message):
    path = written(tmp_path / name, content)
    with pytest.raises(InputError) as raised:
        data.read(path, None, 0)
    assert message in str(raised.value)
    assert name in str(raised.value)


def test_files_that_cannot_be_read_and_columns_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        data.read(tmp_path / "nowhere.csv", None, 0)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        data.read(tmp_path / "folder.csv", None, 0)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00,\x01\n" * 20)
    with pytest.raises(InputError, match="not text in UTF-8"):
        data.read(tmp_path / "binary.csv", None, 0)
    with pytest.raises(InputError, match="no column called kind; its columns: a, b, c"):
        data.read(written(tmp_path / "named.csv", csv_text("a,b,c")), "kind", 0)
    with pytest.raises(InputError, match="no line of column names"):
        data.read(written(tmp_path / "plain.csv", csv_text()), "kind", 0)


def test_names_are_found_in_any_case_and_the_nearest_is_suggested():
    known = ["Adam", "AdamW", "SGD"]
    assert pick(["adam,sgd", "ADAM", "AdamW,"], known, "optimizer") == ["Adam", "SGD", "AdamW"]
    with pytest.raises(InputError, match="unknown optimizer 'adamm': did you mean Adam"):
        pick(["adamm"], known, "optimizer")
    with pytest.raises(InputError, match="unknown optimizer 'zzz': see `optlab list`"):
        pick(["zzz"], known, "optimizer")
    with pytest.raises(InputError, match="no optimizer named"):
        pick([","], known, "optimizer")
