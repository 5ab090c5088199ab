"""The checks of the project, each in a virtual environment made for it.

    nox                             # the quick tests on TensorFlow, lint and types
    nox -s tests-jax -- -k adam     # arguments after -- go to the session's command
    nox -l                          # all sessions

`nox --no-venv --no-install` runs a session in the current environment. `KERAS_VERSION=3.12.0`
selects that Keras; `KERAS_BACKEND` the backend of `keras-suite`, `coverage` and `benchmarks`.
"""

import os
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests-tensorflow", "lint", "types"]
nox.options.reuse_existing_virtualenvs = True

# Installed first: packages that depend on torch would pull in the newest, built for CUDA.
TORCH = "torch==2.13.0"

# One thread per process: several stall if tests or other programs share the cores.
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}

SMOKE = """
import keras, keras_optlab
x = keras.random.normal((64, 4))
model = keras.Sequential([keras.layers.Dense(1)])
cautious = keras_optlab.transforms.Cautious()
model.compile(keras_optlab.optimizers.Adam(0.1, transforms=[cautious]), "mse")
losses = model.fit(x, x[:, :1], epochs=20, verbose=0).history["loss"]
assert losses[-1] < losses[0] / 2, losses
print("keras-optlab", keras_optlab.__version__, "from", keras_optlab.__file__)
"""


def install(session: nox.Session, *extras: str, package: str = ".", editable: bool = True) -> None:
    """Install the package with extras, torch before them and the requested Keras after them."""
    if "torch" in extras or "types" in extras:
        session.install(TORCH)
    session.install(*(["-e"] if editable else []), f"{package}[{','.join(extras)}]")
    if version := os.environ.get("KERAS_VERSION"):
        session.install(f"keras=={version}")


def backend(default: str = "tensorflow") -> str:
    """Return the backend that KERAS_BACKEND names."""
    return os.environ.get("KERAS_BACKEND", default)


def run_tests(session: nox.Session, name: str) -> None:
    """Run the quick tests on a backend; `-- -m ""` runs all, `-- tests/engine` some."""
    install(session, name, "lab", "test")
    session.run("pytest", "-n", "auto", *session.posargs, env={**SETTINGS, "KERAS_BACKEND": name})


@nox.session(name="tests-tensorflow")
def tests_tensorflow(session: nox.Session) -> None:
    """Run the quick tests on TensorFlow."""
    run_tests(session, "tensorflow")


@nox.session(name="tests-jax")
def tests_jax(session: nox.Session) -> None:
    """Run the quick tests on JAX."""
    run_tests(session, "jax")


@nox.session(name="tests-torch")
def tests_torch(session: nox.Session) -> None:
    """Run the quick tests on torch."""
    run_tests(session, "torch")


@nox.session(name="keras-suite")
def keras_suite(session: nox.Session) -> None:
    """Run Keras' tests on our classes instead of the built-ins; `-- optimizers saving` for some."""
    install(session, backend(), "lab", "test", "keras-tests")
    environment = {**SETTINGS, "KERAS_BACKEND": backend()}
    session.run("python", "tests/keras_suite/run.py", *session.posargs, env=environment)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the quick tests, and measure line and branch coverage."""
    install(session, backend(), "lab", "test", "coverage")
    options = ["--cov", "--cov-report=term", "--cov-report=html"]
    environment = {**SETTINGS, "KERAS_BACKEND": backend()}
    session.run("pytest", "-n", "auto", *options, *session.posargs, env=environment)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, with warnings as errors."""
    install(session, "docs", "lab", "tensorflow")
    arguments = session.posargs or ["docs", "build/docs"]
    environment = {**SETTINGS, "KERAS_BACKEND": "tensorflow"}
    session.run("python", "-m", "sphinx", "-W", "-b", "html", *arguments, env=environment)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, which imports every backend and optional library."""
    install(session, "dask", "jax", "lab", "tensorflow", "torch", "types")
    folders = session.posargs or ["keras_optlab", "optlab"]
    session.run("pyright", "--pythonpath", python(session), *folders)


def python(session: nox.Session) -> str:
    """Return the interpreter of a session."""
    code = "import sys; print(sys.executable)"
    printed = session.run("python", "-c", code, silent=True)
    return str(printed).strip() if printed else "python"


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, import layers, dead code and spelling."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("vulture")
    session.run("codespell")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure a short table of step times; `-- sparse --rounds 7` makes another."""
    install(session, backend(), "lab")
    name, *options = session.posargs or ["step_time", "--cases", "Adam", "--rounds", "3"]
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--backend", backend(), "--out", folder, *options]
        session.run("python", "-m", f"benchmarks.{name}", *arguments, env=SETTINGS)


@nox.session
def package(session: nox.Session) -> None:
    """Build and check a release: the wheel alone must train, and pass `tests/test_package.py`.

    Arguments after -- go to pytest: `-- -n auto` runs all quick tests on the installed wheel.
    """
    session.install("build", "check-wheel-contents", "twine")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder)
        files = sorted(map(str, Path(folder).iterdir()))
        (wheel,) = [file for file in files if file.endswith(".whl")]
        session.run("twine", "check", "--strict", *files)
        session.run("check-wheel-contents", wheel)

        environment = {**SETTINGS, "KERAS_BACKEND": "jax"}
        install(session, "jax", package=wheel, editable=False)
        with session.chdir(folder):
            session.run("python", "-c", SMOKE, env=environment)
        install(session, "jax", "lab", "test", package=wheel, editable=False)
        session.run("pytest", *(session.posargs or ["tests/test_package.py"]), env=environment)
