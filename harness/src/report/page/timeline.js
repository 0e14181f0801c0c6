// The timeline of a case: which rows are shown, and the same as a table.

// Rows that stay around a marked one, and at both ends, when a long timeline is folded.
const BEFORE = 8, AFTER = 4, ENDS = 5;
// Timelines up to this length are shown whole; fewer rows than `LEAST` are not worth a fold.
const WHOLE = 45, LEAST = 4;

// What is drawn: rows, and folds that hold rows. `opened` holds the first rows of the folds that are open.
function foldRows(rows, opened) {
  const keep = new Array(rows.length).fill(rows.length <= WHOLE);
  const stay = (from, to) => keep.fill(true, Math.max(0, from), Math.min(rows.length, to));
  if (rows.length > WHOLE) {
    stay(0, ENDS);
    stay(rows.length - ENDS, rows.length);
    const some = rows.some((it) => it.marked);
    rows.forEach((row, at) => {
      if (row.marked) stay(at - BEFORE, at + AFTER + 1);
      else if (row.kind === "fault" || row.kind === "broker" || row.lost) stay(at - 1, at + 2);
    });
    if (!some) stay(rows.length - BEFORE - ENDS, rows.length);
  }
  const items = [];
  for (let at = 0; at < rows.length; ) {
    if (keep[at]) {
      items.push({ row: rows[at], at });
      at += 1;
      continue;
    }
    let end = at;
    while (end < rows.length && !keep[end]) end += 1;
    const hidden = rows.slice(at, end);
    if (hidden.length < LEAST || opened.has(at)) hidden.forEach((row, inner) => items.push({ row, at: at + inner }));
    else items.push({ fold: hidden, at });
    at = end;
  }
  return items;
}

function seconds(micros) {
  return `${Math.floor(micros / 1e6)}.${String(Math.floor((micros % 1e6) / 1000)).padStart(3, "0")}`;
}

// The sign that begins some texts of the console is drawn here.
function bare(text) {
  return text.replace(/^(··|⚡|✗) /, "");
}

function rowTable(timeline, rows) {
  const name = (row) => timeline.clients[row.client] || "?";
  const who = (row) => {
    if (row.kind === "packet") return row.fromBroker ? ["broker ", arrowWord(), ` ${name(row)}`] : [`${name(row)} `, arrowWord(), " broker"];
    if (row.kind === "connection" || (row.kind === "fault" && row.client >= 0)) return name(row);
    return row.kind === "step" ? "" : row.kind === "fault" ? "everyone" : "broker";
  };
  const notes = (row) => [
    row.marked && badge("fail", "finding"), row.lost && tag("lost", "strong"), row.byScript && tag("script"),
    row.kind === "fault" && tag("fault", "strong"),
  ];
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The timeline as a table" }, el("table", { class: "rows" },
    el("thead", null, el("tr", null, ["Time (s)", "Who", "What"].map((it) => el("th", { scope: "col" }, it)))),
    el("tbody", null, rows.map((row) => el("tr", { class: `${row.kind} ${row.marked ? "marked" : ""}`, "data-event": row.event },
      el("td", { class: "mono" }, seconds(row.at)), el("td", null, who(row)), el("td", null, el("span", { class: "mono" }, bare(row.text)), " ", notes(row)))))));
}

function arrowWord() {
  return [el("span", { "aria-hidden": "true" }, "→"), el("span", { class: "unseen" }, "to")];
}

// The part of the page that holds it. What is drawn in it depends on its width, so it is drawn when that is known.
function timelinePart(one) {
  const rows = one.timeline.rows.map(unpackRow);
  const opened = new Set();
  const body = el("div", { class: "timeline-body" });
  const marked = rows.filter((it) => it.marked).length;
  const packets = rows.filter((it) => it.kind === "packet").length;
  const tabs = ["Diagram", "Table"].map((word, at) => el("button", { type: "button", "aria-pressed": String(at === (asTable ? 1 : 0)), on: { click: () => {
    asTable = at === 1;
    tabs.forEach((it, other) => it.setAttribute("aria-pressed", String(other === at)));
    draw(true);
  } } }, word));
  const all = el("button", { type: "button", class: "plain", on: { click: () => {
    rows.forEach((_, at) => opened.add(at));
    draw(true);
  } } }, "Unfold all");
  let width = 0;
  const draw = (again) => {
    if (!again && Math.abs(body.clientWidth - width) < 24) return;
    width = body.clientWidth;
    if (width === 0) return;
    const items = foldRows(rows, opened);
    all.hidden = asTable || !items.some((it) => it.fold);
    if (asTable) {
      body.replaceChildren(rowTable(one.timeline, rows));
    } else {
      body.replaceChildren(...sequenceDiagram(one.timeline, rows, items, width, (at) => {
        opened.add(at);
        draw(true);
        const next = body.querySelector(`[data-at="${at}"]`);
        if (next) next.focus();
      }));
    }
  };
  new ResizeObserver(() => requestAnimationFrame(() => draw(false))).observe(body);
  return el("section", { class: "part timeline", id: "timeline" },
    el("div", { class: "timeline-head" }, el("h3", null, "What happened ", el("span", { class: "dim" }, plural(packets, "packet"), marked > 0 && `, ${marked} marked`)),
      el("div", { class: "tabs", role: "group", "aria-label": "Form of the timeline" }, tabs), all),
    body);
}

// Remembered from case to case.
let asTable = false;

function showEvent(event) {
  const found = document.querySelector(`#timeline [data-event="${event}"]`);
  if (!found) return;
  found.scrollIntoView({ block: "center", inline: "nearest" });
  found.classList.add("flash");
  found.addEventListener("animationend", () => found.classList.remove("flash"), { once: true });
}
