// The sequence diagram: lifelines, packets, faults in the margin.

const CHARACTER = 6.7, LINE = 14;
const MARGIN = 176;
// On a phone there is less room at the sides, and the diagram scrolls.
const WIDE = { time: 66, side: 62, gap: 172 }, NARROW = { time: 48, side: 48, gap: 156 };

// At most `most` lines of at most `width` characters; the rest is behind an ellipsis. Lines are about as long as
// each other, if that takes no more of them.
function wrapWords(text, width, most) {
  const lines = breakWords(text, width, most);
  if (lines.length < 2 || lines[lines.length - 1].endsWith("…")) return lines;
  for (let narrower = Math.ceil(text.length / lines.length); narrower < width; narrower += 2) {
    const even = breakWords(text, narrower, most + 1);
    if (even.length === lines.length && even.join(" ") === lines.join(" ")) return even;
  }
  return lines;
}

function breakWords(text, width, most) {
  const lines = [];
  let rest = text.replace(/\s+/g, " ").trim();
  while (rest.length > 0) {
    if (rest.length <= width) {
      lines.push(rest);
      break;
    }
    if (lines.length === most - 1) {
      lines.push(`${rest.slice(0, width - 1)}…`);
      break;
    }
    let cut = rest.lastIndexOf(" ", width);
    // A word that fits on no line is cut.
    if (cut <= 0 || rest.slice(cut + 1).split(" ", 1)[0].length > width) cut = width;
    lines.push(rest.slice(0, cut).trim());
    rest = rest.slice(cut).trim();
  }
  return lines;
}

// The clients that do something, some to the left of the broker and some to the right of it.
function placeLifelines(timeline, rows, width) {
  const used = timeline.clients.map((name, client) => ({ name, client })).filter((it) => rows.some((row) => row.client === it.client));
  const left = used.slice(0, Math.ceil(used.length / 2));
  const right = used.slice(left.length);
  const order = [...left, { name: "broker", client: -1 }, ...right];
  const margin = rows.some((it) => it.kind === "fault" || it.kind === "broker") ? MARGIN : 0;
  const least = width < 560 ? NARROW : WIDE;
  const gap = Math.max(least.gap, Math.min(420, (width - least.time - 2 * least.side - margin) / Math.max(1, order.length - 1)));
  const first = least.time + least.side;
  const lifelines = order.map((it, at) => ({ ...it, x: first + at * gap }));
  const end = lifelines[lifelines.length - 1].x + least.side;
  return {
    lifelines, gap, marginX: end, time: least.time, side: least.side,
    width: Math.max(end + margin, width),
    x: new Map(lifelines.map((it) => [it.client, it.x])),
  };
}

function textLines(lines, x, y, properties) {
  return svg("text", { x, y, ...properties }, lines.map((line, at) => svg("tspan", { x, dy: at === 0 ? 0 : LINE }, line)));
}

// A packet's text with its type in bold.
function packetLabel(lines, x, y) {
  const [first, ...rest] = lines;
  const cut = /^[A-Z]+\b|^WebSocket\b/.exec(first);
  const head = cut ? cut[0] : "";
  return svg("text", { x, y, class: "packet-words", "text-anchor": "middle" },
    svg("tspan", { x }, svg("tspan", { class: "type" }, head), first.slice(head.length)),
    rest.map((line) => svg("tspan", { x, dy: LINE }, line)));
}

