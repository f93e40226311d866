// All sites: one row each with the distribution of v, the class shares as a bar, and three numbers.

const STRIP_LOW = -1, STRIP_HIGH = 2; // what a row shows of [-2, 2)
const TALL = 14; // a row from this height on has room around its bar, pixels
const CIVIDIS = [
  [0, 32, 77], [0, 49, 111], [49, 68, 107], [77, 87, 107], [102, 105, 112], [124, 123, 120],
  [149, 143, 120], [175, 164, 113], [203, 186, 105], [231, 208, 84], [255, 234, 70],
];

function stageOf(name) {
  const dot = name.indexOf(".");
  return dot < 0 ? "" : name.slice(0, dot);
}

function buildRows(view) {
  const { names } = view.report, list = view.find(".list");
  view.rows = names.map((name, site) => {
    const stage = stageOf(name), first = site === 0 || stageOf(names[site - 1]) !== stage;
    const marks = `row${first && stage ? " first" : ""}${first && site ? " gap" : ""}`;
    const row = html("div", { class: marks, role: "option", id: `site-${site}`, title: name },
      html("span", { class: "name" }, html("i", {}, stage), html("u", {}, name.slice(stage.length))),
      html("span"), html("span"), // where the canvas draws
      html("span", { class: "number" }), html("span", { class: "number" }), html("span", { class: "number optional" }));
    row.onclick = () => view.move({ site });
    return row;
  });
  list.replaceChildren(...view.rows);
  list.onkeydown = (event) => rowKey(view, event);
}

function rowKey(view, event) {
  const { site, at } = view, last = view.report.names.length - 1;
  const sites = { ArrowDown: site + 1, ArrowUp: site - 1, PageDown: site + 6, PageUp: site - 6, Home: 0, End: last };
  const times = { ArrowRight: at + 1, ArrowLeft: at - 1 };
  if (event.key in sites) view.move({ site: clamp(sites[event.key], 0, last) });
  else if (event.key in times) { stopPlaying(view); view.move({ at: clamp(times[event.key], 0, view.report.steps.length - 1) }); }
  else return;
  event.preventDefault();
  view.rows[view.site].scrollIntoView({ block: "nearest" });
}

// Geometry once per resize, never per frame.
function measureOverview(view) {
  const list = view.find(".list"), canvas = view.find(".rows canvas"), ratio = devicePixelRatio || 1;
  view.root.classList.toggle("dense", view.dense);
  view.root.style.setProperty("--row-height", `${clamp(Math.floor(540 / view.rows.length), 4, 12)}px`);
  view.root.style.setProperty("--roomy-height", `${clamp(Math.floor(480 / view.rows.length), 25, 38)}px`);
  markSelected(view);
  const box = list.getBoundingClientRect(), [, strip, bar] = [...view.find(".head").children].map((part) => part.getBoundingClientRect());
  view.geometry = {
    width: box.width, height: list.offsetHeight, ratio,
    strip: strip.left - box.left, stripWidth: strip.width, bar: bar.left - box.left, barWidth: bar.width,
    detail: view.find(".detail").clientWidth, track: view.find(".track").clientWidth,
  };
  measureRows(view);
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round((view.geometry.height + 6) * ratio);
  canvas.style.width = `${box.width}px`;
  canvas.style.height = `${view.geometry.height + 6}px`;
  const x = (v) => ((v - STRIP_LOW) / (STRIP_HIGH - STRIP_LOW)) * strip.width;
  const anchor = (v) => (v === STRIP_LOW ? "start" : v === STRIP_HIGH ? "end" : "middle");
  const levels = [-1, 0, 1, 2].map((v) => label(x(v), 12, fixed(v, 0), { "text-anchor": anchor(v) }));
  view.find(".axis").replaceChildren(svg("svg", { width: strip.width, height: 14 }, ...levels));
}

function markSelected(view) {
  view.rows.forEach((row, site) => setAttribute(row, "aria-selected", site === view.site));
  setAttribute(view.find(".list"), "aria-activedescendant", `site-${view.site}`);
  view.marked = view.site;
}

// In the dense form the selected row is taller, so rows move with the selection.
function measureRows(view) {
  view.geometry.tops = view.rows.map((row) => row.offsetTop);
  view.geometry.heights = view.rows.map((row) => row.offsetHeight);
}

