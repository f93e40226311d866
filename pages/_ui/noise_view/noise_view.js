// The view: its state, and when it is drawn. What follows the profile or T happens here, without the server, which hears
// of it when a bar is let go.

const SPEAK_MS = 300;
const MANY_SITES = 40;
const SHORT_WIDTH = 620; // below it the pictures at the side are low, as they stay in view above the rows
const ROWS_HEIGHT = 560; // of all thin rows

export { decodeMeasured, presetUnits, unitsOf, withMultiplier, withFrozen, withPreset, multipleOf, quantilesOf };

export default function noiseView({ parentElement, data, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".noise");
  const view = (root.view ||= createView(root));
  // These come anew with every run of the script.
  view.tell = (profile) => setStateValue("profile", profile);
  view.paste = (vector) => setTriggerValue("paste", vector);
  receive(view, data);
}

function createView(root) {
  const view = {
    root, find: (selector) => root.querySelector(selector), measured: null, decoded: {}, widths: {},
    profile: null, undo: [], rows: [], folds: [], folded: new Set(), selected: [0], dense: false, quantiles: false, answers: [], curves: [], rev: null, heard: {},
  };
  buildTools(view);
  buildAccuracy(view);
  buildZoom(view);
  wireRows(view);
  new ResizeObserver(() => { if (view.measured) { measure(view); draw(view); } }).observe(root);
  return view;
}

function decoded(view, text) {
  if (view.decoded.text !== text) view.decoded = { text, measured: decodeMeasured(text) };
  return view.decoded.measured;
}

async function receive(view, data) {
  view.data = data;
  const measured = await decoded(view, data.run);
  if (view.data !== data) return; // a newer run of the script has taken over
  const fresh = measured !== view.measured;
  view.measured = measured;
  if (fresh) startRun(view, data);
  else if (data.target !== view.target) setStep(view, data.target);
  view.target = data.target;
  if (data.given.rev !== view.rev) adopt(view, data.given, fresh);
  hear(view, data);
  view.root.classList.toggle("stale", Boolean(data.stale));
  view.find(".columns").inert = view.find(".tools").inert = Boolean(data.stale);
  setText(view.find(".problem"), data.problem);
  if (fresh) { measure(view); buildRows(view); } else paintLosses(view);
  draw(view);
  view.root.dataset.drawn = `${measured.id} T=${view.step}`;
}

function startRun(view, { target }) {
  const { measured } = view;
  Object.assign(view, { undo: [], folded: new Set(), selected: [0], answers: [], curves: [], last: null, lastCurve: null, hovered: null, rev: null });
  view.dense = measured.names.length > MANY_SITES;
  buildTargets(view);
  setStep(view, target);
  view.selected = [view.stds.indexOf(Math.max(...view.stds))];
}

function setStep(view, step) {
  const { measured } = view;
  view.at = Math.max(0, measured.steps.indexOf(step));
  view.step = measured.steps[view.at];
  view.stds = measured.stds(view.at);
  view.last = null; // of another T
  if (view.profile) view.units = unitsOf(view.profile, view.stds);
  if (view.rows.length) paintMeasured(view);
}

// The server's profile: at first what was drawn before, later what was typed or pasted.
function adopt(view, given, fresh) {
  if (!fresh && view.profile) remind(view);
  view.rev = given.rev;
  view.profile = given.profile;
  view.units = unitsOf(view.profile, view.stds);
  view.told = JSON.stringify(state(view));
  if (!fresh) view.find(".paste").hidden = true;
}

// Each answer counts once: reruns of the script bring the same ones again.
function hear(view, { answer, curve }) {
  for (const [name, told] of Object.entries({ answer, curve })) {
    const text = JSON.stringify(told);
    if (view.heard[name] === text) continue;
    view.heard[name] = text;
    if (told?.noisy) remember(view, { [name]: told });
  }
  view.problemNow = answer?.problem ?? "";
  view.curveProblem = curve?.problem ?? "";
}

function change(view, profile) {
  view.profile = profile;
  view.units = unitsOf(profile, view.stds);
  draw(view);
}

function state(view) {
  return { run: view.measured.id, rev: view.rev, target: view.step, chosen: view.chosen ?? 0, ...view.profile };
}

// What the server is told: the profile and T, once they rest.
function commit(view) {
  const told = state(view), text = JSON.stringify(told);
  if (text === view.told) { draw(view); return; }
  view.told = text;
  view.problemNow = view.curveProblem = "";
  view.tell(told);
  draw(view);
}

function measure(view) {
  for (const name of ["accuracy", "kappa", "zoom"]) view.widths[name] = view.find(`aside .${name}`).clientWidth;
  view.short = view.root.clientWidth <= SHORT_WIDTH;
  view.root.style.setProperty("--thin", `${clamp(Math.floor(ROWS_HEIGHT / view.measured.names.length), 4, 9)}px`);
  const scales = view.root.querySelectorAll(".head .scale");
  const marks = [[0, 1, 2, 3].map((m) => [m / MOST, m === 1 ? "1 = measured" : String(m)]), [-1, 0, 1].map((gap) => [miniX(gap) / MINI_WIDTH, fixed(gap, 0)])];
  scales.forEach((scale, i) => scale.replaceChildren(...marks[i].map(([share, text]) => html("i", { style: `left:${100 * share}%` }, text))));
}

function draw(view) {
  cancelAnimationFrame(view.frame);
  view.frame = requestAnimationFrame(() => drawNow(view));
}

function drawNow(view) {
  if (!view.units || !view.rows.length) return;
  view.root.classList.toggle("dense", view.dense);
  for (const row of view.rows) paintRow(view, row);
  drawZoom(view);
  if (!(view.drag && view.waiting)) { // while bars are painted the rest only waits
    drawTools(view);
    drawAccuracy(view);
    drawKappa(view);
    drawFoot(view);
  }
  view.waiting = Boolean(view.drag);
  clearTimeout(view.idle);
  view.idle = setTimeout(() => speak(view), SPEAK_MS);
}

function drawFoot(view) {
  const { measured, at } = view, form = measured.discrete[at] ? "stems" : "bars";
  const kind = view.dense ? "thin rows: dark the measured gap, mean \u00b1 std; orange the noise, \u00b1 std" : `dark ${form}: measured share, curve: N(0, std\u00b2), square-root scale, one for all rows`;
  const zero = view.stds.every((std) => std > 0) ? "" : " \u2013: no gap at this T, so no multiplier; a std can be set below.";
  const compat = measured.paper_compat ? ", mean of batch variances" : "";
  setText(view.find(".foot"), `Gap after T = ${view.step} steps on ${thousands(measured.fit_images)} images of ${measured.fit_split}${compat}; ${kind}.${zero}`);
}

// For screen readers, once the picture has come to rest.
function speak(view) {
  view.rows.forEach(describeRow);
  if (view.drag || view.said) return;
  const found = prediction(view), { row } = view;
  const accuracy = found ? `noisy ANN ${(100 * found.noisy.value).toFixed(2)} %` : `noisy ANN: ${missing(view)[0]}`;
  setText(view.find(".spoken"), `${row.title}: ${row.track.getAttribute("aria-valuetext")}; ${accuracy}`);
}