const DRAW = {
  step(row, place) {
    const lines = breakWords(row.text, Math.floor((place.width - place.time - 28) / CHARACTER), 2);
    const height = lines.length * LINE + 18;
    return { height, nodes: (y) => [
      svg("rect", { class: "band", x: place.time, y: y + 4, width: place.width - place.time, height: height - 8, rx: 5 }),
      textLines(lines, place.time + 12, y + 19, { class: "step-words" }),
    ] };
  },
  packet(row, place) {
    const from = place.x.get(row.fromBroker ? -1 : row.client), to = place.x.get(row.fromBroker ? row.client : -1);
    const span = Math.abs(to - from), way = Math.sign(to - from);
    const notes = [row.lost && "lost", row.byScript && "script"].filter((it) => it);
    const text = bare(row.text) + (notes.length > 0 ? ` (${notes.join(", ")})` : "");
    const lines = wrapWords(text, Math.floor((span - 20) / CHARACTER), 3);
    const height = lines.length * LINE + 20;
    return { height, nodes: (y) => {
      const at = y + height - 9;
      const end = row.lost ? from + way * span * 0.62 : to - way * 5;
      const tip = `M${end - way * 8} ${at - 4.5}L${end} ${at}L${end - way * 8} ${at + 4.5}`;
      const cross = `M${end + way * 4 - 6} ${at - 6}l12 12m0 -12l-12 12`;
      return [
        packetLabel(lines, (from + to) / 2, y + 15),
        svg("path", { class: "line", d: `M${from + way * 5} ${at}H${end}` }),
        row.byScript && svg("rect", { class: "by-script", x: from - 4, y: at - 4, width: 8, height: 8, transform: `rotate(45 ${from} ${at})` }),
        svg("path", row.lost ? { class: "cross", d: cross } : { class: "tip", d: tip }),
        row.lost && svg("path", { class: "unreached", d: `M${end + way * 14} ${at}H${to - way * 6}` }),
      ];
    } };
  },
  connection(row, place) {
    const x = place.x.get(row.client), broker = place.x.get(-1), way = Math.sign(broker - x);
    const text = row.merged ? row.text.replace(/^opens (connection \d+)$/, "$1 opens") : row.text;
    const lines = wrapWords(text, Math.floor((Math.abs(broker - x) - 30) / CHARACTER), 2);
    const opens = /stands|opens/.test(text);
    const height = lines.length * LINE + 12;
    const at = (y) => y + height / 2;
    return { height, at, nodes: (y) => [
      svg("path", { class: "dial", d: `M${x + way * 8} ${y + height - 3}H${broker - way * 8}` }),
      opens
        ? svg("circle", { class: "opens", cx: x, cy: at(y), r: 4.5 })
        : svg("path", { class: "ends", d: `M${x - 5} ${at(y) - 5}l10 10m0 -10l-10 10` }),
      textLines(lines, x + way * 12, y + 15, { class: "connection-words", "text-anchor": way > 0 ? "start" : "end" }),
    ] };
  },
  fault(row, place) {
    const x = row.client >= 0 ? place.x.get(row.client) : place.x.get(-1);
    const lines = wrapWords(bare(row.text), Math.floor((MARGIN - 34) / CHARACTER), 4);
    const height = lines.length * LINE + 18;
    return { height, nodes: (y) => {
      const at = y + height / 2;
      return [
        svg("path", { class: "reach", d: `M${x + 9} ${at}H${place.marginX}` }),
        svg("rect", { class: "margin", x: place.marginX, y: y + 4, width: MARGIN - 8, height: height - 8, rx: 5 }),
        svg("circle", { class: "spot", cx: x, cy: at, r: 9 }),
        svg("path", { class: "bolt", d: `M${x + 1.5} ${at - 6.5}l-5 7.5h3l-1 5.5 5-7.5h-3z` }),
        textLines(lines, place.marginX + 10, y + 19, { class: "margin-words" }),
      ];
    } };
  },
  broker(row, place) {
    return DRAW.fault({ ...row, client: -1, text: `broker: ${bare(row.text)}` }, place);
  },
};

// "opens connection 3" and "connection 3 stands", if nothing comes between, are one.
function mergeOpenings(items) {
  const merged = [];
  for (const item of items) {
    const last = merged[merged.length - 1];
    const stands = item.row && /^connection (\d+) stands$/.exec(item.row.text);
    if (stands && last && last.row && last.row.text === `opens connection ${stands[1]}` && !last.row.marked && !item.row.marked) {
      merged[merged.length - 1] = { ...last, row: { ...item.row, at: last.row.at, text: last.row.text, event: last.row.event, merged: true } };
    } else {
      merged.push(item);
    }
  }
  return merged;
}

// Follows which connections stand, and where the broker is up, to draw those parts of the lifelines thick.
class Lives {
  constructor(place) {
    this.open = new Map();
    this.since = new Map([[-1, 0]]);
    this.place = place;
    this.bars = [];
  }

  see(row, y) {
    if (row.kind === "broker") {
      if (/started|goes on/.test(row.text)) this.begin(-1, y);
      else this.end(-1, y);
      return;
    }
    const number = row.kind === "connection" && /connection (\d+)/.exec(row.text);
    if (!number) return;
    if (!this.open.has(row.client)) this.open.set(row.client, new Set());
    const open = this.open.get(row.client);
    if (/stands$/.test(row.text) || row.merged) open.add(number[1]);
    else if (!/^opens/.test(row.text)) open.delete(number[1]);
    if (open.size > 0) this.begin(row.client, y);
    else this.end(row.client, y);
  }

