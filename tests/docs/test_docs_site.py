"""The built site: links, what is loaded from elsewhere, and how it looks in a browser.

The environment variable SKXMR_DOCS names the folder of the built site; without it these
tests are skipped. ``.ci/run`` builds the site and sets it.
"""

import os
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag

import pytest
from browsers import chromium, needs_browser

SITE = Path(os.environ.get("SKXMR_DOCS", "no-such-folder")).resolve()
pytestmark = pytest.mark.skipif(
    "SKXMR_DOCS" not in os.environ, reason="SKXMR_DOCS does not name a built site"
)
# Their content comes from templates of the theme, or is made by scripts.
SPECIAL = {"genindex.html", "search.html", "py-modindex.html"}
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.relative_to(SITE).parts
)


class Page(HTMLParser):
    """What one page links to, shows and loads, and the anchors that it has."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.shown, self.loaded = set(), [], [], []
        self.words = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag in ("img", "source", "video", "object"):
            srcset = attributes.get("srcset") or ""
            self.shown += [part.split()[0] for part in srcset.split(",") if part]
            self.shown += [attributes.get(key) for key in ("src", "data")]
        if tag in ("script", "iframe"):
            self.loaded.append(attributes.get("src"))
        if tag == "link" and attributes.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(attributes.get("href"))


@cache
def parsed(path):
    return Page(path)


def anchors_of(path):
    # A picture or a download has none; its viewer may know more.
    return parsed(path.resolve()).anchors if path.suffix == ".html" else ()


def is_elsewhere(address):
    return re.match(r"(https?:)?//|mailto:|data:", address) is not None


def missing(page, addresses):
    """Addresses inside the site that lead to no file, or to no anchor of it."""
    lost = []
    for address in addresses:
        if address is None or is_elsewhere(address):
            continue
        place, anchor = urldefrag(address.split("?")[0] if "?" in address else address)
        target = (SITE / page).parent / unquote(place) if place else SITE / page
        if target.is_dir():
            target /= "index.html"
        has_anchor = target.is_file() and unquote(anchor) in {"", *anchors_of(target)}
        if not has_anchor:
            lost.append(address)
    return lost


def test_the_site_is_there():
    assert {"index.html", "guide/index.html", "api/index.html"} <= set(PAGES)
    assert "auto_examples/index.html" in PAGES


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page):
    found = parsed(SITE / page)
    assert missing(page, found.links) == []
    assert missing(page, found.shown) == []
    assert missing(page, found.loaded) == []
    # In an inventory, "$" stands for the name.
    assert [address for address in found.links if "$" in address] == []
    # recall@10 in a text must not become an e-mail address.
    assert [a for a in found.links if a.startswith("mailto:")] == []


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_loaded_from_elsewhere(page):
    found = parsed(SITE / page)
    addresses = [a for a in found.loaded + found.shown if a]
    assert [a for a in addresses if is_elsewhere(a) and a[:5] != "data:"] == []


def test_styles_load_nothing_from_elsewhere():
    for style in SITE.glob("_static/**/*.css"):
        text = re.sub(r"/\*.*?\*/", "", style.read_text("utf-8"), flags=re.DOTALL)
        assert re.findall(r"(?:url\(|@import )\s*[\"']?https?:", text) == [], style


def test_names_of_other_projects_are_links():
    # Set as code only, such a name is not in docs/inventories.
    plain = re.compile(
        r'(?<!</a>)<code class="xref py py-obj docutils literal notranslate">'
        r'<span class="pre">((?:sklearn|numpy|scipy|joblib|skops)\.[\w.]+)</span>'
    )
    linked = re.compile(r"<a [^>]*>\s*<code.*?</code>\s*</a>", re.DOTALL)
    for page in PAGES:
        text = linked.sub("", (SITE / page).read_text("utf-8"))
        assert plain.findall(text) == [], page


# In a browser
# ------------
# The theme's own samples of code colours are trusted; what is looked at is text as it
# stands on its ground, by the formula of the Web Content Accessibility Guidelines 2.
CONTRAST = """
const weak = [];
const parse = text => {
  const parts = text.match(/[\\d.]+/g).map(Number);
  return parts.length < 4 ? [...parts, 1] : parts;
};
const over = (above, below) =>
  [0, 1, 2].map(i => above[i] * above[3] + below[i] * (1 - above[3])).concat(1);
