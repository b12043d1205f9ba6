"""The demo page in headless Chromium."""

import threading

import pytest
from browsers import chromium, needs_browser
from demo_stand_ins import QUERIES, StandIn, running, serving
from starlette.applications import Starlette
from starlette.routing import Mount

from skxmr.demo import application

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


class Moody(StandIn):
    """Records its calls, and fails or blocks if a test says so."""

    def __init__(self):
        self.asked = []
        self.fail = False
        self.hold = {}  # prefix: event

    def complete(self, prefix, previous, k=10):
        self.asked.append((prefix, previous))
        if self.fail:
            raise RuntimeError("as the test wants")
        if prefix in self.hold:
            self.hold[prefix].wait(timeout=10)
        return super().complete(prefix, previous, k)


class Page:
    """Actions of a user on the page, and what it shows."""

    def __init__(self, driver, server):
        self.driver = driver
        self.server = server
        self.model = server.catalogue
        driver.get(server.url)
        self.box = self.find("query")

    def find(self, name):
        return self.driver.find_element("id", name)

    def wait(self, condition):
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 10, 0.02).until(lambda _: condition())

    def type(self, keys):
        self.box.send_keys(keys)

    def press(self, *names):
        from selenium.webdriver.common.keys import Keys

        for name in names:
            self.type(getattr(Keys, name))

    def texts(self, selector):
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)",
            selector,
        )

    @property
    def options(self):
        return self.texts("[role=listbox]:not([hidden]) [role=option]")

    @property
    def active(self):
        """The option selected with the arrow keys: as announced, and as marked."""
        name = self.box.get_attribute("aria-activedescendant")
        marked = self.texts("[role=option][aria-selected=true]")
        assert marked == ([self.find(name).text] if name else [])
        return marked[0] if marked else None

    @property
    def chips(self):
        return self.texts("#chips button")

    def expect_options(self, *expected):
        self.wait(lambda: self.options == list(expected))
        expanded = self.box.get_attribute("aria-expanded")
        assert expanded == ("true" if expected else "false")

    def search(self, text):
        self.box.clear()
        self.type(text)
        self.press("ENTER")
        self.wait(lambda: self.find("answers-title").text == f"Subjects for “{text}”")
        self.wait(lambda: text in self.chips)

    def show_notice(self, text, start):
        """Search for a text, and wait until the notice begins as expected."""
        self.box.clear()
        self.type(text)
        self.press("ENTER")
        self.wait(lambda: self.find("notice").text.startswith(start))

    def follow_correction(self, text):
        self.driver.find_element("css selector", "#notice a").click()
        title = f"Subjects for “{text}”"
        self.wait(lambda: self.find("answers-title").text == title)

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def page(browser):
    with serving(Moody()) as server:
        browser.get_log("browser")
        page = Page(browser, server)
        yield page
        browser.get("about:blank")


ST = QUERIES[:4]


def test_typing_shows_options(page):
    page.type("st")
    page.expect_options(*ST)
    assert page.find("count").text == "4 suggestions"
    assert page.find("time").text.endswith(" ms")
    assert (
        page.find("time").location["y"] < page.box.location["y"]
    )  # not under the list
    page.type("ea")
    page.expect_options("steam engines")
    assert page.find("count").text == "1 suggestion"
    # What completes the prefix is emphasized.
    assert page.texts("[role=option] b") == ["m engines"]
    page.type("x")
    page.expect_options()
    assert page.find("count").text == "No suggestions"
    assert page.errors() == []


def test_other_alphabets(page):
    page.type("å")
    page.expect_options("Ångström")
    assert page.texts("[role=option] b") == ["ngström"]
    page.press("ARROW_DOWN", "ENTER")
    page.wait(lambda: page.find("answers-title").text == "Subjects for “Ångström”")


def test_roles_and_names(page):
    box = page.box
    assert (box.aria_role, box.accessible_name) == ("combobox", "Topic or title")
    assert box.get_attribute("aria-autocomplete") == "list"
    assert box.get_attribute("aria-expanded") == "false"
    assert box.get_attribute("aria-controls") == "suggestions"
    assert page.driver.switch_to.active_element == box
    page.type("st")
    page.expect_options(*ST)
    assert page.find("suggestions").aria_role == "listbox"
    assert page.find("suggestions").accessible_name == "Suggestions"
    assert page.find("option-0").aria_role == "option"
    assert page.find("option-0").accessible_name == "steam engines"
    assert page.find("count").aria_role == "status"
    assert page.find("error").get_attribute("role") == "alert"


