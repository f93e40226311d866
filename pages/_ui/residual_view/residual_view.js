// The view: its state, and when it is drawn. What follows t or the site happens here, without the server, which hears of
// it once the view rests.

const REST_MS = 400, SPEAK_MS = 300;
const MANY_SITES = 40, NARROW = 900;

export { decodeReport, simulate, simulateEven, ResidualReport };

export default function residualView({ parentElement, data, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".residuals");
  const view = (root.view ||= createView(root));
  // These come anew with every run of the script.
  view.tell = (state) => setStateValue("view", state);
  view.ask = (neuron) => setTriggerValue("ask", neuron);
  receive(view, data);
}

function createView(root) {
  const view = {
    root, find: (selector) => root.querySelector(selector), findAll: (selector) => root.querySelectorAll(selector),
    at: 0, site: 0, wanted: EXCESS, kind: EXCESS, pick: 0, all: false, mode: "ridge", dense: false,
    asked: null, asking: false, timer: 0, report: null, other: null, decoded: {},
  };
  view.move = (change) => move(view, change);
  view.choose = (option, value) => choose(view, option, value);
  buildTime(view);
  buildChips(view);
  buildTrace(view);
  new ResizeObserver(() => { if (view.report) { measureOverview(view); draw(view); } }).observe(root);
  // A canvas does not follow a theme switch; the style sheet gives the colour a transition of 1 ms that tells of it.
  root.addEventListener("transitionend", (event) => { if (event.target === root && view.report) { view.palette = null; draw(view); } });
  return view;
}

// Each text is decoded once; reruns of the script bring the same texts again.
function decoded(view, role, text) {
  if (view.decoded[role]?.text !== text) view.decoded[role] = { text, report: text ? decodeReport(text) : Promise.resolve(null) };
  return view.decoded[role].report;
}

async function receive(view, data) {
  view.data = data;
  const [report, other] = await Promise.all([decoded(view, "run", data.run), decoded(view, "compare", data.compare)]);
  if (view.data !== data) return; // a newer run of the script has taken over
  const fresh = report !== view.report, resized = fresh || other !== view.other;
  Object.assign(view, { report, other });
  if (fresh) startReport(view, data);
  else if (data.target !== view.target) moveToTarget(view, data.target);
  view.target = data.target;
  receiveAsked(view, data.asked);
  setText(view.find(".note"), data.note);
  view.find(".note").hidden = !data.note;
  if (resized) measureOverview(view);
  draw(view);
}

// A run that has not been shown yet: where the address says, in the form that suits its size.
function startReport(view, { first }) {
  const { report } = view, many = report.names.length > MANY_SITES;
  stopPlaying(view);
  view.at = Math.max(0, report.steps.indexOf(first.t));
  view.site = Math.max(0, report.names.indexOf(first.site));
  view.asking = false;
  view.dense = many || view.root.clientWidth < NARROW;
  view.mode = many ? "heat" : "ridge";
  buildTicks(view);
  buildRows(view);
}

function moveToTarget(view, target) {
  const kept = view.report.steps.filter((t) => t <= target).length;
  stopPlaying(view);
  view.move({ at: Math.max(0, kept - 1) });
}

function receiveAsked(view, asked) {
  const fresh = JSON.stringify(asked) !== view.askedText;
  view.askedText = JSON.stringify(asked);
  if (fresh && asked) Object.assign(view, { asked, asking: true });
}

function move(view, change) {
  if (("site" in change && change.site !== view.site) || "wanted" in change) view.pick = 0;
  if ("wanted" in change) view.asking = false;
  Object.assign(view, change);
  draw(view);
  commit(view);
}

function choose(view, option, value) {
  view[option] = value;
  if (option === "dense") measureOverview(view);
  draw(view);
  commit(view);
}

// What the server is told once the view rests: enough for the address and to export what is shown.
function commit(view) {
  clearTimeout(view.rest);
  if (view.timer) return;
  view.rest = setTimeout(() => {
    const { report, at, site, all } = view, shown = shownNeuron(view), neuron = shown.chosen ? "asked" : shown.trace?.row ?? null;
    const state = { run: report.id, t: report.steps[at], site: report.names[site], all, neuron };
    if (JSON.stringify(state) === view.told || !view.root.isConnected) return;
    view.told = JSON.stringify(state);
    view.tell(state);
  }, REST_MS);
}

function draw(view) {
  cancelAnimationFrame(view.frame);
  view.frame = requestAnimationFrame(() => {
    if (!(view.geometry.detail > 0)) return; // not laid out, as while the page changes; the observer draws when it is
    view.kind = shownKind(view);
    drawTime(view);
    drawOverview(view);
    drawDetail(view);
    drawTrace(view);
    view.root.dataset.drawn = `${view.report.id} t=${view.report.steps[view.at]} site=${view.site}`;
    clearTimeout(view.idle);
    view.idle = setTimeout(() => speak(view), SPEAK_MS);
  });
}

// The class wanted, or the next that has any neuron here.
function shownKind(view) {
  const { report, site, at, wanted } = view;
  return [wanted, EXCESS, MISSING, EXACT, SATURATED, SILENT].find((kind) => report.count(site, at, kind) > 0) ?? wanted;
}

// For screen readers, once the picture has come to rest.
function speak(view) {
  const { report, at, all, site } = view, t = report.steps[at], curve = report.accuracy;
  const share = (row, kind) => `${CLASSES[kind]} ${percent(report.share(row, at, kind, all))} %`;
  const shares = (row) => `${share(row, EXCESS)}, ${share(row, MISSING)}`;
  view.rows.forEach((row, i) => setAttribute(row, "aria-label", `${report.names[i]}: ${shares(i)}`));
  const accuracy = curve ? `, SNN ${accuracyText(curve.snn_correct[at], curve.images)}` : "";
  setAttribute(view.find(".track input"), "aria-valuetext", `t = ${t}${accuracy}`);
  const where = `${report.names[site]}, t = ${t}`;
  setAttribute(view.find(".histogram"), "aria-label", `Histogram of v over threshold by class, ${where}: ${shares(site)}`);
  setAttribute(view.find(".errors"), "aria-label", `Histogram of the spike-count error k, ${where}`);
  setText(view.find(".spoken"), `t = ${t}${accuracy}; ${report.names[site]}: ${shares(site)}`);
}