  begin(client, y) {
    if (!this.since.has(client)) this.since.set(client, y);
  }

  end(client, y) {
    const from = this.since.get(client);
    if (from === undefined) return;
    this.since.delete(client);
    const x = this.place.x.get(client);
    if (x !== undefined && y > from) this.bars.push(svg("rect", { class: client < 0 ? "alive broker" : "alive", x: x - 3, y: from, width: 6, height: y - from, rx: 3 }));
  }

  finish(y) {
    for (const client of [...this.since.keys()]) this.end(client, y);
    return this.bars;
  }
}

function heads(place) {
  const height = 34;
  const most = Math.floor((Math.min(place.gap, 2 * place.side + 40) - 26) / 7);
  return svg("svg", { width: place.width, height, "aria-hidden": "true", class: "heads" }, place.lifelines.map(({ name, client, x }) => {
    const short = name.length > most ? `${name.slice(0, most - 1)}…` : name;
    const width = short.length * 7.2 + 24;
    return svg("g", { class: client < 0 ? "head broker" : "head" }, svg("title", null, name),
      svg("rect", { x: x - width / 2, y: 4, width, height: 26, rx: client < 0 ? 5 : 13 }),
      svg("text", { x, y: 21, "text-anchor": "middle" }, short));
  }));
}

function wording(timeline, row) {
  const name = timeline.clients[row.client] || "?";
  const who = row.kind === "packet" ? (row.fromBroker ? `broker to ${name}` : `${name} to broker`) : row.client >= 0 ? name : row.kind;
  return `${seconds(row.at)} s, ${who}: ${bare(row.text)}${row.lost ? " (lost)" : ""}`;
}

// The heads, which stay in sight, and the diagram, which scrolls sideways below them.
function sequenceDiagram(timeline, rows, items, width, unfold) {
  const place = placeLifelines(timeline, rows, width);
  const lives = new Lives(place);
  const drawn = [];
  let y = 6, last = -1;
  for (const item of mergeOpenings(items)) {
    if (item.fold) {
      item.fold.forEach((row) => lives.see(row, y + 15));
      const words = `… ${item.fold.length} more`;
      const go = () => unfold(item.at);
      drawn.push(svg("g", { class: "fold", role: "button", tabindex: "0", "aria-label": `Show ${item.fold.length} more events`, on: { click: go, keydown: (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); go(); }
      } } },
        svg("rect", { x: place.time, y: y + 3, width: place.width - place.time, height: 24, rx: 5 }),
        svg("text", { x: place.time + 12, y: y + 19 }, words)));
      y += 30;
      continue;
    }
    const { row } = item;
    const { height, nodes, at } = DRAW[row.kind](row, place);
    const group = svg("g", { class: `event ${row.kind === "packet" ? "arrow" : row.kind} ${row.marked ? "marked" : ""} ${row.lost ? "lost" : ""}`, "data-event": row.event, "data-at": item.at, tabindex: row.marked ? "0" : undefined },
      svg("title", null, wording(timeline, row)),
      row.marked && svg("rect", { class: "mark", x: 1, y, width: place.width - 2, height, rx: 6 }),
      row.marked && svg("path", { class: "mark-sign", d: `M5 ${y + height / 2 - 5}l7 5-7 5z` }),
      (row.at !== last || row.marked) && svg("text", { class: "clock", x: place.time - 8, y: y + (row.kind === "packet" ? height - 5 : Math.min(height / 2 + 4, 19)), "text-anchor": "end" }, seconds(row.at)),
      nodes(y));
    last = row.at;
    lives.see(row, at ? at(y) : y + height / 2);
    drawn.push(group);
    y += height;
  }
  y += 10;
  const lines = place.lifelines.map(({ x }) => svg("path", { class: "life", d: `M${x} 0V${y}` }));
  const packets = rows.filter((it) => it.kind === "packet").length;
  const picture = svg("svg", { width: place.width, height: y, class: "diagram", role: "group", "aria-label": `Sequence diagram of ${plural(packets, "packet")}; the table has the same in words` }, lines, lives.finish(y), drawn);
  const sideways = place.width > width;
  const above = el("div", { class: "heads-row" }, heads(place));
  const below = el("div", sideways ? { class: "scroll", tabindex: "0", role: "region", "aria-label": "Sequence diagram" } : { class: "scroll" }, picture);
  below.addEventListener("scroll", () => { above.scrollLeft = below.scrollLeft; });
  return [above, below];
}