def test_arrows_move(page):
    page.type("st")
    page.expect_options(*ST)
    assert page.active is None
    seen = []
    for _ in range(6):
        page.press("ARROW_DOWN")
        seen.append(page.active)
    assert seen == [*ST, None, ST[0]]
    page.press("ARROW_UP", "ARROW_UP")
    assert page.active == ST[-1]
    page.press("HOME")
    assert page.active == ST[0]
    page.press("END")
    assert page.active == ST[-1]
    assert page.box.get_property("value") == "st"
    page.type("a")
    page.expect_options(*ST[1:])
    assert page.active is None


def test_arrow_opens_the_list(page):
    page.press("ARROW_DOWN")
    page.expect_options(*QUERIES)
    assert page.model.asked == [("", [])]


def test_home_and_end_move_the_cursor_while_nothing_is_marked(page):
    page.type("st")
    page.expect_options(*ST)
    page.press("HOME")
    assert page.active is None
    assert page.box.get_property("selectionStart") == 0
    page.press("END")
    assert page.box.get_property("selectionStart") == 2


def test_enter_searches_what_is_typed(page):
    page.type("steam")
    page.expect_options("steam engines")
    page.press("ENTER")
    page.wait(lambda: page.texts("#found button"))
    assert page.options == []
    assert page.find("answers-title").text == "Subjects for “steam”"
    assert [text.split() for text in page.texts("#found button")] == [
        ["about", "steam", "0.75"],
        ["7", "0.50"],
    ]
    assert page.find("count").text == "2 answers"
    assert page.find("time").text.endswith(" ms")
    # The next query replaces this one.
    page.type("st")
    page.expect_options(*ST)
    assert page.errors() == []


def test_enter_searches_what_is_marked(page):
    page.type("st")
    page.expect_options(*ST)
    page.press("ARROW_DOWN", "ARROW_DOWN", "ENTER")
    page.wait(lambda: page.find("answers-title").text == "Subjects for “stations”")
    assert page.box.get_property("value") == "stations"
    assert page.options == []


def test_a_press_on_an_option_searches_it(page):
    page.type("st")
    page.expect_options(*ST)
    page.find("option-2").click()
    page.wait(lambda: page.find("answers-title").text == "Subjects for “statistics”")
    assert page.options == []


def test_an_answer_is_searched_on_click(page):
    page.search("steam")
    page.driver.find_element("css selector", "#found button").click()
    page.wait(lambda: page.chips == ["steam", "about steam"])


def test_nothing_found_is_said(page):
    page.search("steam")
    page.show_notice("nothing", "Nothing was found for “nothing”.")
    assert page.find("notice").text.endswith("Try other words, or fewer.")
    assert page.find("notice").aria_role == "status"
    assert page.find("count").text == "No answers"
    assert not page.find("answers").is_displayed()
    # It is not one of the previous searches.
    assert page.chips == ["steam"]
    assert page.driver.switch_to.active_element == page.box
    page.search("steam")
    assert page.find("notice").text == ""
    assert page.find("answers").is_displayed()


def test_a_correction_is_offered_where_nothing_is_found(page):
    page.show_notice(
        "nothing railwais",
        "Nothing was found for “nothing railwais”. Did you mean railways?",
    )
    page.follow_correction("railways")
    assert page.box.get_property("value") == "railways"
    assert page.find("notice").text == ""
    assert page.chips == ["railways"]
    # The link is gone: typing replaces the query.
    assert page.driver.switch_to.active_element == page.box
    page.type("st")
    page.expect_options("stations", "steam engines", "statistics", "stars")
    assert page.errors() == []


def test_a_correction_stands_above_weak_answers(page):
    page.search("weak railwais")
    notice, answers = page.find("notice"), page.find("answers")
    assert notice.text == "Did you mean railways?"
    assert notice.location["y"] < answers.location["y"]
    page.search("strong railwais")
    assert notice.text == ""


def test_a_correction_is_searched_from_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.search("weak railwais")
    link = page.driver.find_element("css selector", "#notice a")
    assert (link.aria_role, link.accessible_name) == ("link", "railways")
    for _ in range(10):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        if page.driver.switch_to.active_element == link:
            break
    link.send_keys(Keys.ENTER)
    page.wait(lambda: page.find("answers-title").text == "Subjects for “railways”")


