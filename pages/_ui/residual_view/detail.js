// One site: what happened in words, the classes, the histogram of v with the neurons' Gaussian, and the count errors.

const SLOT = 40; // room beside the histogram for what lies outside it, pixels
const PLOT_TOP = 20, PLOT_HEIGHT = 124;
const ERRORS_HEIGHT = 62;

function buildChips(view) {
  view.chips = STACK.map((kind) => {
    const name = html("span", {}, swatch(CLASSES[kind]), CLASSES[kind]);
    const chip = html("button", { type: "button", "data-kind": kind }, name, html("small"), html("small", { class: "other" }));
    chip.onclick = () => view.move({ wanted: kind });
    return chip;
  });
  view.find(".chips").replaceChildren(...view.chips);
}

function drawDetail(view) {
  const { report, site } = view;
  setText(view.find(".site"), report.names[site]);
  const shape = report.shapes[site].join(" \u00d7 "), threshold = report.thresholds[site].toPrecision(4);
  setText(view.find(".facts"), `${shape} neurons \u00b7 threshold ${threshold}`);
  view.find(".detail > .sentence").replaceChildren(...siteSentence(view));
  drawChips(view);
  drawHistogram(view);
  setText(view.find(".spread"), spreadSentence(view));
  setText(view.find(".means"), meansSentence(view));
  drawErrors(view);
  drawIdentity(view);
}

// Pieces of text, shares in bold.
function siteSentence(view) {
  const { report, site, at, all } = view, t = report.steps[at], bold = (text) => html("b", {}, text);
  const spoiled = report.notNumbers(site, at);
  if (spoiled) {
    return [`${thousands(spoiled)} potentials here are not a number at t = ${t}, and in no class. Look for NaN in weights or images.`];
  }
  const [silent, excess, missing] = [SILENT, EXCESS, MISSING].map((kind) => report.count(site, at, kind));
  const total = report.total(site, at);
  const wrong = excess + missing;
  if (silent === total) return [`Nothing fired here by t = ${t}, and no neuron's charge pays for a spike: all are silent.`];
  if (wrong === 0 && t === 1) return ["Within one step no count can be wrong: nothing can be early or late."];
  if (wrong === 0 && site === 0) {
    return ["Constant input: every count is right. Uneven arrival, the cause of both errors, starts behind this site."];
  }
  if (wrong === 0) return [`No count is wrong here at t = ${t}.`];
  const counts = report.errors(site, at, true), one = (counts[report.kLimit - 1] + counts[report.kLimit + 1]) * total / wrong;
  const part = one === 1 ? "all" : one > 0.995 ? "over 99 %" : `${(100 * one).toFixed(0)} %`;
  const start = all ? "Of all neurons, " : `Of the ${percent(1 - silent / total, 0)} % that are not silent, `;
  const [often, rarely] = [EXCESS, MISSING].map((kind) => bold(`${percent(report.share(site, at, kind, all))} %`));
  return [start, often, " fired too often and ", rarely, ` too rarely; ${part} of these are off by one spike.`];
}

function drawChips(view) {
  const { report, other, site, at, all } = view, there = comparedAt(view, site);
  const chosen = shownNeuron(view).chosen; // then the neuron below belongs to no class that was picked
  view.find(".chips").classList.toggle("comparing", there !== null);
  for (const chip of view.chips) {
    const kind = Number(chip.dataset.kind), [own, compared] = chip.querySelectorAll("small"), ofAll = all || kind === SILENT;
    const share = report.share(site, at, kind, ofAll);
    chip.disabled = report.count(site, at, kind) === 0;
    setAttribute(chip, "aria-pressed", kind === view.kind && !chosen);
    setText(own, `${percent(share, share > 0 && share < 0.001 ? 2 : 1)} %${kind === SILENT && !all ? " of all" : ""}`);
    const theirs = there ? other.share(...there, kind, ofAll) : 0;
    setText(compared, there ? `${percent(theirs)} (${signed(100 * (theirs - share), 1)})` : "");
  }
}

// A path along the bins: up and over at each; closed along `below` when given.
function stairs(tops, x, y, below = null) {
  let path = `M${x(0)} ${y(below ? below[0] : 0)}`;
  tops.forEach((top, bin) => { path += `V${y(top)}H${x(bin + 1)}`; });
  if (!below) return `${path}V${y(0)}`;
  for (let bin = tops.length - 1; bin >= 0; bin--) path += `V${y(below[bin])}H${x(bin)}`;
  return `${path}Z`;
}

