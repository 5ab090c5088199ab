"""The verdict on a run of Keras' tests: which failures count, and the report."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
RECORDS = HERE / "failures_with_built_ins.json"
EXCEPTIONS = HERE / "exceptions.toml"

# The plugin's record of each test, by name relative to where Keras is installed.
Outcomes = Mapping[str, Mapping[str, str]]


def failures(outcomes: Outcomes) -> list[str]:
    """Return the tests that failed."""
    return [test for test, found in outcomes.items() if found["outcome"] == "failed"]


def read_record(version: str, backend: str, path: Path = RECORDS) -> dict[str, str] | None:
    """Return the tests that fail with the built-ins, with the error, or None if not recorded."""
    records = json.loads(path.read_text()) if path.exists() else {}
    return records.get(version, {}).get(backend)


def write_record(
    version: str, backend: str, failed: Mapping[str, str], path: Path = RECORDS
) -> None:
    """Replace the record of a version of Keras and a backend."""
    records = json.loads(path.read_text()) if path.exists() else {}
    records.setdefault(version, {})[backend] = dict(failed)
    path.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n")


def read_exceptions(version: str, backend: str, path: Path = EXCEPTIONS) -> dict[str, str]:
    """Return the tests that may fail with this version of Keras and backend, with the reason.

    Raises:
        ValueError: If an exception has no reason, or a test is listed twice.
    """
    applying: dict[str, str] = {}
    for entry in tomllib.loads(path.read_text()).get("exception", []):
        if not entry.get("reason", "").strip():
            raise ValueError(f"An exception needs a `reason`. Received: {entry!r}.")
        if backend not in entry.get("backends", [backend]):
            continue
        if version not in entry.get("versions", [version]):
            continue
        for test in entry["tests"]:
            if test in applying:
                raise ValueError(f"{path.name} has two reasons for {test}.")
            applying[test] = entry["reason"]
    return applying


@dataclass
class Verdict:
    """The result of a run.

    Attributes:
        outcomes: Outcome of each test.
        new: Failures that nothing allows, with the error and the last line of ours.
        recorded: Failures that the built-ins have too.
        excepted: Failures that the list of exceptions allows.
        flaky: Tests that failed and then passed in another process.
        stale: Exceptions that no longer fail.
        problems: Other problems with the run.
    """

    outcomes: Outcomes
    new: dict[str, Mapping[str, str]] = field(default_factory=dict)
    recorded: list[str] = field(default_factory=list)
    excepted: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the run has no new failures, stale exceptions or other problems."""
        return not (self.new or self.stale or self.problems)

    def report(self, seconds: float) -> str:
        """Return the verdict as lines, the last of them like the last line of pytest."""
        lines = []
        if self.flaky:
            lines += ["passed on rerun:", *(f"  {test}" for test in self.flaky)]
        if self.new:
            lines += ["new failures:", *_table(self.new)]
        if self.stale:
            lines += ["exceptions that no longer fail:", *(f"  {test}" for test in self.stale)]
        lines += [f"error: {problem}" for problem in self.problems]
        counts = Counter(found["outcome"] for found in self.outcomes.values())
        numbers = {
            "failed": len(self.new),
            "passed": counts["passed"] + len(self.flaky),
            "skipped": counts["skipped"],
            "failed with built-ins too": len(self.recorded),
            "excepted": len(self.excepted),
            "flaky": len(self.flaky),
            "stale": len(self.stale),
            "errors": len(self.problems),
        }
        totals = ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
        return "\n".join([*lines, f" {totals} in {seconds:.0f}s ".center(80, "=")])


def judge(
    outcomes: Outcomes,
    reruns: Outcomes,
    recorded: Iterable[str],
    exceptions: Iterable[str],
    minimum: int | None = None,
) -> Verdict:
    """Judge a run.

    Args:
        outcomes: Outcome of each test.
        reruns: Outcomes of the tests that were run again.
        recorded: The tests that fail with the built-ins.
        exceptions: The tests that may fail.
        minimum: How many tests must pass or fail. None if only some were requested; then
            exceptions that did not run do not count as stale either.
    """
    verdict = Verdict(outcomes)
    recorded, exceptions = set(recorded), set(exceptions)
    failed = set(failures(outcomes))
    for test in sorted(failed):
        if test in recorded:
            verdict.recorded.append(test)
        elif test in exceptions:
            verdict.excepted.append(test)
        elif reruns.get(test, {}).get("outcome") == "passed":
            verdict.flaky.append(test)
        else:
            verdict.new[test] = outcomes[test]
    candidates = exceptions if minimum is not None else exceptions & set(outcomes)
    verdict.stale = sorted(candidates - failed)
    ran = sum(found["outcome"] != "skipped" for found in outcomes.values())
    if minimum is not None and ran < minimum:
        verdict.problems.append(f"only {ran} tests ran, expected at least {minimum}")
    return verdict


def _table(failed: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return two lines per failure: the test, then its error and the last line of ours."""
    lines = []
    for test, found in failed.items():
        place = f" ({found['at']})" if "at" in found else ""
        lines += [f"  {test}", f"      {found.get('error', '')[:160]}{place}"]
    return lines
