// Elements. Everything that a broker or a scenario said goes through `clean` into a text node, never into markup.

const SVG = "http://www.w3.org/2000/svg";

// Characters that would be invisible, or turn the text around them, are shown by name.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

function clean(text) {
  return String(text).replace(UNSEEN, (it) => {
    const code = it.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else {
      element.setAttribute(name, value === true ? "" : clean(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(clean(child)));
  }
  return element;
}

function el(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

function svg(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

const ICONS = {
  pass: "M3.5 8.5l3 3 6-7",
  fail: "M4 4l8 8M12 4l-8 8",
  inconclusive: "M5.5 6a2.5 2.5 0 1 1 3.7 2.2c-.8.45-1.2.9-1.2 1.8M8 12.5v.2",
  error: "M8 3v6.5M8 12.5v.2",
  skipped: "M4 8h8",
};

// A sign for a verdict; the word stands beside it or is its label.
function icon(verdict, label) {
  return svg(
    "svg",
    { class: `icon ${verdict}`, viewBox: "0 0 16 16", role: label ? "img" : undefined, "aria-label": label, "aria-hidden": label ? undefined : "true" },
    svg("path", { d: ICONS[verdict] })
  );
}

function badge(verdict, word) {
  return el("span", { class: `badge ${verdict}` }, icon(verdict), word);
}

function tag(text, kind, title) {
  return el("span", { class: `tag ${kind || ""}`, title }, text);
}

function levelTag(level) {
  return tag(level.toUpperCase(), "level");
}

function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many || `${one}s`}`;
}

function duration(ms) {
  if (ms < 1) return "< 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 600000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = ms / 60000;
  return minutes < 120 ? `${minutes.toFixed(0)} min` : `${(minutes / 60).toFixed(1)} h`;
}

function instant(text) {
  const found = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})/.exec(text);
  return found ? `${found[1]} ${found[2]} UTC` : text;
}

function say(text) {
  document.getElementById("said").textContent = text;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure context there is only the old way.
    const area = el("textarea", { class: "unseen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// A command with a button that copies it.
function command(text, label) {
  const button = el("button", { type: "button", class: "copy", "aria-label": `Copy: ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    const done = await copyText(text);
    button.textContent = done ? "Copied ✓" : "Not allowed";
    button.classList.toggle("done", done);
    say(done ? "Copied" : "The browser does not allow copying");
    button.addEventListener("blur", () => { button.textContent = "Copy"; button.classList.remove("done"); }, { once: true });
  });
  return el("div", { class: "command" }, el("pre", { tabindex: "0", "aria-label": label }, el("code", null, text)), button);
}

function details(summary, ...children) {
  return el("details", null, el("summary", null, summary), ...children);
}

// A link that a report may carry: to the web, or to a file beside it. Anything else stays text.
function outward(link, text) {
  if (!/^https?:\/\//i.test(link)) return el("span", null, text || link);
  return el("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, text || link);
}

function beside(path) {
  if (/^[a-z][a-z0-9+.-]*:|^[\\/]/i.test(path)) return el("code", null, path);
  const href = path.split("/").map(encodeURIComponent).join("/");
  return el("a", { href: href.startsWith(".") ? href : `./${href}` }, path);
}

// Good first, what was not asked last.
const BAR_ORDER = ["pass", "fail", "error", "inconclusive", "skipped"];

function stacked(counts, words, label) {
  const order = BAR_ORDER;
  const total = order.reduce((sum, it) => sum + (counts[it] || 0), 0);
  const bar = el("div", { class: "stack", role: "img", "aria-label": `${label}: ${order.filter((it) => counts[it]).map((it) => `${counts[it]} ${words[it]}`).join(", ") || "nothing"}` });
  for (const verdict of order) {
    if (!counts[verdict]) continue;
    const part = el("span", { class: verdict, title: `${counts[verdict]} ${words[verdict]}` });
    part.style.flexGrow = String(counts[verdict] / total);
    bar.append(part);
  }
  return bar;
}

function statementCard(protocol, id, note) {
  const found = statement(protocol, id);
  return el(
    "div", { class: "statement" },
    el("p", { class: "line" },
      el("a", { class: "id", href: hashOf({ view: "cases", statement: id, protocol }), title: "Every case that judges it" }, id),
      found && levelTag(found.level),
      found && el("span", { class: "dim" }, found.section),
      note),
    found && el("p", { class: "words" }, found.text)
  );
}

function rulingBody(id) {
  const ruling = source.rulings[id];
  if (!ruling) return null;
  return el(
    "div", { class: "ruling" },
    ruling.accepted.length > 0 && el("p", { class: "label" }, "Accepted"),
    ruling.accepted.length > 0 && el("ul", null, ruling.accepted.map((it) =>
      el("li", null, el("code", null, it.slug), " ", it.what, it.versions && it.versions.length > 0 && el("span", { class: "dim" }, ` (${it.versions.join(", ")})`)))),
    ruling.firm.length > 0 && el("p", { class: "label" }, "Firm"),
    ruling.firm.length > 0 && el("ul", null, ruling.firm.map((it) => el("li", null, it))),
    ruling.note && el("p", { class: "dim" }, ruling.note)
  );
}

function rulingDetails(id) {
  const ruling = source.rulings[id];
  if (!ruling) return null;
  return details([el("span", { class: "id" }, id), " ", ruling.topic], rulingBody(id));
}
