// Residuals over time: one row a site, redrawn at every move of the slider. Data is in the page; nothing is loaded.

const STACK = ["excess", "exact", "saturated", "silent", "missing"]; // left to right, bottom to top
const WIDTH = 480, HEIGHT = 40;

const source = document.getElementById("residuals"), view = document.getElementById("view");
if (source && view) {
  start(JSON.parse(source.textContent)).catch(() => {
    view.querySelector(".foot").textContent = "This browser is too old for the time slider; the tables below hold the numbers at one t.";
  });
}

async function start(report) {
  report.bins = await inflated(report.bins);
  report.outside = await inflated(report.outside);
  report.count = Math.round((report.high - report.low) / report.width);
  const slider = view.querySelector("#t"), all = view.querySelector("#all");
  slider.max = report.steps.length - 1;
  slider.value = report.start;
  const rows = buildRows(report);
  const draw = () => drawAll(report, rows, Number(slider.value), all.checked);
  slider.addEventListener("input", draw);
  all.addEventListener("change", draw);
  draw();
}

// The four bytes of all numbers lie in planes.
async function inflated(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer()), length = planes.length / 4;
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    numbers[i] = planes[i] + 256 * planes[length + i] + 65536 * planes[2 * length + i] + 16777216 * planes[3 * length + i];
  }
  return numbers;
}

function html(tag, marks = {}, ...children) {
  const made = document.createElement(tag);
  Object.entries(marks).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
}

function svg(tag, marks = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(marks).forEach(([name, value]) => made.setAttribute(name, value));
  made.textContent = text;
  return made;
}

function atV(report, v) {
  return ((v - report.low) / (report.high - report.low)) * WIDTH;
}

function buildRows(report) {
  view.querySelector(".legend").replaceChildren(...STACK.map((kind) => html("span", { "data-kind": kind }, html("i", { class: kind }), kind)));
  const head = html("div", { class: "row head" }, html("span", { class: "name" }, "site"), html("span", { class: "levels" }),
    html("span", { class: "share" }, "shares"), html("span", { class: "numbers" }, ...["excess", "missing", "right"].map((name) => html("span", {}, `${name} %`))));
  const levels = head.querySelector(".levels");
  for (const v of [-1, 0, 1, 2]) levels.append(html("span", { style: `left:${(100 * atV(report, v)) / WIDTH}%` }, String(v).replace("-", "\u2212")));
  const rows = report.names.map((name, site) => {
    const paths = Object.fromEntries(STACK.map((kind) => [kind, svg("path", { class: kind })]));
    const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    picture.append(...STACK.map((kind) => paths[kind]));
    for (const v of [0, 1]) {
      picture.append(svg("line", { x1: atV(report, v), x2: atV(report, v), y1: 0, y2: HEIGHT, class: "level", "vector-effect": "non-scaling-stroke" }));
    }
    const parts = Object.fromEntries(STACK.map((kind) => [kind, html("i", { class: kind })]));
    const numbers = [0, 1, 2].map(() => html("span"));
    const facts = html("small", {}, `${report.shapes[site]}, \u03b8 ${report.thresholds[site].toPrecision(3)}`);
    const row = html("div", { class: "row" }, html("span", { class: "name" }, name, facts), picture,
      html("span", { class: "share" }, ...STACK.map((kind) => parts[kind])), html("span", { class: "numbers" }, ...numbers));
    return { row, picture, paths, parts, numbers };
  });
  view.querySelector(".rows").replaceChildren(head, ...rows.map((each) => each.row));
  return rows;
}

function drawAll(report, rows, at, all) {
  const t = report.steps[at], kinds = all ? STACK : STACK.filter((kind) => kind !== "silent");
  let seen = 0, outside = 0;
  rows.forEach((row, site) => {
    const found = readSite(report, site, at, kinds);
    seen += found.total;
    outside += found.outside;
    drawRow(report, row, kinds, found, report.names[site], t);
  });
  const [accuracy, low, high] = report.accuracy[at].map((share) => (100 * share).toFixed(2));
  view.querySelector("output").textContent = `t = ${t} \u00b7 SNN ${accuracy} % [${low}, ${high}]`;
  view.querySelector("#t").setAttribute("aria-valuetext", `t = ${t}`);
  view.querySelector('[data-kind="silent"]').hidden = !all;
  const share = seen ? (100 * outside) / seen : 0, base = all ? "all neurons" : "neurons that are not silent";
  view.querySelector(".foot").textContent =
    `v / threshold after step ${t}, dotted: 0 and threshold. Height: square root of density, each row to its maximum. ` +
    `${share.toFixed(1)} % lie outside of what is drawn. Shares are of ${base}.`;
}

function readSite(report, site, at, kinds) {
  const { bins, outside, count, classes, steps } = report, first = (site * steps.length + at) * classes.length;
  const sums = new Float64Array(count), tops = {}, counts = {};
  let total = 0, away = 0;
  for (const kind of kinds) {
    const place = first + classes.indexOf(kind);
    let own = outside[2 * place] + outside[2 * place + 1];
    away += own;
    for (let bin = 0; bin < count; bin++) {
      own += bins[place * count + bin];
      sums[bin] += bins[place * count + bin];
    }
    tops[kind] = Float64Array.from(sums);
    counts[kind] = own;
    total += own;
  }
  return { tops, counts, total, outside: away, highest: Math.max(1, ...sums) };
}

function drawRow(report, row, kinds, found, name, t) {
  const y = (sum) => (HEIGHT - (HEIGHT - 2) * Math.sqrt(sum / found.highest)).toFixed(2), step = WIDTH / report.count;
  let below = new Float64Array(report.count);
  for (const kind of STACK) {
    const top = found.tops[kind];
    row.paths[kind].setAttribute("d", top ? outline(top, below, y, step) : "");
    below = top ?? below;
    row.parts[kind].style.width = found.total && top ? `${(100 * found.counts[kind]) / found.total}%` : "0";
  }
  const { excess, missing } = found.counts, shares = [excess, missing, found.total - excess - missing];
  const told = shares.map((count) => (found.total ? ((100 * count) / found.total).toFixed(1) : "\u2013"));
  row.numbers.forEach((cell, i) => { cell.textContent = told[i]; });
  row.picture.setAttribute("aria-label", `${name} at t = ${t}: ${told[0]} % excess, ${told[1]} % missing, ${told[2]} % right`);
}

// Up and over along the bins, and back along what lies below.
function outline(top, below, y, step) {
  let path = `M0 ${y(below[0])}`;
  top.forEach((sum, bin) => { path += `V${y(sum)}H${((bin + 1) * step).toFixed(1)}`; });
  for (let bin = top.length - 1; bin >= 0; bin--) path += `V${y(below[bin])}H${(bin * step).toFixed(1)}`;
  return `${path}Z`;
}

// Paper has nothing to click on.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((table) => { table.open = true; }));