def test_a_correction_opens_in_another_tab(page):
    page.search("weak railwais")
    link = page.driver.find_element("css selector", "#notice a")
    page.driver.get(link.get_attribute("href"))
    page.box = page.find("query")
    page.wait(lambda: page.find("answers-title").text == "Subjects for “railways”")
    assert page.box.get_property("value") == "railways"


def test_an_error_keeps_the_notice(page):
    page.search("weak railwais")
    page.box.clear()
    page.type("fail")
    page.press("ENTER")
    page.wait(lambda: page.find("error").text == "The server could not answer this")
    assert page.find("notice").text == "Did you mean railways?"


def test_the_button_searches_and_nothing_searches_nothing(page):
    button = page.driver.find_element("css selector", "form button")
    page.type("  ")
    button.click()
    page.press("ENTER")
    assert page.chips == []
    page.box.clear()
    page.type("steam")
    button.click()
    page.wait(lambda: page.chips == ["steam"])


def test_escape_closes_then_clears(page):
    page.type("st")
    page.expect_options(*ST)
    page.press("ARROW_DOWN", "ESCAPE")
    page.expect_options()
    assert page.active is None
    assert page.box.get_property("value") == "st"
    page.press("ESCAPE")
    assert page.box.get_property("value") == ""


def test_leaving_closes(page):
    page.type("st")
    page.expect_options(*ST)
    page.press("TAB")
    page.expect_options()


def test_previous_searches_change_suggestions(page):
    page.type("st")
    page.expect_options(*ST)
    page.search("railways")
    page.search("mushrooms")
    page.box.clear()
    page.type("st")
    page.expect_options("stations", "steam engines", "statistics", "stars")
    # The suggestions for "s" look the same: the request for "st" may be sent later, or
    # have overtaken the one for "s".
    page.wait(lambda: ("st", ["railways", "mushrooms"]) in page.model.asked)
    # Searched again, it is the newest.
    page.search("railways")
    page.wait(lambda: page.chips == ["mushrooms", "railways"])


def test_only_the_latest_searches_are_kept(page):
    for text in "abcdef":
        page.search(text)
    assert page.chips == list("bcdef")


def test_a_search_is_forgotten(page):
    for text in ("railways", "mushrooms"):
        page.search(text)
    chip = page.driver.find_element("css selector", "#chips button")
    assert chip.accessible_name == "Forget railways"
    chip.click()
    assert page.chips == ["mushrooms"]
    assert page.driver.switch_to.active_element == page.box
    page.box.clear()
    page.type("st")
    page.expect_options(*ST)
    page.press("ESCAPE")
    page.driver.find_element("css selector", "#chips button").click()
    assert not page.find("session").is_displayed()


def test_an_old_response_does_not_replace_a_new_one(page):
    page.model.hold["s"] = threading.Event()
    page.type("s")
    page.wait(lambda: page.model.asked == [("s", [])])
    page.type("tar")
    page.expect_options("stars")
    page.model.hold["s"].set()
    # After one more request, the old response would have been shown.
    page.type("s")
    page.wait(lambda: page.model.asked[-1] == ("stars", []))
    page.expect_options("stars")
    assert page.errors() == []


@pytest.mark.parametrize("key", ["ESCAPE", "ENTER", "TAB"])
def test_an_answer_after_leaving_the_list_does_not_open_it(page, key):
    page.model.hold["st"] = threading.Event()
    page.type("st")
    page.wait(lambda: ("st", []) in page.model.asked)
    page.press(key)
    page.model.hold["st"].set()
    # Once a later response has arrived, so has the held one, if it was not aborted.
    page.driver.execute_async_script("fetch('/icon.svg').then(arguments[0])")
    assert page.options == []


def test_errors_are_shown_and_go(page):
    page.type("st")
    page.expect_options(*ST)
    page.model.fail = True
    page.type("a")
    page.wait(lambda: page.find("error").text == "The server could not answer this")
    assert page.options == []
    page.model.fail = False
    page.type("t")
    page.expect_options("stations", "statistics")
    assert page.find("error").text == ""
    # A failed search keeps the previous answers, and is not added to the session.
    page.search("steam")
    page.box.clear()
    page.type("fail")
    page.press("ENTER")
    page.wait(lambda: page.find("error").text == "The server could not answer this")
    assert page.chips == ["steam"]


