// The first page: the verdict in a sentence, what is broken, and the statements by sections.

function alerts() {
  const found = [];
  const alert = (verdict, ...words) => found.push(el("p", { class: `alert ${verdict}` }, icon(verdict), el("span", null, words)));
  if (run.partial) alert("inconclusive", el("b", null, "Interrupted."), " The run was ended before its end; the results are partial.");
  if (run.lost) alert("error", el("b", null, "The broker was lost."), ` ${run.lost}`);
  for (const crash of run.unexplained || []) {
    alert("error", el("b", null, "The broker died"), ` during ${crash.cases.join(", ")}, and did not do it again.`);
  }
  const died = cases.filter((it) => it.crash);
  if (died.length > 0) {
    alert("fail", el("b", null, `The broker died of ${plural(died.length, "case")}: `),
      died.slice(0, 5).map((it, at) => [at > 0 && ", ", caseLink(it)]), died.length > 5 && " …");
  }
  for (const it of run.contradictions) {
    if (it.weight === "finding") alert("fail", el("b", null, it.name), `: ${saidAndFound(it)}; ${it.consequence}`);
  }
  return found;
}

function caseLink(one, word) {
  return el("a", { href: hashOf({ ...state, view: "cases", case: one.key }), class: "mono" }, word || one.name);
}

function sentence(counts) {
  const asked = counts.pass + counts.fail + counts.inconclusive;
  if (asked === 0) return "No statement was judged.";
  const parts = [];
  if (counts.fail > 0) parts.push(`${counts.fail} broken`);
  if (counts.inconclusive > 0) parts.push(`${counts.inconclusive} unanswered`);
  const rest = parts.length > 0 ? parts.join(", ") : "none broken";
  return `${counts.pass} of ${asked} statements kept, ${rest}.`;
}

function baselineLine() {
  const baseline = run.baseline;
  if (!baseline) return null;
  const red = cases.filter(isRed).length;
  const counts = [
    [baseline.known, "known", "pass", "fail as listed"],
    [baseline.new, "new", "fail", "fail and are not listed"],
    [baseline.other, "other", "fail", "break something else than what is listed"],
    [baseline.expired, "expired", "inconclusive", "the entry has expired"],
    [baseline.fixed, "fixed", "inconclusive", "are listed and fail no more: remove the entry"],
  ];
  return el(
    "div", { class: "baseline" },
    el("p", null, icon(red > 0 ? "fail" : "pass"), el("b", null, red > 0 ? `Red: ${plural(red, "case")} to look at.` : "Green: every failure is known."), " Baseline ", el("code", null, baseline.file)),
    el("p", { class: "tags" }, counts.map(([count, word, , title]) => tag(`${count} ${word}`, count > 0 ? "strong" : "", title)))
  );
}

function hero() {
  const total = countStatements(source.versions.flatMap((it) => it.sections));
  const legend = BAR_ORDER.filter((it) => run.summary[it] > 0).map((it) =>
    el("li", null, el("a", { href: hashOf({ view: "cases", verdicts: new Set([it]) }) }, icon(it), el("b", null, run.summary[it].toLocaleString("en")), ` ${VERDICT_WORDS[it]}`)));
  return el(
    "section", { class: "hero card" },
    el("p", { class: "label" }, "MQTT conformance"),
    el("h1", null, run.broker),
    el("p", { class: "sentence" }, sentence(total)),
    alerts(),
    baselineLine(),
    el("div", { class: "versions" }, source.versions.filter((it) => it.sections.length > 0).map((it) => {
      const counts = countStatements(it.sections);
      const asked = counts.pass + counts.fail + counts.inconclusive;
      return el("div", { class: "version" },
        el("p", { class: "label" }, `MQTT ${it.version}`),
        el("p", { class: "big" }, el("b", null, counts.pass), el("span", { class: "dim" }, ` of ${asked} statements kept`)),
        stacked(counts, STATEMENT_WORDS, `Statements of MQTT ${it.version}`),
        el("p", { class: "small dim" }, ["fail", "inconclusive", "skipped"].filter((verdict) => counts[verdict] > 0).map((verdict) => `${counts[verdict]} ${STATEMENT_WORDS[verdict]}`).join(" · ") || "everything that was asked"));
    })),
    el("p", { class: "label" }, plural(cases.length, "case")),
    stacked(run.summary, VERDICT_WORDS, "Cases"),
    el("ul", { class: "legend" }, legend),
    el("p", { class: "dim meta" }, [`${run.world} world`, duration(run.took_ms), `seed ${run.seed}`, instant(run.started), run.tool].join(" · "))
  );
}

