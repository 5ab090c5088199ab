"""Run Keras' own tests with our optimizers and schedules instead of the built-ins.

    KERAS_BACKEND=torch python tests/keras_suite/run.py

runs the tests of optimizers, schedules, training, callbacks, models, saving and distribution that
the wheel of the installed Keras contains. A test that fails runs once more, in another process. The
exit status is 0 if every remaining failure is

- recorded in `failures_with_built_ins.json`, because it also fails with the built-ins, or
- listed in `exceptions.toml`, with a reason,

and all exceptions still fail. `--record` runs all other failures with the built-ins too, and
records those that fail again; it is needed once for each version of Keras and backend.

    python tests/keras_suite/run.py trainers callbacks/tensorboard_test.py -x --durations=10

runs only some folders or files; other options than those of this command go to pytest. Then,
exceptions that did not run are not errors, and neither is a small number of tests.

Few wheels of Keras contain the tests: those of 3.12.4 and 3.15.1 do.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from keras_suite import verdict  # noqa: E402
from keras_suite.plugin import BUILT_INS, OUTCOMES_FILE  # noqa: E402

FOLDERS = ("optimizers", "trainers", "callbacks", "models", "saving", "distribution")
# At least this many tests pass or fail on any backend and version of Keras.
MINIMUM = 600


class KerasTests:
    """The tests of the installed Keras."""

    def __init__(self, processes: str, options: Sequence[str]) -> None:
        # Found without importing it, because this process needs no backend.
        spec = importlib.util.find_spec("keras")
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit("Keras is not installed.")
        self.package = Path(spec.submodule_search_locations[0])
        self.version = importlib.metadata.version("keras")
        self.backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.processes = processes
        self.options = list(options)
        if not any(self.package.glob("src/optimizers/*_test.py")):
            raise SystemExit(
                f"The wheel of Keras {self.version} contains no tests. Install a version whose "
                "wheel does, such as keras==3.15.1."
            )

    def run(
        self, tests: Sequence[str], built_ins: bool = False, tracebacks: bool = False
    ) -> tuple[verdict.Outcomes, int]:
        """Run tests or folders, given by paths relative to where Keras is installed.

        Returns:
            The outcomes, and the exit status of pytest.
        """
        site = self.package.parent
        with tempfile.TemporaryDirectory() as folder:
            listed, outcomes = Path(folder, "tests"), Path(folder, "outcomes.json")
            listed.write_text("".join(f"{site / test}\n" for test in tests))
            command = [sys.executable, "-m", "pytest", "-c", os.devnull, f"--rootdir={site}"]
            command += ["-o", "python_files=*_test.py", "-p", "keras_suite.plugin"]
            command += ["-p", "no:cacheprovider", "-n", self.processes, "--dist=worksteal"]
            command += ["-q", "--no-header", "--tb=short", *self.options]
            command += [] if tracebacks else ["--no-summary"]
            done = subprocess.run(
                [*command, f"@{listed}"],
                cwd=folder,
                env=self._environment(built_ins, outcomes),
                check=False,
            )
            found = json.loads(outcomes.read_text()) if outcomes.exists() else {}
        return found, done.returncode

    def _environment(self, built_ins: bool, outcomes: Path) -> dict[str, str]:
        paths = [str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")]
        return {
            # Tests run in one process per core; more threads would wait for each other.
            "OMP_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **os.environ,
            "KERAS_BACKEND": self.backend,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            OUTCOMES_FILE: str(outcomes),
            BUILT_INS: "1" if built_ins else "",
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", help="folders and files of keras/src; all by default")
    parser.add_argument("-n", default="auto", help="number of processes (see pytest-xdist)")
    parser.add_argument(
        "--record", action="store_true", help="record which failures also occur with the built-ins"
    )
    options, for_pytest = parser.parse_known_args(arguments)
    runs_all = not options.paths and not for_pytest
    if options.record and not runs_all:
        parser.error("--record takes no paths and no options of pytest: it runs all tests")

    start = time.monotonic()
    keras_tests = KerasTests(options.n, for_pytest)
    paths = [f"keras/src/{path}" for path in options.paths or FOLDERS]
    exceptions = verdict.read_exceptions(keras_tests.version, keras_tests.backend)
    recorded = verdict.read_record(keras_tests.version, keras_tests.backend)
    has_record = recorded is not None

    outcomes, status = keras_tests.run(paths)
    allowed = set(exceptions) | (set() if options.record else set(recorded or ()))
    unexplained = [test for test in verdict.failures(outcomes) if test not in allowed]
    reruns: verdict.Outcomes = {}
    if unexplained:
        print(f"Rerunning {len(unexplained)} failures:", flush=True)
        reruns, _ = keras_tests.run(unexplained, tracebacks=True)
    if options.record:
        stay = [test for test in unexplained if test in verdict.failures(reruns)]
        theirs: verdict.Outcomes = {}
        if stay:
            print(f"Running {len(stay)} failures with the built-ins:", flush=True)
            theirs, _ = keras_tests.run(stay, built_ins=True)
        # Without the path of the installation, the record is the same on any machine.
        site = f"{keras_tests.package.parent}{os.sep}"
        recorded = {
            test: theirs[test]["error"].replace(site, "") for test in verdict.failures(theirs)
        }
        verdict.write_record(keras_tests.version, keras_tests.backend, recorded)

    decided = verdict.judge(
        outcomes, reruns, recorded or (), exceptions, MINIMUM if runs_all else None
    )
    if status not in (0, 1):
        decided.problems.append(f"pytest exited with status {status}")
    if decided.new and not (has_record or options.record):
        decided.problems.append(
            f"no record of which tests fail with the built-ins of Keras {keras_tests.version} on "
            f"{keras_tests.backend}: run with --record"
        )
    print(f"Keras {keras_tests.version} on {keras_tests.backend}, with our classes")
    print(decided.report(time.monotonic() - start))
    return 0 if decided.passed else 1


if __name__ == "__main__":
    sys.exit(main())
