// What is shown, kept in the address so that it can be linked, and the keys.

const VIEWS = [["overview", "Overview", overview], ["cases", "Cases", casesView], ["choices", "Choices", choicesView], ["broker", "Broker", brokerView], ["run", "Run", runView]];
const TEXT_FIELDS = ["q", "protocol", "topic", "statement", "broken", "case"];

let state = stateOf(location.hash);
let drawnView = null;

function stateOf(hash) {
  const found = new URLSearchParams(hash.replace(/^#/, ""));
  const it = { view: found.get("view") || (found.has("case") ? "cases" : "overview"), verdicts: new Set((found.get("verdict") || "").split(",").filter((word) => VERDICTS.includes(word))) };
  for (const name of TEXT_FIELDS) it[name] = found.get(name) || "";
  if (!VIEWS.some(([view]) => view === it.view)) it.view = "overview";
  return it;
}

function hashOf(it) {
  const out = new URLSearchParams();
  if (it.view !== "cases" || !it.case) out.set("view", it.view);
  if (it.view === "cases") {
    if (it.verdicts && it.verdicts.size > 0) out.set("verdict", [...it.verdicts].join(","));
    for (const name of TEXT_FIELDS) if (it[name]) out.set(name, it[name]);
  }
  return `#${out}`;
}

// Changes the filter, in place: going back leaves the list and not the last letter of a word.
function change(some) {
  state = { ...state, ...some };
  history.replaceState(null, "", hashOf(state));
  drawCases();
}

function draw() {
  const main = document.getElementById("main");
  const view = VIEWS.find(([name]) => name === state.view);
  if (drawnView !== state.view) {
    main.replaceChildren(...view[2]().flat().filter((it) => it));
    main.dataset.view = state.view;
    drawnView = state.view;
    drawnFilter = null;
    scrollTo(0, 0);
  }
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === state.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (state.view === "cases") {
    document.getElementById("q").value = state.q;
    document.getElementById("protocol").value = state.protocol;
    document.getElementById("topic").value = state.topic;
    drawCases();
    openCase();
  }
  document.title = `${state.view === "cases" && state.case ? `${state.case} – ` : ""}${run.broker} – MQTT conformance`;
}

function openCase() {
  const one = caseByKey.get(state.case);
  const before = document.getElementById("detail").hidden;
  drawCase(one);
  if (!one) return;
  const at = shownCases.indexOf(one);
  if (at >= 0) fillListTo(at);
  const link = linkOf(one.key);
  if (link) link.scrollIntoView({ block: "nearest" });
  document.getElementById("detail").scrollTop = 0;
  if (before || matchMedia("(max-width: 900px)").matches) scrollTo(0, 0);
  document.getElementById("case-title").focus({ preventScroll: true });
}

function closeCase() {
  const key = state.case;
  state = { ...state, case: "" };
  history.pushState(null, "", hashOf(state));
  draw();
  const link = linkOf(key);
  if (link) link.focus();
}

function linkOf(key) {
  return [...document.querySelectorAll("#list .case")].find((it) => it.dataset.key === key);
}

function fillListTo(at) {
  const list = document.getElementById("list");
  if (list.childElementCount <= at) fillList(list, at + CHUNK);
}

// The next or the previous case: opened if one is open, else focused.
function step(by) {
  const open = shownCases.findIndex((it) => it.key === state.case);
  const focused = document.activeElement && document.activeElement.closest("#list .case");
  const from = state.case ? open : focused ? shownCases.findIndex((it) => it.key === focused.dataset.key) : by > 0 ? -1 : 0;
  const at = Math.max(0, Math.min(shownCases.length - 1, from + by));
  const next = shownCases[at];
  if (!next) return;
  if (state.case) {
    location.replace(hashOf({ ...state, case: next.key }));
    return;
  }
  fillListTo(at);
  const link = linkOf(next.key);
  link.focus();
  link.scrollIntoView({ block: "nearest" });
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
  const field = event.target.closest("input, select, textarea");
  const inList = event.target.closest("#list, #q");
  const act = (work) => { event.preventDefault(); work(); };
  if (event.key === "Escape") {
    if (field && field.id === "q" && state.q) return act(() => { field.value = ""; change({ q: "" }); });
    if (field) return act(() => field.blur());
    if (state.view === "cases" && state.case) return act(closeCase);
    return;
  }
  if (state.view === "cases" && inList && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    return act(() => step(event.key === "ArrowDown" ? 1 : -1));
  }
  if (field) {
    if (field.id === "q" && event.key === "Enter" && shownCases.length > 0) act(() => { location.hash = hashOf({ ...state, case: shownCases[0].key }); });
    return;
  }
  if (event.key === "/") return act(() => { goTo("cases"); document.getElementById("q").focus(); document.getElementById("q").select(); });
  if (event.key === "?") return act(help);
  if (state.view === "cases" && event.key === "j") return act(() => step(1));
  if (state.view === "cases" && event.key === "k") return act(() => step(-1));
  const number = "12345".indexOf(event.key);
  if (event.key && number >= 0) act(() => goTo(VIEWS[number][0]));
}

function goTo(view) {
  if (state.view === view) return;
  state = { ...state, view };
  history.pushState(null, "", hashOf(state));
  draw();
}

function help() {
  const dialog = document.getElementById("help");
  const rows = [["/", "search"], ["j  k  ↓  ↑", "next, previous case"], ["Enter", "open it"], ["Esc", "close it, or clear the search"], ["1 – 5", "the parts of the report"], ["?", "this list"]];
  dialog.replaceChildren(el("h2", { id: "help-title" }, "Keyboard"),
    el("dl", { class: "keys" }, rows.map(([key, words]) => [el("dt", null, key.split("  ").map((it) => [el("kbd", null, it), " "])), el("dd", null, words)])),
    el("button", { type: "button", class: "plain", on: { click: () => dialog.close() } }, "Close"));
  dialog.showModal();
}

// Light, dark, or what the system says.
const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const signs = { auto: "◐", light: "☀", dark: "☾" };
  document.getElementById("theme").replaceChildren(el("span", { "aria-hidden": "true" }, signs[theme]), el("span", { class: "unseen" }, `Colours: ${theme}`));
  document.getElementById("theme").title = `Colours: ${theme}`;
}

function theme() {
  // A file opened from disk may have no storage.
  let kept = "auto";
  try { kept = localStorage.getItem("assay-theme") || "auto"; } catch { kept = "auto"; }
  setTheme(THEMES.includes(kept) ? kept : "auto");
  document.getElementById("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    setTheme(next);
    say(`Colours: ${next}`);
    try { localStorage.setItem("assay-theme", next); } catch { /* It holds for this visit then. */ }
  });
}

document.getElementById("nav").append(...VIEWS.map(([name, word]) => el("a", { href: hashOf({ view: name }), "data-view": name }, word)));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
document.getElementById("keys").addEventListener("click", help);
document.addEventListener("keydown", keys);
addEventListener("hashchange", () => { state = stateOf(location.hash); draw(); });
theme();
draw();