COMPLETE = """
fetch("api/complete", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: '{"prefix": ""}',
}).then((response) => arguments[0](response.ok));
"""


def test_a_busy_server_is_shown(browser):
    with serving(Moody(), max_requests=1) as server:
        page = Page(browser, server)
        page.model.hold["s"] = threading.Event()
        page.type("s")
        page.wait(lambda: page.model.asked == [("s", [])])
        page.type("t")
        page.wait(lambda: "is busy" in page.find("error").text)
        page.model.hold["s"].set()
        page.wait(lambda: page.driver.execute_async_script(COMPLETE))
        page.type("a")
        page.expect_options(*ST[1:])
        browser.get("about:blank")


def test_no_server_is_shown(browser):
    with serving(Moody()) as server:
        page = Page(browser, server)
    page.type("st")
    page.wait(lambda: page.find("error").text == "The server does not answer")


def test_page_works_below_any_path(browser):
    demo = application(Moody(), hosts=None)
    with running(Starlette(routes=[Mount("/shop/demo", demo)])) as server:
        browser.get_log("browser")
        server.url += "shop/demo"
        page = Page(browser, server)
        page.type("st")
        page.expect_options(*ST)
        page.search("railways")
        assert page.texts("#found button")
        assert page.errors() == []
        browser.get("about:blank")


def test_no_markup_comes_from_texts(page):
    page.search("<img src=x onerror=alert(1)>")
    assert page.texts("#answers img") == []
    page.show_notice("nothing <b>", "Nothing was found for “nothing <b>”.")
    assert page.texts("#notice b, #notice script") == []
    assert page.texts("#notice a") == ["<script>alert(1)</script> &"]
    page.follow_correction("<script>alert(1)</script> &")
    assert page.errors() == []


def test_long_texts_are_shortened(page):
    page.show_notice("nothing long", "Nothing was found for “nothing long”.")
    (shown,) = page.texts("#notice a")
    assert shown == "x" * 250 + "…"
    page.driver.find_element("css selector", "#notice a").click()
    page.wait(lambda: "…" in page.find("answers-title").text)
    assert page.box.get_property("value") == "x" * 300
    # No character is cut in two.
    page.driver.execute_script(
        "arguments[0].value = arguments[1]", page.box, "🚂" * 300
    )
    page.press("ENTER")
    title = f"Subjects for “{'🚂' * 250}…”"
    page.wait(lambda: page.find("answers-title").text == title)


class Shop(Moody):
    title = "A small shop"
    examples = ("rye bread", "milk & <b>honey</b>", "tea")

    def __init__(self):
        self.retriever = self

    def explain(self, text, position):
        return f"{text}: answer {position}\n+0.5  word"


def test_own_data(browser):
    with serving(Shop()) as server:
        page = Page(browser, server)
        page.wait(lambda: page.find("title").text == "A small shop")
        assert browser.title == "A small shop"
        assert page.texts("#examples a") == list(Shop.examples)
        browser.find_elements("css selector", "#examples a")[1].click()
        page.wait(
            lambda: (
                page.find("answers-title").text == f"Answers for “{Shop.examples[1]}”"
            )
        )
        assert "how sure" in page.find("meaning").text
        whys = browser.find_elements("css selector", "#found summary")
        assert len(whys) == 2
        assert whys[1].size["height"] >= 36
        whys[1].click()
        expected = f"{Shop.examples[1]}: answer 1\n+0.5  word"
        page.wait(lambda: page.texts("#found details[open] pre") == [expected])
        browser.get("about:blank")


@pytest.mark.parametrize("width", [pytest.param(375, marks=pytest.mark.slow), 320])
def test_phone(page, width):
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 667, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        page.driver.refresh()
        page.box = page.find("query")
        page.search("x" * 200)
        page.show_notice("nothing long", "Nothing was found")
        page.search("railways")
        page.search("weak railwais")
        page.box.clear()
        page.type("s")
        page.expect_options("stations", "steam engines", "statistics", "stars", "sun")
        sizes = page.driver.execute_script(
            "const { scrollWidth, clientWidth } = document.documentElement;"
            "return [scrollWidth, clientWidth, innerWidth]"
        )
        assert sizes == [width] * 3
        # Large enough for a finger.
        for selector in (
            "#query",
            "form button",
            "[role=option]",
            "#chips button",
            "#notice a",
        ):
            element = page.driver.find_element("css selector", selector)
            assert element.size["height"] >= 36
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