// Colours resolved once per theme: reading styles in every frame costs more than drawing.
function readPalette(view) {
  const probe = view.root.appendChild(html("i"));
  const pixel = html("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const css = {}, rgba = {};
  for (const name of [...CLASSES, "text", "page", "other"]) {
    probe.style.color = `var(--${name})`;
    css[name] = pixel.fillStyle = getComputedStyle(probe).color;
    pixel.fillRect(0, 0, 1, 1);
    rgba[name] = new Uint32Array(pixel.getImageData(0, 0, 1, 1).data.buffer)[0];
  }
  probe.remove();
  return { css, rgba, dark: (rgba.page & 255) < 128 };
}

function drawOverview(view) {
  if (view.marked !== view.site) { markSelected(view); if (view.dense) measureRows(view); }
  view.palette ||= readPalette(view);
  const { report, geometry, at, all } = view, { ratio } = geometry;
  const kinds = all ? STACK : STACK.filter((kind) => kind !== SILENT);
  const context = view.find(".rows canvas").getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, geometry.width, geometry.height + 6);
  const strip = new ImageData(Math.max(1, Math.round(geometry.stripWidth * ratio)), Math.max(1, Math.round((geometry.height + 6) * ratio)));
  const pixels = new Uint32Array(strip.data.buffer), drawStrip = view.mode === "heat" ? drawHeat : drawRidge;
  const profiles = report.names.map((_, site) => stripProfile(report, site, at, kinds));
  profiles.forEach((profile, site) => drawStrip(view, site, kinds, profile, pixels, strip.width));
  context.putImageData(strip, Math.round(geometry.strip * ratio), 0);
  report.names.forEach((_, site) => {
    const there = comparedAt(view, site);
    drawBar(view, context, site, kinds);
    if (there) drawComparedTicks(view, context, site, there);
    writeNumbers(view, site);
  });
  drawLevels(view, context);
  setText(view.find(".foot"), overviewFoot(view, kinds, profiles));
}

// Counts of the strip's bins, stacked in the order of the kinds: one array a kind, their highest stack and sum.
function stripProfile(report, site, snapshot, kinds) {
  const first = Math.round((STRIP_LOW - CORE_LOW) / report.binWidth), bins = Math.round((STRIP_HIGH - STRIP_LOW) / report.binWidth);
  const tops = [], sums = new Float64Array(bins), { core } = report.arrays;
  for (const kind of kinds) {
    const start = report.firstBin(site, snapshot, kind) + first;
    for (let bin = 0; bin < bins; bin++) sums[bin] += core[start + bin];
    tops.push(Float64Array.from(sums));
  }
  return { tops, bins, highest: Math.max(1, ...sums), inside: sums.reduce((sum, count) => sum + count, 0) };
}

// Columns of pixels, five times faster than paths. Height: square root of density, so that thin tails show.
function drawRidge(view, site, kinds, { tops, bins, highest }, pixels, width) {
  const { geometry, palette } = view, { ratio } = geometry, tall = geometry.heights[site] > TALL;
  const height = Math.max(1, Math.round((geometry.heights[site] - (tall ? 3 : 1)) * ratio));
  const bottom = Math.round((geometry.tops[site] + (tall ? 1 : 0.5)) * ratio) + height - 1;
  for (let x = 0; x < width; x++) {
    const bin = Math.floor((x * bins) / width);
    let y = 0;
    kinds.forEach((kind, i) => {
      const top = Math.round(height * Math.sqrt(tops[i][bin] / highest));
      for (; y < top; y++) pixels[(bottom - y) * width + x] = palette.rgba[CLASSES[kind]];
    });
  }
}

