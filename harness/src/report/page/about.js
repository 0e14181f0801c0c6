// What is not a verdict: the choices of the broker, what it claims and has, and the run itself.

function choicesView() {
  if (run.choices.length === 0) return [el("section", { class: "card" }, el("h1", null, "Implementation choices"), el("p", { class: "dim" }, "No case showed one."))];
  const byRuling = new Map();
  for (const row of run.choices) {
    const key = `${row.ruling} ${row.name}`;
    if (!byRuling.has(key)) byRuling.set(key, []);
    byRuling.get(key).push(row);
  }
  const meaning = (ruling, value) => {
    const accepted = ruling && ruling.accepted.find((it) => it.slug === value);
    return accepted ? accepted.what : "";
  };
  const entries = [...byRuling.values()].map((rows) => {
    const { ruling: id, name } = rows[0];
    const ruling = source.rulings[id];
    const perVersion = rows.map((row) => el("div", { class: "choice-version" },
      el("p", { class: "label" }, `MQTT ${row.protocol}`),
      el("ul", null, row.values.map((value) => el("li", null,
        el("p", null, el("code", { class: "value" }, value.value), " ", el("span", { class: "words" }, meaning(ruling, value.value))),
        details(plural(value.scenarios.length, "case"), el("ul", { class: "scenarios" }, value.scenarios.map((it) => {
          const one = caseByKey.get(`${it}@${row.protocol}`);
          return el("li", null, one ? caseLink(one) : el("code", null, it));
        }))))))));
    return el("li", { class: "card choice" },
      el("h2", null, el("span", { class: "id" }, id), " ", name),
      ruling && el("p", { class: "dim" }, ruling.topic),
      el("div", { class: "choice-versions" }, perVersion),
      ruling && details("The ruling", rulingBody(id)));
  });
  return [
    el("section", { class: "intro" }, el("h1", null, "Implementation choices"), el("p", { class: "dim" }, "Where the standard leaves something open, this is what the broker does. A choice is neither right nor wrong.")),
    el("ul", { class: "choices" }, entries),
  ];
}

function saidAndFound(it) {
  if (it.claimed === "yes") return it.found === "broken" ? "is claimed, and does not work" : "is claimed, and is not there";
  if (it.claimed === "no") return "is said not to be there, and was found";
  return "is announced or accepted, and does not work";
}

const FOUND_ICONS = { yes: "pass", no: "skipped", broken: "fail", unknown: "inconclusive" };

function value(it) {
  if (it === null) return "none";
  if (it === true) return "yes";
  if (it === false) return "no";
  return String(it);
}

function brokerView() {
  const parts = [el("section", { class: "intro" }, el("h1", null, "The broker"), el("p", { class: "dim" }, run.broker))];
  if (run.contradictions.length > 0) {
    parts.push(el("section", { class: "card" }, el("h2", null, "Where claims and findings differ"), run.contradictions.map((it) =>
      el("p", { class: `alert ${it.weight === "finding" ? "fail" : "inconclusive"}` }, icon(it.weight === "finding" ? "fail" : "inconclusive"),
        el("span", null, el("b", null, it.name), ` ${saidAndFound(it)}: ${it.evidence}; ${it.consequence}`)))));
  }
  if (run.capabilities.length > 0) {
    parts.push(el("section", { class: "card" }, el("h2", null, "Capabilities"), el("table", { class: "facts" },
      el("thead", null, el("tr", null, ["Capability", "Claimed", "Found", "How it was seen"].map((it) => el("th", { scope: "col" }, it)))),
      el("tbody", null, run.capabilities.map((it) => el("tr", null,
        el("th", { scope: "row" }, it.name), el("td", { "data-word": "claimed" }, it.claimed || el("span", { class: "dim" }, "–")),
        el("td", { "data-word": "found" }, badge(FOUND_ICONS[it.found] || "skipped", it.found)), el("td", { class: "evidence" }, it.evidence)))))));
  }
  if (run.facts.length > 0) {
    parts.push(el("section", { class: "card" }, el("h2", null, "What it says about itself"), el("table", { class: "facts" },
      el("thead", null, el("tr", null, ["Fact", "Value", "How it was seen"].map((it) => el("th", { scope: "col" }, it)))),
      el("tbody", null, run.facts.map((it) => el("tr", null, el("th", { scope: "row" }, it.name), el("td", { "data-word": "value" }, el("code", null, value(it.value))), el("td", { class: "evidence" }, it.evidence)))))));
  }
  if (parts.length === 1) parts.push(el("section", { class: "card" }, el("p", { class: "dim" }, "In a simulated world the broker is not asked what it has.")));
  for (const crash of run.unexplained || []) parts.push(el("section", { class: "card" }, el("h2", null, "An end of the broker that did not come again"), crashBody(crash)));
  return parts;
}

function runView() {
  const rows = [
    ["Broker", run.broker], ["World", run.world], ["Seed", run.seed], ["Began", instant(run.started)], ["Took", duration(run.took_ms)],
    ["Tool", run.tool], ["System", `${run.environment.os}, ${run.environment.arch}, ${plural(run.environment.threads, "thread")}`],
    ["Digest", run.digest || "–"], ["Format", run.schema],
  ];
  return [
    el("section", { class: "intro" }, el("h1", null, "The run")),
    el("section", { class: "card" }, el("h2", null, "Run it again"), command(run.command, "the command that runs it again")),
    el("section", { class: "card" }, el("h2", null, "Where and when"), el("dl", null, rows.map(([name, text]) => [el("dt", null, name), el("dd", null, text)]))),
    run.profile && el("section", { class: "card" }, el("h2", null, "Profile ", el("code", null, run.profile.name)), el("pre", { class: "text", tabindex: "0", "aria-label": "the profile" }, run.profile.text)),
  ];
}
