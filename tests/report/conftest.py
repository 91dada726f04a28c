"""The browser, for the tests that look at pages."""

from .browsing import browser, chromium

__all__ = ["browser", "chromium"]