function drawHistogram(view) {
  const { report, other, site, at, all } = view, width = view.geometry.detail, there = comparedAt(view, site);
  const kinds = all ? STACK : STACK.filter((kind) => kind !== SILENT);
  const tops = report.stacked(site, at, kinds, all), outline = there ? other.stacked(...there, kinds, all) : [];
  const peak = Math.max(...tops[tops.length - 1]), theirPeak = there ? Math.max(...outline[outline.length - 1]) : 0;
  const highest = Math.max(peak, Math.min(theirPeak, 1.5 * peak)) || theirPeak || 1, bottom = PLOT_TOP + PLOT_HEIGHT;
  const atV = (v) => SLOT + ((v - CORE_LOW) / (CORE_HIGH - CORE_LOW)) * (width - 2 * SLOT);
  const x = (bin) => atV(CORE_LOW + bin * report.binWidth).toFixed(1);
  const y = (density) => (bottom - Math.min(density / highest, 1.04) * (PLOT_HEIGHT - 8)).toFixed(1);
  const empty = report.base(site, at, all) === 0, floor = new Float64Array(report.bins), picture = view.find(".histogram");
  setAttribute(picture, "width", width);
  setAttribute(picture, "height", bottom + 20);
  picture.replaceChildren(...[
    label(0, 8, "Potential left over, v / threshold", { class: "strong" }),
    label(width, 8, empty ? "" : `density, top ${highest.toFixed(1)}`, AT_END),
    ...kinds.map((kind, i) => svg("path", { d: stairs(tops[i], x, y, tops[i - 1] ?? floor), class: `area ${CLASSES[kind]}` })),
    ...outline.map((top, i) => svg("path", { d: stairs(top, x, y), class: i === outline.length - 1 ? "outline" : "outline inner" })),
    ...gaussianMarks(view, atV, y),
    ...[0, 1].map((v) => svg("line", { x1: atV(v), x2: atV(v), y1: PLOT_TOP, y2: bottom, class: "level" })),
    svg("line", { x1: atV(CORE_LOW), x2: atV(CORE_HIGH), y1: bottom, y2: bottom, class: "base" }),
    ...[-2, -1, 0, 1, 2].map((v) => label(atV(v), bottom + 14, fixed(v, 0), CENTRED)),
    ...tailMarks(view, kinds, width, bottom),
    empty ? label(atV(0.5), PLOT_TOP + PLOT_HEIGHT / 2, "no neuron fired, and none should have", { ...CENTRED, class: "halo" }) : null,
  ].filter((mark) => mark !== null));
}

// Of the neurons that fired, within two thresholds: plain moments are ruled by the tails.
function gaussianMarks(view, atV, y) {
  const { report, site, at, all } = view, { count, mean, std } = report.fired(site, at);
  if (count < 2 || !(std > 0)) return [];
  const height = count / (report.base(site, at, all) || 1) / (std * Math.sqrt(2 * Math.PI)), points = [];
  for (let v = CORE_LOW; v <= CORE_HIGH + 1e-9; v += 0.04) {
    points.push(`${atV(v).toFixed(1)},${y(height * Math.exp(-0.5 * ((v - mean) / std) ** 2))}`);
  }
  const left = atV(1) + 8, values = svg("tspan", { class: "strong" }, `${fixed(mean)} \u00b1 ${fixed(std)}`);
  return [
    svg("polyline", { points: points.join(" "), class: "gaussian" }),
    svg("line", { x1: left, x2: left + 16, y1: PLOT_TOP + 10, y2: PLOT_TOP + 10, class: "gaussian" }),
    label(left + 21, PLOT_TOP + 14, "Gaussian of those that", { class: "halo" }),
    svg("text", { x: left + 21, y: PLOT_TOP + 28, class: "halo" }, "fired, |v| < 2: ", values),
  ];
}

function tailMarks(view, kinds, width, bottom) {
  const { report, site, at, all } = view, base = report.base(site, at, all) || 1;
  const [below, above] = report.outside(site, at, kinds).map((count) => count / base), marks = [];
  if (below > 0) marks.push(label(0, bottom - 14, `\u2039 ${percent(below)} %`), label(0, bottom - 2, "below"));
  if (above > 0) marks.push(label(width, bottom - 14, `${percent(above)} % \u203a`, AT_END), label(width, bottom - 2, "above", AT_END));
  return marks;
}

