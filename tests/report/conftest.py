"""The browser, for the tests that look at pages."""

from .browsing import browser

__all__ = ["browser"]
