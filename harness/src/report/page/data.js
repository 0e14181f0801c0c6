// What the file holds, unpacked: texts and lists that occur often are in tables there.

const source = JSON.parse(document.getElementById("data").textContent);
const run = source.run;

// Heaviest first: the order of lists.
const VERDICTS = ["fail", "error", "inconclusive", "skipped", "pass"];
const VERDICT_WORDS = {
  pass: "passed",
  fail: "failed",
  inconclusive: "inconclusive",
  error: "harness error",
  skipped: "skipped",
};
const STATEMENT_WORDS = { pass: "kept", fail: "broken", inconclusive: "unanswered", skipped: "not asked" };

// The places in a row of a timeline.
const ROW_KINDS = ["step", "packet", "connection", "fault", "broker"];
const FROM_BROKER = 1, LOST = 2, BY_SCRIPT = 4, MARKED = 8;

const versions = new Map(source.versions.map((it) => [it.version, it]));

// 3.1 is judged by the statements of 3.1.1.
function statement(protocol, id) {
  const version = versions.get(protocol) || versions.get("3.1.1");
  return (version && version.statements[id]) || null;
}

function unpackCase(packed, at) {
  const scenario = source.texts[packed.scenario];
  const name = packed.case === undefined ? scenario : `${scenario}[${packed.case}]`;
  const named = source.lists[packed.names];
  const judged = packed.judged === undefined ? named : source.lists[packed.judged];
  const findings = packed.findings || [];
  const broken = [...new Set(findings.filter((it) => it.weight === "violation").map((it) => it.requirement))];
  return {
    at, name, named, judged, findings, broken,
    key: `${name}@${packed.protocol}`,
    topic: scenario.split("/")[0],
    protocol: packed.protocol,
    title: source.texts[packed.title],
    verdict: packed.verdict,
    reason: packed.reason === undefined ? "" : source.texts[packed.reason],
    ms: packed.ms,
    within: packed.within,
    list: packed.names,
    replay: source.texts[packed.replay].replace("\u0000", () => name),
    digest: packed.digest,
    attempts: packed.attempts || [],
    evidence: packed.evidence,
    crash: packed.crash,
    deviation: packed.deviation,
    timeline: packed.timeline,
  };
}

const cases = source.cases.map(unpackCase);
const caseByKey = new Map(cases.map((it) => [it.key, it]));
const caseOrder = [...cases].sort(
  (one, other) => VERDICTS.indexOf(one.verdict) - VERDICTS.indexOf(other.verdict) || one.at - other.at
);
const topics = [...new Set(cases.map((it) => it.topic))].sort();
const protocols = [...new Set(cases.map((it) => it.protocol))].sort();

function unpackRow(row) {
  const [event, at, kind, client, flags, text] = row;
  return {
    event, at, client,
    kind: ROW_KINDS[kind],
    fromBroker: (flags & FROM_BROKER) !== 0,
    lost: (flags & LOST) !== 0,
    byScript: (flags & BY_SCRIPT) !== 0,
    marked: (flags & MARKED) !== 0,
    text: source.texts[text],
  };
}

// The statements of a case, each once: what it breaks first.
function statementsOf(one) {
  const more = one.findings.flatMap((it) => [it.requirement, ...it.also]);
  return [...new Set([...one.broken, ...one.named, ...one.judged, ...more])];
}

// Whether it makes the run red.
function isRed(one) {
  if (one.deviation) return one.deviation.state !== "known";
  return one.verdict === "fail" || one.verdict === "error";
}

// How many statements of a version, or of one section, have which verdict.
function countStatements(sections) {
  const counts = { pass: 0, fail: 0, inconclusive: 0, skipped: 0 };
  for (const section of sections) {
    for (const row of section.statements) {
      if (row.verdict) counts[row.verdict] += 1;
    }
  }
  return counts;
}

const wordsOfLists = new Map();

// The statements of a case in small letters, for the search; cases share lists.
function wordsOfStatements(one) {
  const key = `${one.protocol} ${one.list}`;
  let words = wordsOfLists.get(key);
  if (words === undefined) {
    words = one.named
      .map((id) => `${id} ${(statement(one.protocol, id) || { text: "" }).text}`)
      .join(" ")
      .toLowerCase();
    wordsOfLists.set(key, words);
  }
  return words;
}

// Whether a case is what the filter asks for; the verdict is left to the caller, who counts them all.
function matchesBesidesVerdict(one, filter) {
  if (filter.protocol && one.protocol !== filter.protocol) return false;
  if (filter.topic && one.topic !== filter.topic) return false;
  if (filter.broken && !one.broken.includes(filter.broken)) return false;
  if (filter.statement && !one.named.includes(filter.statement) && !one.judged.includes(filter.statement)) {
    if (!one.broken.includes(filter.statement)) return false;
  }
  if (filter.terms.length === 0) return true;
  if (one.words === undefined) one.words = `${one.name} ${one.title} ${one.reason}`.toLowerCase();
  return filter.terms.every((term) => one.words.includes(term) || wordsOfStatements(one).includes(term));
}