// Dense is far from the page, in both themes; empty is transparent.
function drawHeat(view, site, kinds, { tops, bins, highest }, pixels, width) {
  const { geometry, palette } = view, { ratio } = geometry, tall = geometry.heights[site] > TALL, pad = tall ? 3 : 0.5;
  const first = Math.round((geometry.tops[site] + pad) * ratio);
  const end = Math.round((geometry.tops[site] + geometry.heights[site] - pad) * ratio);
  const sums = tops[tops.length - 1];
  const colours = Array.from(sums, (count, bin) => {
    const smooth = (sums[Math.max(0, bin - 1)] + 2 * count + sums[Math.min(bins - 1, bin + 1)]) / 4;
    return heatColour(Math.sqrt(smooth / highest), palette.dark);
  });
  for (let x = 0; x < width; x++) pixels[first * width + x] = colours[Math.floor((x * bins) / width)];
  for (let y = first + 1; y < end; y++) pixels.copyWithin(y * width, first * width, (first + 1) * width);
}

function heatColour(level, dark) {
  const place = clamp(dark ? level : 1 - level, 0, 0.9999) * (CIVIDIS.length - 1), below = Math.floor(place);
  const [red, green, blue] = CIVIDIS[below].map((channel, i) => channel + (place - below) * (CIVIDIS[below + 1][i] - channel));
  return ((Math.min(1, level * 1.6) * 255) << 24 | blue << 16 | green << 8 | red) >>> 0;
}

function barBox(view, site) {
  const { tops, heights } = view.geometry, pad = heights[site] > TALL ? 5 : heights[site] > 7 ? 1 : 0.5;
  return { top: tops[site] + pad, height: heights[site] - 2 * pad };
}

function drawBar(view, context, site, kinds) {
  const { report, geometry, palette, at, all } = view, { top, height } = barBox(view, site);
  let x = geometry.bar;
  for (const kind of kinds) {
    const width = report.share(site, at, kind, all) * geometry.barWidth;
    context.fillStyle = palette.css[CLASSES[kind]];
    if (width > 0.2) context.fillRect(x, top, Math.max(0.5, width), height);
    x += width;
  }
}

// Where excess ends and missing begins in the compared run.
function drawComparedTicks(view, context, site, there) {
  const { other, geometry, palette, all } = view, { top, height } = barBox(view, site), over = geometry.heights[site] > TALL ? 2 : 0;
  context.fillStyle = palette.css.other;
  for (const share of [other.share(...there, EXCESS, all), 1 - other.share(...there, MISSING, all)]) {
    context.fillRect(geometry.bar + share * geometry.barWidth - 1, top - over, 2, height + 2 * over);
  }
}

function writeNumbers(view, site) {
  if (view.dense && site !== view.site) return; // not shown
  const { report, at, all } = view, cells = view.rows[site].children, empty = report.base(site, at, all) === 0;
  const shares = [report.share(site, at, EXCESS, all), report.share(site, at, MISSING, all), report.right(site, at, all)];
  shares.forEach((share, i) => {
    setText(cells[3 + i], empty ? "\u2013" : percent(share));
    cells[3 + i].classList.toggle("zero", share < 0.0005);
  });
}

function drawLevels(view, context) {
  const { geometry, palette } = view;
  context.strokeStyle = palette.css.text;
  context.lineWidth = 1;
  context.setLineDash([1, 3]);
  for (const v of [0, 1]) {
    const x = Math.round(geometry.strip + ((v - STRIP_LOW) / (STRIP_HIGH - STRIP_LOW)) * geometry.stripWidth) + 0.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, geometry.height + 6);
    context.stroke();
  }
  context.setLineDash([]);
}

function overviewFoot(view, kinds, profiles) {
  const { report, at } = view, inside = profiles.reduce((sum, profile) => sum + profile.inside, 0);
  const total = report.names.reduce((sum, _, site) => sum + kinds.reduce((part, kind) => part + report.count(site, at, kind), 0), 0);
  const scale = view.mode === "heat" ? "Each row scaled to its maximum, square root." : "Height: square root of density.";
  const outside = total ? `${percent(1 - inside / total)} % of neurons lie outside the strip. ` : "";
  const green = report.names.some((_, site) => comparedAt(view, site)) ? ` Green: ${view.other.name}; in brackets it minus this run, in points.` : "";
  const base = view.all ? "all neurons" : "neurons that are not silent", keys = "\u2191 \u2193 site, \u2190 \u2192 time-step";
  return `v / threshold after step ${report.steps[at]}, dotted: 0 and threshold. ${scale} ${outside}Shares are of ${base}. Keys: ${keys}.${green}`;
}
