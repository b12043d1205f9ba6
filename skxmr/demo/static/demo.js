// A search box with suggestions while typing: the combobox pattern of the ARIA guide.

const form = document.getElementById("form");
const query = document.getElementById("query");
const suggestions = document.getElementById("suggestions");
const REMEMBERED = 5; // searches
const STRONG = 0.5; // an answer this probable needs no correction
const MAX_SHOWN = 250; // characters of a query

let about = { title: "", examples: [], explains: false }; // the models
let session = []; // previous searches, latest last
let active = -1; // index of the option selected with the arrow keys
let underway = new AbortController(); // of the latest request

// ---- requests

// Each request aborts the one before, so that an old response never replaces a new one.
async function ask(path, fields, show) {
  underway.abort();
  underway = new AbortController();
  const { signal } = underway;
  try {
    show(await post(path, fields, signal));
  } catch (error) {
    if (signal.aborted) return;
    close();
    tell(error.message);
  }
}

async function post(path, fields, signal) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
    signal,
  }).catch((error) => {
    throw signal.aborted ? error : new Error("The server does not answer");
  });
  const answer = await response.json().catch(() => ({}));
  signal.throwIfAborted();
  if (!response.ok) {
    throw new Error(answer.error ?? `The server answered with ${response.status}`);
  }
  return answer;
}

function tell(error, count = "", time = "") {
  document.getElementById("error").textContent = error;
  document.getElementById("count").textContent = count;
  document.getElementById("time").textContent = time;
}

function tellCount(number, thing, milliseconds) {
  const count = `${number || "No"} ${thing}${number === 1 ? "" : "s"}`;
  tell("", count, `in ${milliseconds.toFixed(2)} ms`);
}

// ---- suggestions

function complete() {
  const prefix = query.value;
  ask("api/complete", { prefix, previous: session }, (answer) => {
    if (document.activeElement !== query) return;
    open(prefix, answer.suggestions);
    tellCount(answer.suggestions.length, "suggestion", answer.milliseconds);
  });
}

function open(prefix, found) {
  suggestions.replaceChildren(...found.map(({ text }, i) => option(prefix, text, i)));
  suggestions.hidden = found.length === 0;
  query.setAttribute("aria-expanded", String(found.length > 0));
  activate(-1);
}

function close() {
  open("", []);
}

function option(prefix, text, i) {
  const item = document.createElement("li");
  item.id = `option-${i}`;
  item.setAttribute("role", "option");
  item.dataset.text = text;
  // Emphasize what completes the prefix.
  const starts = text.toLowerCase().startsWith(prefix.toLowerCase());
  const cut = starts ? prefix.length : 0;
  const rest = document.createElement("b");
  rest.textContent = text.slice(cut);
  item.append(text.slice(0, cut), rest);
  return item;
}

function activate(i) {
  active = i;
  [...suggestions.children].forEach((item, j) => {
    item.setAttribute("aria-selected", String(j === i));
  });
  const item = suggestions.children[i];
  if (item) {
    query.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  } else {
    query.removeAttribute("aria-activedescendant");
  }
}

// ---- the keyboard

// Position 0 is the text as typed, and follows after either end of the list.
function step(by) {
  if (suggestions.hidden) return complete();
  const positions = suggestions.children.length + 1;
  activate(((active + 1 + by + positions) % positions) - 1);
}

function dismiss() {
  underway.abort();
  if (suggestions.hidden) query.value = "";
  close();
  tell("");
}

function onKey(event) {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const actions = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Escape: dismiss,
  };
  if (active >= 0) {
    actions.Home = () => activate(0);
    actions.End = () => activate(suggestions.children.length - 1);
  }
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

// ---- searching

function search(text) {
  underway.abort();
  query.value = text;
  close();
  if (!text.trim()) return;
  ask("api/search", { text }, (answer) => {
    const found = answer.answers;
    // A search without answers would not help the suggestions.
    if (found.length > 0) remember(text);
    showNotice(text, found, answer.did_you_mean);
    showAnswers(text, found);
    tellCount(found.length, "answer", answer.milliseconds);
  });
}