const luminance = color => {
  const [r, g, b] = color.slice(0, 3).map(value => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const grounds = new Map([[null, [255, 255, 255, 1]]]);
const ground = element => {
  if (!grounds.has(element)) {
    const color = parse(getComputedStyle(element).backgroundColor);
    grounds.set(element, over(color, ground(element.parentElement)));
  }
  return grounds.get(element);
};
const opacities = new Map([[null, 1]]);
const opacity = element => {
  if (!opacities.has(element)) {
    const own = Number(getComputedStyle(element).opacity);
    opacities.set(element, own * opacity(element.parentElement));
  }
  return opacities.get(element);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const element = walker.currentNode.parentElement;
  const visible = {opacityProperty: true, visibilityProperty: true};
  if (!text || !element.checkVisibility(visible)) continue;
  if (element.closest('script, style, .sr-only, .visually-hidden')) continue;
  const box = element.getBoundingClientRect();
  if (box.width < 2 || box.height < 2) continue;
  const below = ground(element);
  const [r, g, b, alpha] = parse(getComputedStyle(element).color);
  const above = over([r, g, b, alpha * opacity(element)], below);
  const [light, dark] = [luminance(above), luminance(below)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(getComputedStyle(element).fontSize);
  if (ratio < (size >= 24 ? 3 : 4.5))
    weak.push([text.slice(0, 40), element.className, ratio.toFixed(2)]);
}
return weak;
"""
STILL = """
const style = document.createElement('style');
style.textContent = '* { transition: none !important; animation: none !important; }';
document.head.append(style);
"""
# Names in tables, set as code, that stand on two lines.
BROKEN_NAMES = """
return [...document.querySelectorAll('.bd-article table code .pre')]
  .filter(name => new Set([...name.getClientRects()]
    .filter(box => box.width > 0).map(box => Math.round(box.top))).size > 1)
  .map(name => name.textContent);
"""
FOUND = """
const summary = document.querySelector('#search-results .search-summary');
if (!summary || !/found|did not match/.test(summary.textContent)) return null;
return [...document.querySelectorAll('#search-results li a')]
  .map(link => new URL(link.href).pathname);
"""
THEME = "return document.documentElement.dataset.theme"
WIDTH = "return [document.documentElement.scrollWidth, window.innerWidth];"
# One of each kind, and all that are written by hand.
LOOKED_AT = [
    page
    for page in PAGES
    if not page.startswith(("api/generated/", "auto_examples/"))
    or re.search(
        r"XRLinearClassifier|ndcg_at_k\.|LabelTree|completion\.html|examples/index",
        page,
    )
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


def resize(browser, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )


@needs_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", LOOKED_AT)
def test_a_page_can_be_read_at_a_desk_and_on_a_phone(browser, page, theme):
    resize(browser, 1280)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": theme}]},
    )
    browser.get((SITE / page).as_uri())
    browser.execute_script(STILL)  # colours as they are in the end
    assert browser.execute_script(THEME) == theme
    for width in (1280, 375):
        resize(browser, width)
        needed, there = browser.execute_script(WIDTH)
        assert needed <= there == width
        if page not in SPECIAL:
            assert browser.execute_script(CONTRAST) == []


@needs_browser
@pytest.mark.parametrize("page", LOOKED_AT)
def test_names_in_tables_are_whole_on_a_phone(browser, page):
    resize(browser, 390)
    browser.get((SITE / page).as_uri())
    assert browser.execute_script(BROKEN_NAMES) == []


@needs_browser
@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("autocomplete", "guide/completion.html"),
        ("deploy", "guide/deploy.html"),
        ("web service", "guide/deploy.html"),
        ("fastapi", "guide/deploy.html"),
        ("csv", "guide/quickstart.html"),
        ("quick start", "guide/quickstart.html"),
        ("partial_fit", "api/generated/skxmr.TextRetriever.html"),
        ("MultiLabelBinarizer", "guide/quickstart.html"),
        ("sentence embeddings", "guide/embeddings.html"),
        ("threshold", "guide/tagging.html"),
        ("command line", "guide/command_line.html"),
    ],
)
def test_the_search_finds_a_page_for_a_task(browser, words, page):
    from selenium.webdriver.support.ui import WebDriverWait

    resize(browser, 1280)
    browser.get(f"{(SITE / 'search.html').as_uri()}?q={quote(words)}")
    found = WebDriverWait(browser, 20).until(
        lambda driver: driver.execute_script(FOUND)
    )
    assert any(path.endswith(f"/{page}") for path in found)


@needs_browser
def test_faint_text_is_found(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<!DOCTYPE html><body style="background: white"><p style="color: #767676">plain'
        '<p style="color: #999">faint<p style="color: black; opacity: 0.4">thin'
        '<div style="background: #222"><p style="color: #444">dark</div>'
        '<p style="display: none; color: white">hidden',
        "utf-8",
    )
    browser.get(page.as_uri())
    assert [text for text, *_ in browser.execute_script(CONTRAST)] == [
        "faint",
        "thin",
        "dark",
    ]


def test_lost_links_are_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "SITE", tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other.html").write_text('<p id="here">', "utf-8")
    kept = ["folder/other.html", "folder/other.html#here", "https://example.org/", ""]
    lost = ["no.html", "folder/other.html#there", "picture.png"]
    (tmp_path / "page.html").write_text("<p>", "utf-8")
    assert missing("page.html", kept + lost) == lost
