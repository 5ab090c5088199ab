"""A real browser for tests of the pages that the lab writes."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import pytest

# Pages behave the same in a browser, whatever the backend of Keras.
BROWSER_BACKEND = "torch"
HERE = Path(__file__).parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class BrowserPage:
    """A page in a browser, with its errors and requests.

    Args:
        page: Playwright's page.
        errors: Errors written to the console, and uncaught exceptions.
        requests: Address of everything that the page requested, including itself.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, file: Path) -> Any:
        """Open a file, and return the page."""
        self.page.goto(file.resolve().as_uri())
        return self.page

    def assert_quiet(self) -> None:
        """Assert that nothing went wrong and that only files were fetched."""
        assert self.errors == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:"))] == []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests that use a browser, and slow ones for which one backend is enough."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        elif (
            item.path.is_relative_to(HERE)
            and item.get_closest_marker("slow")
            and keras.backend.backend() != "tensorflow"
        ):
            item.add_marker(pytest.mark.exhaustive)


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium, headless."""
    if keras.backend.backend() != BROWSER_BACKEND:
        pytest.skip(f"pages are the same on all backends: looked at on {BROWSER_BACKEND} only")
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is missing")
    executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} is installed")
    with playwright.sync_playwright() as started:
        # Root cannot use Chromium's sandbox in a container; only our files are opened.
        launched = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def browser_page(browser):
    """A new `BrowserPage` in a separate context, 1200 x 900, light."""
    context = browser.new_context(
        viewport={"width": 1200, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    seen = BrowserPage(context.new_page())
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    seen.page.on(
        "console",
        lambda message: seen.errors.append(message.text) if message.type == "error" else None,
    )
    yield seen
    context.close()
