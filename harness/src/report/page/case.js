// One case: what was expected and observed, by which statements, and how to see it again.

function crashBody(crash) {
  return [
    el("p", null, crash.packet
      ? ["The last packet came from ", el("b", null, crash.client || "an unknown client"), ": ", el("code", null, crash.packet)]
      : "It is not known which packet was the last."),
    crash.cases.length > 1 && el("p", { class: "dim" }, `At that moment ran: ${crash.cases.join(", ")}`),
    crash.log.length > 0 && el("p", { class: "label" }, `The last ${plural(crash.log.length, "line")} of its output`),
    crash.log.length > 0 && el("pre", { class: "text log", tabindex: "0", "aria-label": "output of the broker" }, crash.log.join("\n")),
  ];
}

function deviationBanner(deviation) {
  const words = {
    known: ["pass", "Known deviation."],
    fixed: ["inconclusive", "Listed, and not broken any more."],
    expired: ["fail", "Listed, but the entry has expired."],
    other: ["fail", "Breaks something else than what is listed."],
  }[deviation.state];
  return el("div", { class: `alert ${words[0]}` }, icon(words[0]), el("div", null,
    el("p", null, el("b", null, words[1]), ` ${deviation.reason}`),
    el("p", { class: "dim" }, `Listed for ${deviation.statements.join(", ")}`, deviation.expires && ` until ${deviation.expires}`,
      deviation.link && [" · ", outward(deviation.link)]),
    deviation.advice && el("p", null, deviation.advice)));
}

function attemptsLine(one) {
  if (one.attempts.length < 2) return null;
  const same = one.attempts.filter((it) => it === one.attempts[0]).length;
  const word = { fail: "failed", pass: "passed", inconclusive: "gave no answer", error: "ended with an error", skipped: "were skipped" };
  const counts = VERDICTS.filter((it) => one.attempts.includes(it)).map((it) => `${one.attempts.filter((other) => other === it).length} of ${one.attempts.length} runs ${word[it]}`);
  return el("p", { class: "attempts" }, el("span", { class: "dots", "aria-hidden": "true" }, one.attempts.map((it) => icon(it))), counts.join(", "), same === one.attempts.length ? "" : " (flaky)");
}

const WEIGHTS = { violation: ["fail", "Broken"], unanswered: ["inconclusive", "Not answered"], harness: ["error", "The harness failed"] };

function foundBy(by) {
  if (by === "step") return "found by the step";
  return by === "verify" ? "found by `verify`, when everything had settled" : `found by the always-on checker of ${by}`;
}

// `said`: whether an earlier finding of the case has told the statements in words.
function findingCard(one, finding, number, said) {
  const [verdict, word] = WEIGHTS[finding.weight] || ["fail", finding.weight];
  const ids = [...new Set([finding.requirement, ...finding.also])];
  const seen = one.timeline && finding.events.length > 0;
  return el("section", { class: `finding ${verdict}` },
    el("h3", null, icon(verdict), `${word}`, number && el("span", { class: "dim" }, ` ${number}`)),
    el("div", { class: "versus" },
      el("div", null, el("p", { class: "label" }, "Expected"), el("p", { class: "said" }, finding.expected)),
      el("div", null, el("p", { class: "label" }, "Observed"), el("p", { class: "said" }, finding.observed))),
    finding.step && el("div", null, el("p", { class: "label" }, "At step"), el("pre", { class: "step" }, el("code", null, finding.step))),
    said ? el("p", { class: "line" }, ids.map((id) => el("span", { class: "id" }, id)), el("span", { class: "dim" }, "as above")) : statementCard(one.protocol, ids[0]),
    !said && ids.length > 1 && details(`and ${plural(ids.length - 1, "more statement")}`, ids.slice(1).map((id) => statementCard(one.protocol, id))),
    el("p", { class: "dim small" }, foundBy(finding.by),
      seen && [" · ", el("button", { type: "button", class: "link", on: { click: () => showEvent(finding.events[0]) } }, "show in the timeline")]));
}

function caseHead(one) {
  return el("header", { class: "case-head" },
    el("button", { type: "button", class: "plain back", on: { click: closeCase } }, el("span", { "aria-hidden": "true" }, "← "), "All cases"),
    el("p", { class: "line" }, badge(one.verdict, VERDICT_WORDS[one.verdict]), tag(`MQTT ${one.protocol}`), one.crash && tag("crash", "strong"), isFlaky(one) && tag("flaky", "strong")),
    el("h2", { tabindex: "-1", id: "case-title" }, one.title),
    el("p", { class: "mono dim name" }, one.name));
}

function caseBody(one) {
  const ids = statementsOf(one);
  const rulings = [...new Set(ids.flatMap((id) => (statement(one.protocol, id) || { rulings: [] }).rulings))];
  // Only the rulings on what is broken are at hand at once; the others are one step away.
  const near = new Set(one.findings.flatMap((it) => [it.requirement, ...it.also]).flatMap((id) => (statement(one.protocol, id) || { rulings: [] }).rulings));
  const shown = near.size > 0 ? rulings.filter((it) => near.has(it)) : rulings;
  const several = one.findings.length > 1;
  const same = (it, other) => [it.requirement, ...it.also].join() === [other.requirement, ...other.also].join();
  const part = (title, ...children) => el("section", { class: "part" }, el("h3", null, title), children);
  return [
    one.deviation && deviationBanner(one.deviation),
    one.reason && one.findings.length === 0 && el("p", { class: `alert ${one.verdict}` }, icon(one.verdict), el("span", null, one.reason)),
    one.crash && el("section", { class: "finding fail" }, el("h3", null, icon("fail"), "The broker died"), crashBody(one.crash)),
    attemptsLine(one),
    one.findings.map((finding, at) => findingCard(one, finding, several && `${at + 1} of ${one.findings.length}`, one.findings.slice(0, at).some((it) => same(it, finding)))),
    one.timeline && timelinePart(one),
    !one.timeline && one.verdict === "fail" && el("p", { class: "dim" }, "Its packets are in the evidence. Where very many cases fail, this page has those of the first few that break the same."),
    one.replay && part("See it again", command(one.replay, "the command that plays it again"), one.evidence && el("p", { class: "small" }, "Evidence: ", beside(one.evidence))),
    shown.length > 0 && part(["Rulings that apply ", el("span", { class: "dim" }, shown.length)], shown.map(rulingDetails)),
    part(["Statements it judges ", el("span", { class: "dim" }, ids.length)], details("All of them", ids.map((id) => statementCard(one.protocol, id, one.broken.includes(id) && badge("fail", "broken"))))),
    el("p", { class: "dim small" }, [
      one.verdict !== "skipped" && `took ${duration(one.ms)}`,
      one.verdict !== "skipped" && one.within > 0 && `${duration(one.within)} inside`,
      one.digest && `digest ${one.digest}`,
    ].filter((it) => it).join(" · ")),
  ];
}

function drawCase(one) {
  const detail = document.getElementById("detail");
  const browser = document.getElementById("browser");
  browser.classList.toggle("split", Boolean(one));
  detail.hidden = !one;
  detail.replaceChildren();
  for (const link of document.querySelectorAll("#list .case")) {
    if (one && link.dataset.key === one.key) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (!one) return;
  detail.append(...[caseHead(one), ...caseBody(one).flat()].filter((it) => it));
}