// Broken statements, those with most cases first.
function brokenStatements() {
  const rows = source.versions.flatMap((version) =>
    version.sections.flatMap((section) => section.statements.filter((it) => it.verdict === "fail").map((row) => ({ version: version.version, row }))));
  if (rows.length === 0) return null;
  rows.sort((one, other) => other.row.broken - one.row.broken);
  const entry = ({ version, row }) => {
    const found = statement(version, row.id);
    const of = row.broken + row.passed;
    return el("li", null,
      el("a", { class: "broken", href: hashOf({ view: "cases", broken: row.id, protocol: version }) },
        el("span", { class: "line" }, icon("fail", "broken"), el("span", { class: "id" }, row.id), tag(version), found && levelTag(found.level),
          el("span", { class: "count" }, el("b", null, row.broken), el("span", { class: "dim" }, ` of ${plural(of, "case")}`))),
        el("span", { class: "words" }, found && found.text)));
  };
  const most = 8;
  const list = el("ol", { class: "brokens" }, rows.slice(0, most).map(entry));
  const section = el("section", { class: "card" }, el("h2", null, `Broken statements `, el("span", { class: "dim" }, rows.length)), list);
  if (rows.length > most) {
    const more = el("button", { type: "button", class: "plain more" }, `${rows.length - most} more`);
    more.addEventListener("click", () => {
      const rest = rows.slice(most).map(entry);
      list.append(...rest);
      more.remove();
      rest[0].firstChild.focus();
    });
    section.append(more);
  }
  return section;
}

function statementRow(version, row) {
  const found = statement(version, row.id);
  const parts = [];
  const link = (filter, words) => el("a", { href: hashOf({ view: "cases", protocol: version, ...filter }) }, words);
  if (row.broken > 0) parts.push(link({ broken: row.id }, `${row.broken} broken`));
  if (row.unanswered > 0) parts.push(link({ statement: row.id, verdicts: new Set(["inconclusive", "error"]) }, `${row.unanswered} unanswered`));
  if (row.passed > 0) parts.push(link({ statement: row.id, verdicts: new Set(["pass"]) }, `${row.passed} passed`));
  if (row.skipped > 0) parts.push(link({ statement: row.id, verdicts: new Set(["skipped"]) }, `${row.skipped} skipped`));
  return el("li", { id: `${version}-${row.id}`, class: "statement" },
    el("p", { class: "line" },
      row.verdict ? badge(row.verdict, STATEMENT_WORDS[row.verdict]) : badge("skipped", "not reached"),
      el("span", { class: "id" }, row.id), found && levelTag(found.level), found && el("span", { class: "dim" }, found.section)),
    found && el("p", { class: "words" }, found.text),
    el("p", { class: "links" }, parts.map((part, at) => [at > 0 && " · ", part])));
}

// A square for each statement: full, crossed, with a dot, or empty.
function squares(section) {
  return el("span", { class: "squares", "aria-hidden": "true" }, section.statements.map((row) =>
    el("i", { class: row.verdict || "skipped", title: `${row.id}: ${STATEMENT_WORDS[row.verdict] || "not reached"}` })));
}

function sectionTable(version) {
  const body = el("tbody");
  for (const section of version.sections) {
    const counts = countStatements([section]);
    const name = `section-${version.version}-${section.number}`;
    const inside = el("td", { colspan: "5", id: name });
    const below = el("tr", { class: "inside", hidden: true }, inside);
    const button = el("button", { type: "button", "aria-expanded": "false", "aria-controls": name },
      el("span", { class: "turn", "aria-hidden": "true" }), el("span", { class: "number" }, section.number), " ", section.title);
    button.addEventListener("click", () => {
      const open = below.hidden;
      if (open && inside.childElementCount === 0) {
        inside.append(el("ul", { class: "statements" }, section.statements.map((row) => statementRow(version.version, row))));
      }
      below.hidden = !open;
      button.setAttribute("aria-expanded", String(open));
    });
    const cell = (verdict) => el("td", { class: `count ${counts[verdict] ? verdict : "none"}`, "data-word": STATEMENT_WORDS[verdict] }, counts[verdict] || el("span", { "aria-label": "0" }, "·"));
    body.append(
      el("tr", { class: counts.fail ? "has-broken" : "" }, el("th", { scope: "row" }, button, squares(section)), cell("pass"), cell("fail"), cell("inconclusive"), cell("skipped")),
      below);
  }
  const head = el("thead", null, el("tr", null, el("th", { scope: "col" }, "Section"),
    ["pass", "fail", "inconclusive", "skipped"].map((it) => el("th", { scope: "col", class: "count" }, icon(it), el("span", null, STATEMENT_WORDS[it])))));
  return el("section", { class: "card" }, el("h2", null, `MQTT ${version.version} by section`), el("table", { class: "sections" }, head, body));
}

function overview() {
  const shown = source.versions.filter((it) => it.sections.length > 0);
  return [hero(), brokenStatements(), el("div", { class: "pair" }, shown.map(sectionTable))];
}
