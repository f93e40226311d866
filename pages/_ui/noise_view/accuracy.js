// ANN, noisy ANN and SNN with their intervals; and what only training moves.

const LINES = [["ann", "ANN"], ["noisy", "noisy ANN"], ["snn", ""], ["trained", "SNN, fine-tuned with it"]];

function buildAccuracy(view) {
  view.lines = Object.fromEntries(LINES.map(([kind, title]) => {
    const name = html("span", {}, title), badge = html("small", { class: "badge" }), value = html("b"), interval = html("span", { class: "interval" });
    const picture = svg("svg", { class: "dot", height: 16, "aria-hidden": "true" });
    const node = html("div", { class: `line ${kind}` }, html("div", { class: "title" }, name, badge), html("div", { class: "value" }, value, interval), picture);
    return [kind, { node, name, badge, value, interval, picture, kind }];
  }));
  view.find(".accuracy .lines").replaceChildren(...Object.values(view.lines).map((line) => line.node));
}

function drawAccuracy(view) {
  const { measured, step, at } = view, found = view.drag ? undraggedPrediction(view) : prediction(view);
  const seeds = measured.seeds === 1 ? "tick: the one noise seed" : `ticks: ${measured.seeds} noise seeds`;
  setText(view.find(".accuracy .sub"), `accuracy %, 95 % interval over ${thousands(measured.images)} images of ${measured.split}; ${seeds}`);
  setText(view.lines.snn.name, `SNN at T = ${step}`);
  drawLine(view, view.lines.ann, measured.ann, "measured");
  drawLine(view, view.lines.snn, measured.snn[at], "measured, no noise in it");
  drawLine(view, view.lines.trained, null, "needs training", "dashed");
  const line = view.lines.noisy;
  if (found) {
    view.last = found.noisy;
    drawLine(view, line, found.noisy, "live prediction", "live", { rough: !found.exact });
    setAttribute(line.badge, "title", found.exact ? "computed for this profile" : "read off the computed curve between two scales");
  } else {
    const [badge, title] = missing(view);
    drawLine(view, line, null, badge, "dashed", { ghost: view.last });
    setAttribute(line.badge, "title", title);
  }
  drawAccuracyAxis(view);
}

// While the master scale moves along a computed curve the number moves with it; while bars are painted it is unknown.
function undraggedPrediction(view) {
  return view.drag ? null : prediction(view);
}

function missing(view) {
  const where = "the last number is greyed";
  if (view.drag || view.sliding || view.resting) return ["release to update", where];
  if (view.problemNow) return ["not computed", view.problemNow];
  return ["computing", where];
}

function drawLine(view, line, estimate, badge, kind = "", { ghost = null, rough = false } = {}) {
  const shown = estimate ?? ghost, decimals = rough ? 1 : 2, opacity = estimate ? 1 : 0.35;
  setText(line.badge, badge);
  setAttribute(line.badge, "class", `badge ${kind}`);
  line.node.classList.toggle("ghost", !estimate && Boolean(ghost));
  setText(line.value, shown ? `${rough ? "\u2248 " : ""}${(100 * shown.value).toFixed(decimals)}` : "\u2013");
  setText(line.interval, shown ? `${(100 * shown.low).toFixed(1)} to ${(100 * shown.high).toFixed(1)}` : "");
  const width = view.widths.accuracy, x = (share) => 1 + share * (width - 2), marks = [
    svg("path", { class: "base", d: `M1 8H${width - 1}` }),
    svg("path", { class: "chance", d: `M${x(view.measured.chance)} 3V13` }),
  ];
  if (shown) {
    marks.push(svg("path", { class: "span", d: `M${x(shown.low)} 8H${x(shown.high)}`, opacity }));
    if (shown.seeds?.length > 1) marks.push(svg("path", { class: "seeds", d: shown.seeds.map((seed) => `M${x(seed)} 2V14`).join(""), opacity: 0.65 * opacity }));
    marks.push(svg("circle", { class: estimate ? "point" : "point open", cx: x(shown.value), cy: 8, r: 4.5, opacity }));
  }
  line.picture.replaceChildren(...marks);
}

function drawAccuracyAxis(view) {
  const width = view.widths.accuracy, { chance } = view.measured, x = (share) => 1 + share * (width - 2), axis = view.find(".accuracy .axis");
  setAttribute(axis, "height", 14);
  axis.replaceChildren(label(1, 11, "0"), label(Math.max(x(chance), 26), 11, "chance", chance < 0.2 ? {} : CENTRED), label(width - 1, 11, "100 %", AT_END), ...(chance < 0.35 ? [label(x(0.5), 11, "50", CENTRED)] : []));
}
