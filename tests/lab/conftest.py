"""A real browser, in which the tests look at the pages that the lab writes."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import pytest

# What a page does in a browser does not depend on the backend of Keras.
BROWSER_BACKEND = "torch"
HERE = Path(__file__).parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class BrowserPage:
    """A page in a browser, and what went on in it.

    Args:
        page: Playwright's page.
        errors: What was written to the console as an error, and exceptions that nothing caught.
        requests: The address of everything that the page asked for, itself included.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, file: Path) -> Any:
        """Open a file, and return the page."""
        self.page.goto(file.resolve().as_uri())
        return self.page

    def assert_quiet(self) -> None:
        """Nothing was fetched but files, and nothing went wrong."""
        assert self.errors == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:"))] == []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what uses a browser, and what one backend shows for all."""
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
    """Chromium of the system, without a window."""
    if keras.backend.backend() != BROWSER_BACKEND:
        pytest.skip(f"pages are the same on all backends: looked at on {BROWSER_BACKEND} only")
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is missing")
    executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} is installed")
    with playwright.sync_playwright() as started:
        # In a container, root cannot have Chromium's sandbox; it opens our own files alone.
        launched = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def browser_page(browser):
    """A new `BrowserPage`, 1200 x 900, light, in a context of its own."""
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
