"""Headless Chromium, for the tests of web pages.

These tests are skipped where there is no Chromium, unless SKXMR_BROWSER=1 is set.
"""

import os
import shutil
from contextlib import contextmanager

import pytest

BROWSER = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = not (BROWSER and DRIVER) and os.environ.get("SKXMR_BROWSER") != "1"

needs_browser = pytest.mark.skipif(MISSING, reason="needs Chromium and its driver")


@contextmanager
def chromium(profile):
    """Start a browser with a folder for its profile, and close it at the end."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER or "/usr/bin/chromedriver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SE_OFFLINE", "true")
        driver = webdriver.Chrome(options, service)
    try:
        yield driver
    finally:
        driver.quit()
