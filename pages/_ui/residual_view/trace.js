// One neuron over time: its input, potential and spikes, beside the same charge arriving evenly.

const LEFT = 66, RIGHT = 62; // room for row names and sums, pixels
const ROOM_FOR_NUMBER = 8; // pixels between steps
const ROW = { input: 26, potential: 62, reach: 92, spikes: 174, even: 192, kinds: 209, steps: 231, height: 236 };

function buildTrace(view) {
  const form = view.find(".choose"), open = view.find(".open");
  view.find(".another").onclick = () => view.move({ pick: view.pick + 1, asking: false });
  open.onclick = () => {
    form.hidden = !form.hidden;
    setAttribute(open, "aria-expanded", !form.hidden);
    if (!form.hidden) form.querySelector("input").focus();
  };
  form.onsubmit = (event) => { event.preventDefault(); askForNeuron(view); };
}

function placeNames(shape) {
  if (shape.length === 3) return ["channel", "row", "column"];
  return shape.length === 1 ? ["neuron"] : shape.map((_, axis) => `index ${axis + 1}`);
}

function placeText(shape, position) {
  const place = [];
  let rest = position;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return placeNames(shape).map((name, axis) => `${name} ${place[axis]}`).join(", ");
}

// The fields fit the site's shape; what was typed stays where it still has a meaning.
function fitFields(view) {
  const { report, site } = view, names = ["image", ...placeNames(report.shapes[site])], sizes = [report.images, ...report.shapes[site]];
  const fields = view.find(".fields"), wanted = names.join() + sizes.join();
  if (fields.dataset.fit === wanted) return;
  const typed = Object.fromEntries([...fields.querySelectorAll("input")].map((input) => [input.name, Number(input.value)]));
  fields.dataset.fit = wanted;
  fields.replaceChildren(...names.map((name, i) => html("label", {}, `${name} `,
    html("input", { type: "number", name, min: 0, max: sizes[i] - 1, step: 1, value: Math.min(typed[name] || 0, sizes[i] - 1) }))));
}

function askForNeuron(view) {
  const { report, site } = view, inputs = [...view.findAll(".fields input")], problem = view.find(".problem");
  const wrong = inputs.find((input) => input.value === "" || !input.validity.valid);
  setText(problem, wrong ? `${wrong.name} goes from 0 to ${wrong.max} at ${report.names[site]}.` : "");
  if (wrong) { wrong.focus(); return; }
  const [image, ...place] = inputs.map((input) => Number(input.value));
  const position = place.reduce((flat, index, axis) => flat * report.shapes[site][axis] + index, 0);
  view.asked = { site: report.names[site], image, position, state: "running" };
  view.move({ asking: true });
  view.ask({ site: report.names[site], image, position });
}

// Which neuron is shown: the one asked for while its site is shown, else one drawn at random from the class.
function shownNeuron(view) {
  const { report, site, at } = view;
  if (view.asking && view.asked?.site === report.names[site]) {
    const { state, image, position, error } = view.asked;
    return { chosen: true, state, error, image, position, trace: state === "done" ? { ...view.asked, negative: view.asked.negative ?? -Infinity } : null };
  }
  const pool = report.traces(site, at, view.kind), trace = pool.length ? pool[view.pick % pool.length] : null;
  return { chosen: false, trace, pool: pool.length, image: trace?.image, position: trace?.position };
}

const ASKED_TEXT = {
  running: "Simulating this neuron: the network is converted and the image run once more.",
  cancelled: "Cancelled; ask again, or draw another.",
};

function drawTrace(view) {
  const { report, site, at } = view, neuron = shownNeuron(view), picture = view.find(".trace"), story = view.find(".story");
  fitFields(view);
  const how = neuron.chosen ? "chosen" : "drawn at random", place = () => placeText(report.shapes[site], neuron.position);
  setText(view.find(".place"), neuron.image === undefined ? "" : `${how}: ${place()}, image ${neuron.image}`);
  view.find(".another").disabled = !neuron.chosen && neuron.pool < 2;
  picture.classList.toggle("stale", !neuron.trace);
  setAttribute(picture, "width", view.geometry.detail);
  setAttribute(picture, "height", ROW.height);
  if (!neuron.trace) {
    const rare = `None of the stored neurons is ${CLASSES[view.kind]} here at t = ${report.steps[at]}; choose one by number.`;
    setText(story, neuron.chosen ? ASKED_TEXT[neuron.state] || `${neuron.error || "This neuron could not be simulated."}` : rare);
    setAttribute(picture, "aria-label", "No neuron to show");
    if (!neuron.chosen) picture.replaceChildren();
    return;
  }
  const { trace } = neuron, t = report.steps[at];
  const steps = simulate(trace).slice(0, shownSteps(t, trace.currents.length));
  const past = steps.slice(0, t), now = past[t - 1];
  setText(story, (neuron.chosen ? `This neuron is ${CLASSES[now.kind]}. ` : "") + neuronSentence(past, trace));
  const outcome = `it sent ${spikesText(now.count)}, its charge pays for ${spikesText(now.ideal)}`;
  setAttribute(picture, "aria-label", `Input, potential and spikes of one ${CLASSES[now.kind]} neuron up to t = ${t}: ${outcome}`);
  picture.replaceChildren(...traceMarks(view, steps, simulateEven(past, trace), trace, t));
}

// 8 steps, then doubling, so that the picture changes its scale rarely while t moves.
function shownSteps(t, available) {
  let shown = 8;
  while (shown < t) shown *= 2;
  return Math.min(shown, available);
}

