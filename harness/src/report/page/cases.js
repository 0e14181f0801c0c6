// The list of cases and its filter.

const CHUNK = 120;

// What the list shows now, in order; the keys j and k move through it.
let shownCases = [];
// The filter by which it was drawn: opening a case leaves the list where it is.
let drawnFilter = null;

function filterOf(state) {
  return { ...state, terms: state.q.toLowerCase().split(/\s+/).filter((it) => it) };
}

function select(name, label, value, values, all) {
  const chosen = el("select", { id: name, "aria-label": label }, el("option", { value: "" }, all), values.map((it) => el("option", { value: it[0] }, it[1])));
  chosen.value = value;
  chosen.addEventListener("change", () => change({ [name]: chosen.value }));
  return chosen;
}

function caseRow(one) {
  const current = one.key === state.case;
  return el("li", null, el("a", { class: "case", href: hashOf({ ...state, case: one.key }), "data-key": one.key, "aria-current": current ? "true" : undefined },
    icon(one.verdict, VERDICT_WORDS[one.verdict]),
    el("span", { class: "case-words" },
      el("span", { class: "case-title" }, one.title),
      el("span", { class: "case-name" }, one.name)),
    el("span", { class: "case-side" },
      one.deviation && tag(one.deviation.state === "known" ? "known" : one.deviation.state, "strong"),
      one.crash && tag("crash", "strong"),
      isFlaky(one) && tag("flaky", "strong"),
      tag(one.protocol), el("span", { class: "dim time" }, one.verdict === "skipped" ? "" : duration(one.ms)))));
}

function isFlaky(one) {
  return new Set(one.attempts).size > 1;
}

// The list is drawn as far as somebody scrolls.
function fillList(list, upTo) {
  const drawn = list.childElementCount;
  const next = shownCases.slice(drawn, Math.max(drawn + CHUNK, upTo || 0));
  list.append(...next.map(caseRow));
}

function drawCases() {
  const filter = filterOf(state);
  const wanted = hashOf({ ...state, case: "" });
  if (wanted === drawnFilter) return;
  drawnFilter = wanted;
  const besides = caseOrder.filter((it) => matchesBesidesVerdict(it, filter));
  shownCases = besides.filter((it) => filter.verdicts.size === 0 || filter.verdicts.has(it.verdict));
  const counts = {};
  for (const it of besides) counts[it.verdict] = (counts[it.verdict] || 0) + 1;
  for (const chip of document.querySelectorAll("#verdicts button")) {
    const verdict = chip.dataset.verdict;
    chip.setAttribute("aria-pressed", String(filter.verdicts.has(verdict)));
    chip.querySelector("b").textContent = (counts[verdict] || 0).toLocaleString("en");
    chip.classList.toggle("none", !counts[verdict]);
  }
  const list = document.getElementById("list");
  list.replaceChildren();
  fillList(list);
  document.getElementById("more").hidden = list.childElementCount >= shownCases.length;
  const count = document.getElementById("count");
  count.textContent = shownCases.length === cases.length ? plural(cases.length, "case") : `${shownCases.length.toLocaleString("en")} of ${plural(cases.length, "case")}`;
  const only = document.getElementById("only");
  const id = filter.broken || filter.statement;
  only.replaceChildren();
  if (id) {
    const found = statement(filter.protocol || "5.0", id);
    only.append(el("div", { class: "only" }, el("p", { class: "line" },
      filter.broken ? "Cases that break" : "Cases that judge", el("span", { class: "id" }, id), found && levelTag(found.level),
      el("button", { type: "button", class: "plain", on: { click: () => change({ broken: "", statement: "" }) } }, "Remove ✕")),
      found && el("p", { class: "words" }, found.text)));
  }
  document.getElementById("none").hidden = shownCases.length > 0;
  document.getElementById("clear").hidden = !(state.q || state.verdicts.size || state.protocol || state.topic || id);
}

function casesView() {
  const search = el("input", { type: "search", id: "q", placeholder: "Search names, titles, statements", "aria-label": "Search", "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false" });
  search.value = state.q;
  search.addEventListener("input", () => change({ q: search.value, case: state.case }));
  const chips = el("div", { id: "verdicts", class: "chips", role: "group", "aria-label": "Verdicts" }, VERDICTS.filter((it) => run.summary[it] > 0).map((verdict) =>
    el("button", { type: "button", class: `chip ${verdict}`, "data-verdict": verdict, on: { click: () => {
      const verdicts = new Set(state.verdicts);
      if (!verdicts.delete(verdict)) verdicts.add(verdict);
      change({ verdicts });
    } } }, icon(verdict), el("b"), ` ${VERDICT_WORDS[verdict]}`)));
  const list = el("ol", { id: "list", class: "list" });
  const more = el("button", { type: "button", class: "plain more", id: "more" }, "Show more");
  const further = () => {
    fillList(list);
    more.hidden = list.childElementCount >= shownCases.length;
  };
  more.addEventListener("click", further);
  new IntersectionObserver((seen) => { if (seen.some((it) => it.isIntersecting)) further(); }, { rootMargin: "600px" }).observe(more);
  return [
    el("h1", { class: "unseen" }, "Cases"),
    el("div", { class: "browser", id: "browser" },
      el("section", { class: "finder", "aria-label": "Cases" },
        el("div", { class: "filter" },
          el("div", { class: "search" }, search, el("kbd", { "aria-hidden": "true" }, "/")),
          chips,
          el("div", { class: "selects" },
            select("protocol", "Protocol version", state.protocol, protocols.map((it) => [it, `MQTT ${it}`]), "All versions"),
            select("topic", "Topic", state.topic, topics.map((it) => [it, it]), "All topics")),
          el("div", { id: "only" }),
          el("p", { class: "found" }, el("span", { id: "count", role: "status" }),
            el("button", { type: "button", class: "plain", id: "clear", on: { click: () => change({ q: "", verdicts: new Set(), protocol: "", topic: "", broken: "", statement: "" }) } }, "Clear filter"))),
        list, el("p", { id: "none", class: "dim", hidden: true }, "No case matches."), more),
      el("article", { class: "detail", id: "detail", hidden: true, "aria-label": "The case" })),
  ];
}