function spreadSentence(view) {
  const { report, site, at, kind } = view, { mean, std, low, high, rate } = report.summary(site, at);
  const own = report.classMoments(site, at, kind), size = (value) => (Math.abs(value) < 1000 ? fixed(value) : value.toPrecision(3));
  if (!Number.isFinite(mean)) return "";
  const everyone = `All neurons: v = ${size(mean)} \u00b1 ${size(std)}, from ${size(low)} to ${size(high)}`;
  return `${everyone}; ${CLASSES[kind]}: ${size(own.mean)} \u00b1 ${size(own.std)}. ${fixed(rate)} spikes a step.`;
}

// How far the compared run's means lie from this run's: of all neurons, and of those whose Gaussian is drawn.
function meansSentence(view) {
  const { report, other, site, at } = view, there = comparedAt(view, site);
  if (!other) return "";
  if (!there) return other.names.includes(report.names[site]) ? "" : `${other.name} has no such site: nothing is overlaid.`;
  const parts = [["all neurons", report.summary(site, at), other.summary(...there)]];
  const fired = [report.fired(site, at), other.fired(...there)];
  if (fired.every(({ count }) => count > 1)) parts.push(["those that fired", ...fired]);
  const told = parts.filter(([, own, theirs]) => Number.isFinite(own.mean) && Number.isFinite(theirs.mean))
    .map(([who, own, theirs]) => `${who} ${fixed(theirs.mean)} (${signed(theirs.mean - own.mean, 3)})`);
  return told.length ? `Mean v in the compared run, in brackets it minus this run’s: ${told.join(", ")}.` : "";
}

function errorHeight(share) {
  return share > 0 ? Math.max(0.75, Math.sqrt(share) * (ERRORS_HEIGHT - 18)) : 0;
}

// k = N - N*, too many on the left as above. It is no second axis of v: a neuron whose charge went below zero after it
// fired once has k = 1 at any depth.
function drawErrors(view) {
  const { report, other, site, at, all } = view, there = comparedAt(view, site), width = view.geometry.detail;
  const same = other ? other.names.indexOf(report.names[site]) : -1; // also where t is not kept: the axis stays
  const reach = Math.max(report.reach(site), same < 0 ? 0 : other.reach(same));
  const own = report.errorsWithin(site, at, all, reach), theirs = there ? other.errorsWithin(...there, all, reach) : null;
  const slot = width / (2 * reach + 1), barWidth = Math.min(46, slot - 8), bottom = 22 + ERRORS_HEIGHT, picture = view.find(".errors");
  const marks = [
    label(0, 8, "Count error k = N \u2212 N*", { class: "strong" }),
    label(width, 8, "%, height: square root", AT_END),
    label(0, 24, "\u2039 spikes too many"), label(width, 24, "spikes too few \u203a", AT_END),
    svg("line", { x1: 0, x2: width, y1: bottom, y2: bottom, class: "base" }),
  ];
  for (let k = reach; k >= -reach; k--) {
    const share = own[reach + k], middle = (reach - k + 0.5) * slot, height = errorHeight(share);
    const kind = k > 0 ? "excess" : k < 0 ? "missing" : "exact", open = Math.abs(k) === reach ? (k > 0 ? "\u2265 " : "\u2264 ") : "";
    const compared = theirs ? errorHeight(theirs[reach + k]) : 0;
    marks.push(
      svg("rect", { x: middle - barWidth / 2, y: bottom - height, width: barWidth, height, class: `area ${kind}` }),
      compared > 0 ? svg("path", { d: `M${middle - barWidth / 2 - 2} ${bottom - compared}h${barWidth + 4}`, class: "outline" }) : null,
      label(middle, bottom - Math.max(height, compared) - 4, percent(share, share > 0 ? 1 : 0), { ...CENTRED, class: share > 0 ? "strong halo" : "halo" }),
      label(middle, bottom + 13, open + signed(k, 0), CENTRED),
    );
  }
  setAttribute(picture, "width", width);
  setAttribute(picture, "height", bottom + 18);
  picture.replaceChildren(...marks.filter((mark) => mark !== null));
}

function drawIdentity(view) {
  const { report, site } = view, error = report.identity_error[site], allowed = report.identity_tolerance[site];
  const holds = error <= allowed, line = view.find(".identity");
  line.classList.toggle("broken", !holds);
  const size = error === 0 ? "no error at all" : `largest error ${scientific(error)} of the threshold`;
  const verdict = holds ? "holds" : "FAILS, do not trust these numbers";
  setText(line, `Charge balance v(t) = v(0) + \u03a3 I \u2212 \u03b8N ${verdict}: ${size}, allowed ${scientific(allowed)}.`);
}