function showNotice(text, found, correction) {
  const isWeak = found.every(({ score }) => score < STRONG);
  const parts = found.length ? [] : [`Nothing was found for “${shorten(text)}”. `];
  if (isWeak && correction) parts.push("Did you mean ", searchLink(correction), "?");
  else if (!found.length) parts.push("Try other words, or fewer.");
  document.getElementById("notice").replaceChildren(...parts);
}

function searchLink(text) {
  const link = document.createElement("a");
  link.textContent = shorten(text);
  link.href = `?${new URLSearchParams({ q: text })}`; // for a new tab
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    search(text);
  });
  return link;
}

// By code points, so that no character is cut in two.
function shorten(text) {
  const characters = [...text];
  if (characters.length <= MAX_SHOWN) return text;
  return `${characters.slice(0, MAX_SHOWN).join("")}…`;
}

function showAnswers(text, found) {
  const title = `${about.title ? "Answers" : "Subjects"} for “${shorten(text)}”`;
  document.getElementById("answers-title").textContent = title;
  const items = found.map((answer, i) => answerItem(answer, text, i));
  document.getElementById("found").replaceChildren(...items);
  document.getElementById("answers").hidden = found.length === 0;
  // Typing replaces this query; on a phone, the keyboard would hide the answers.
  query.select();
  if (matchMedia("(pointer: coarse)").matches) query.blur();
  else query.focus(); // the link or button that had it may have gone
}

function answerItem({ name, score }, text, position) {
  const button = document.createElement("button");
  const number = document.createElement("span");
  number.className = "score";
  number.textContent = score < 0.005 ? "< 0.01" : score.toFixed(2);
  button.append(name, " ", number);
  button.style.setProperty("--score", score);
  button.addEventListener("click", () => search(name));
  const item = document.createElement("li");
  item.append(button);
  if (about.explains) item.append(explanation(text, position));
  return item;
}

// What an answer was found by, asked for when it is opened.
function explanation(text, position) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "Why?";
  const lines = document.createElement("pre");
  details.append(summary, lines);
  details.addEventListener("toggle", () => {
    if (!details.open || lines.textContent) return;
    const { signal } = new AbortController();
    post("api/explain", { text, position }, signal).then(
      (answer) => {
        lines.textContent = answer.explanation ?? "There is no explanation.";
      },
      (error) => tell(error.message),
    );
  });
  return details;
}

// ---- the models

async function introduce() {
  const response = await fetch("api/about").catch(() => null);
  if (!response?.ok) return;
  about = await response.json();
  if (about.title) {
    document.title = about.title;
    document.getElementById("title").textContent = about.title;
    document.getElementById("lead").textContent =
      "Type a text: the answers are its labels, the best first.";
    document.querySelector("label[for=query]").textContent = "Text";
  }
  const links = about.examples.flatMap((text) => [" ", searchLink(text)]);
  const examples = document.getElementById("examples");
  examples.replaceChildren("Try", ...links);
  examples.hidden = about.examples.length === 0;
}

// ---- the session

function remember(text) {
  session = [...session.filter((other) => other !== text), text].slice(-REMEMBERED);
  showSession();
}

function forget(text) {
  session = session.filter((other) => other !== text);
  showSession();
  query.focus(); // the focused button was removed
}

function showSession() {
  const chips = session.map((text) => {
    const button = document.createElement("button");
    const name = document.createElement("span");
    name.textContent = text;
    button.append(name);
    button.setAttribute("aria-label", `Forget ${text}`);
    button.addEventListener("click", () => forget(text));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  document.getElementById("chips").replaceChildren(...chips);
  document.getElementById("session").hidden = session.length === 0;
}

// ---- events

query.addEventListener("input", complete);
query.addEventListener("keydown", onKey);
query.addEventListener("blur", () => {
  if (!suggestions.hidden) close();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  search(suggestions.children[active]?.dataset.text ?? query.value);
});
// Keep the focus in the box when the list is clicked: losing it closes the list.
suggestions.addEventListener("mousedown", (event) => event.preventDefault());
suggestions.addEventListener("click", (event) => {
  const item = event.target.closest("[role=option]");
  if (item) search(item.dataset.text);
});

introduce().finally(() => {
  const asked = new URLSearchParams(location.search).get("q");
  if (asked) search(asked);
});
