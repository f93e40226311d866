// Time: the slider with the accuracy above it, what was read off at t, and the sites that stand out.

const STEP_MS = 650;

function buildTime(view) {
  const slider = view.find(".track input");
  slider.oninput = () => { stopPlaying(view); view.move({ at: Number(slider.value) }); };
  view.find(".play").onclick = () => (view.timer ? stopPlaying(view) : startPlaying(view));
  for (const button of view.findAll(".options button")) {
    button.onclick = () => view.choose(button.dataset.option, { true: true, false: false }[button.dataset.value] ?? button.dataset.value);
  }
  for (const button of view.findAll(".jump")) {
    const wanted = Number(button.parentElement.dataset.kind);
    button.onclick = () => view.move({ site: Number(button.dataset.site), wanted });
  }
}

function buildTicks(view) {
  const { steps } = view.report;
  view.find(".track input").max = steps.length - 1;
  view.find(".ticks").replaceChildren(...steps.map((t) => html("span", {}, String(t))));
}

function startPlaying(view) {
  const last = view.report.steps.length - 1;
  view.timer = setInterval(() => (view.at < last && view.root.isConnected ? view.move({ at: view.at + 1 }) : stopPlaying(view)), STEP_MS);
  view.move({ at: view.at === last ? 0 : view.at });
}

function stopPlaying(view) {
  if (!view.timer) return;
  clearInterval(view.timer);
  view.timer = 0;
  view.move({});
}

function drawTime(view) {
  const { report, at } = view;
  view.find(".track input").value = at;
  [...view.find(".ticks").children].forEach((tick, i) => {
    tick.className = (i === at ? "now" : "") + (report.steps[i] === view.target ? " target" : "");
  });
  const play = view.find(".play");
  setAttribute(play, "aria-label", view.timer ? "Pause" : "Play over t");
  setAttribute(play.querySelector("path"), "d", view.timer ? "M2 1h3v10H2zM7 1h3v10H7z" : "M2.5 1l8 5-8 5z");
  drawCurve(view);
  drawReadout(view);
  drawWorst(view);
  for (const button of view.findAll(".options button")) {
    setAttribute(button, "aria-pressed", String(view[button.dataset.option]) === button.dataset.value);
  }
}

// Accuracy at the stored t as a small curve above the slider; its scale starts at the lowest value.
function drawCurve(view) {
  const { report, other, at } = view, picture = view.find(".track svg"), curve = report.accuracy;
  if (!curve) { picture.replaceChildren(); return; }
  const width = view.geometry.track, share = (correct, of) => correct / of.images;
  const own = curve.snn_correct.map((n) => share(n, curve)), ann = share(curve.ann_correct, curve);
  const theirs = other?.accuracy ? other.accuracy.snn_correct.map((n) => share(n, other.accuracy)) : [];
  const low = Math.min(...own, ...theirs, ann), high = Math.max(...own, ...theirs, ann, low + 0.01);
  const x = (i) => 8 + (i * (width - 16)) / Math.max(1, own.length - 1), y = (value) => 20 - (18 * (value - low)) / (high - low);
  const place = (value, step) => [report.steps.indexOf(step), value];
  const points = (values, steps) => values.map((value, i) => place(value, steps[i])).filter(([i]) => i >= 0)
    .map(([i, value]) => `${x(i)},${y(value)}`).join(" ");
  picture.replaceChildren(
    svg("line", { x1: 0, x2: width, y1: y(ann), y2: y(ann), class: "ann" }),
    label(width + 6, y(ann) + 4, "ANN"),
    svg("polyline", { points: points(theirs, other ? other.steps : []), class: "curve other" }),
    svg("polyline", { points: points(own, report.steps), class: "curve" }),
    ...own.map((value, i) => svg("circle", { cx: x(i), cy: y(value), r: i === at ? 4 : 2, class: "dot" })),
  );
}

function readoutItem(kind, name, value, aside) {
  return html("span", {}, kind && swatch(kind), html("span", { class: "mute" }, `${name} `), html("b", {}, value), html("small", {}, aside));
}

function drawReadout(view) {
  const { report, other, at } = view, t = report.steps[at], curve = report.accuracy;
  const items = [readoutItem(null, "t", `= ${t}`, t === view.target ? "target T" : "")];
  if (curve) {
    const gap = (100 * (curve.snn_correct[at] - curve.ann_correct)) / curve.images;
    const interval = [curve.low, curve.high].map((bound) => (100 * bound[at]).toFixed(2)).join("\u2013");
    items.push(readoutItem("snn", "SNN", accuracyText(curve.snn_correct[at], curve.images), interval));
    items.push(readoutItem(null, "gap to ANN", signed(gap), "points"));
  }
  const there = other ? other.steps.indexOf(t) : -1;
  if (other?.accuracy && there >= 0) {
    items.push(readoutItem("other", "compared", accuracyText(other.accuracy.snn_correct[there], other.accuracy.images), ""));
  }
  view.find(".readout").replaceChildren(...items);
}

function drawWorst(view) {
  const { report, at, all } = view, found = [EXCESS, MISSING].map((kind) => report.worst(at, kind, all));
  const calm = found.every(({ share }) => share === 0), fired = report.names.some((_, site) => report.base(site, at, false) > 0);
  const calmText = !fired ? `Nothing fired by t = ${report.steps[at]}, at any site, and no neuron's charge pays for a spike.`
    : report.steps[at] === 1 ? "At t = 1 no neuron spent too much or too little: within one step nothing can be early or late."
      : `At t = ${report.steps[at]} no neuron spent too much or too little.`;
  setText(view.find(".calm"), calm ? calmText : "");
  view.findAll(".worst [data-kind]").forEach((item, i) => {
    const { site, share } = found[i], button = item.querySelector(".jump"), kind = Number(item.dataset.kind);
    item.hidden = calm;
    button.dataset.site = site;
    setText(button, share === 0 ? "none" : report.names[site]);
    button.disabled = share === 0;
    const there = comparedAt(view, site);
    const compared = there ? ` (compared ${percent(view.other.share(...there, kind, all))})` : "";
    setText(item.querySelector(".share"), share === 0 ? "" : `${percent(share)} %${compared}`);
  });
}

// Indices of a site and the present t in the compared run; null without one, where it has no such site, or kept nothing
// at t.
function comparedAt(view, site) {
  if (!view.other) return null;
  const there = [view.other.names.indexOf(view.report.names[site]), view.other.steps.indexOf(view.report.steps[view.at])];
  return there.includes(-1) ? null : there;
}
