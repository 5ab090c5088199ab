"""The versions that results were computed with."""

from importlib import metadata

import keras
import pytest

from keras_optlab.lab.versions import versions

BACKEND = keras.backend.backend()


def test_the_version_of_the_backend_is_that_of_its_distribution():
    distribution = metadata.packages_distributions()[BACKEND][0]
    assert versions()["backend"] == BACKEND
    assert versions()[BACKEND] == metadata.version(distribution)


@pytest.mark.parametrize("distribution", ["{}-cpu", "{}_rocm", "tf-nightly"])
def test_any_distribution_of_the_backend_counts(distribution, monkeypatch):
    """TensorFlow is `tensorflow-cpu` on some machines."""
    distribution = distribution.format(BACKEND)

    def version(name):
        if name == BACKEND:
            raise metadata.PackageNotFoundError(name)
        return {distribution: "1.2.3"}.get(name, "other")

    monkeypatch.setattr(metadata, "packages_distributions", lambda: {BACKEND: [distribution]})
    monkeypatch.setattr(metadata, "version", version)
    assert versions()[BACKEND] == "1.2.3"