function traceMarks(view, steps, even, { initial, negative, most }, t) {
  const width = view.geometry.detail, pitch = (width - LEFT - RIGHT) / steps.length, now = steps[t - 1];
  const levels = [...new Set([0, 1, most, ...(Number.isFinite(negative) ? [negative] : [])])];
  const low = Math.min(-0.45, 1.1 * Math.min(...levels), ...steps.map(({ after }) => after)), high = Math.max(most + 0.5, ...steps.map(({ before }) => before));
  const scale = {
    x: (step) => LEFT + (step - 0.5) * pitch,
    y: (v) => ROW.potential + ROW.reach * (1 - (clamp(v, low, high) - low) / (high - low)),
    pitch, width, t,
  };
  const { x, y } = scale, right = width - RIGHT;
  const aside = (height, name, value) => [label(0, height, name), label(width, height, value, { "text-anchor": "end", class: "strong" })];
  return [
    svg("rect", { x: LEFT, y: 4, width: t * pitch, height: ROW.kinds + 5, class: "past" }),
    ...aside(30, "input", `\u03a3 ${fixed(now.charge - initial)}`),
    ...inputMarks(steps, scale),
    ...levels.map((v) => svg("line", { x1: LEFT, x2: right, y1: y(v), y2: y(v), class: "level" })),
    ...levels.filter((v) => v === 0 || v === 1 || Math.min(...[0, 1].map((other) => Math.abs(y(v) - y(other)))) > 11)
      .map((v) => label(LEFT - 6, y(v) + 4, fixed(v, v % 1 ? 1 : 0), AT_END)),
    label(0, (y(0) + y(1)) / 2 + 4, "potential"),
    svg("path", { d: potentialPath(even, initial, 0, t, scale), class: "potential even" }),
    svg("path", { d: potentialPath(steps, initial, t, steps.length, scale), class: "potential later" }),
    svg("path", { d: potentialPath(steps, initial, 0, t, scale), class: "potential" }),
    svg("circle", { cx: x(t), cy: y(now.after), r: 4, class: `end ${CLASSES[now.kind]}` }),
    label(width, y(now.after) + 4, `v ${fixed(now.after)}`, { "text-anchor": "end", class: "strong" }),
    ...aside(ROW.spikes + 2, "spikes", `N = ${now.count}`), ...spikeMarks(steps, ROW.spikes, "spike", scale),
    ...aside(ROW.even + 2, "if even", `N* = ${now.ideal}`), ...spikeMarks(even, ROW.even, "spike even", scale),
    ...aside(ROW.kinds + 5, "class", `k = ${signed(now.count - now.ideal, 0)}`),
    ...kindMarks(steps, scale),
    ...stepLabels(steps.length, scale), label(width, ROW.steps, "time-step", AT_END),
  ];
}

function inputMarks(steps, { x, pitch, width, t }) {
  const largest = Math.max(0.6, ...steps.map(({ current }) => Math.abs(current))), bar = Math.min(22, pitch * 0.56), zero = ROW.input;
  const marks = steps.map(({ current }, i) => {
    const height = (Math.abs(current) / largest) * 22;
    const box = { x: x(i + 1) - bar / 2, y: current > 0 ? zero - height : zero, width: bar, height: Math.max(0.5, height) };
    return svg("rect", { ...box, class: i < t ? "input" : "input later" });
  });
  return [...marks, svg("line", { x1: LEFT, x2: width - RIGHT, y1: zero, y2: zero, class: "rule" })];
}

// The potential after step `from` up to step `to`: level, then the input's jump, then the reset's.
function potentialPath(steps, initial, from, to, { x, y }) {
  let path = `M${from ? x(from) : LEFT} ${y(from ? steps[from - 1].after : initial)}`;
  for (let step = from + 1; step <= to; step++) {
    const { before, after, spike } = steps[step - 1];
    path += `H${x(step)}V${y(before)}${spike ? `V${y(after)}` : ""}`;
  }
  return path;
}

// A stroke for a spike; several in one step as their number, and one that is taken back as a minus sign.
function spikeMarks(steps, height, kind, { x, t, pitch }) {
  const mark = (step, spike, name) => {
    if (spike > 1 && pitch >= ROOM_FOR_NUMBER) return label(x(step), height + 2, spike, { ...CENTRED, class: name });
    const reach = Math.min(4, 0.3 * pitch), middle = height - 2;
    const ends = spike > 0 ? { x1: x(step), x2: x(step), y1: height - 8, y2: height + 4 } : { x1: x(step) - reach, x2: x(step) + reach, y1: middle, y2: middle };
    return svg("line", { ...ends, class: name });
  };
  return steps.flatMap(({ spike }, i) => (spike ? [mark(i + 1, spike, i < t ? kind : `${kind} later`)] : []));
}

function kindMarks(steps, { pitch, t }) {
  const gap = Math.min(1, pitch / 8), box = { y: ROW.kinds - 3, width: pitch - 2 * gap, height: 8 };
  return steps.map(({ kind }, i) => svg("rect", { x: LEFT + i * pitch + gap, ...box, class: `area ${CLASSES[kind]}${i < t ? "" : " later"}` }));
}

function stepLabels(count, { x, t, pitch }) {
  const every = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024].find((gap) => gap * pitch >= 16) || 2048, marks = [];
  for (let step = 1; step <= count; step++) {
    const near = step !== t && Math.abs(step - t) * pitch < 16;
    const shown = step === t || (step % every === 0 && !near);
    if (shown) marks.push(label(x(step), ROW.steps, step, { ...CENTRED, class: step === t ? "strong" : "" }));
  }
  return marks;
}
