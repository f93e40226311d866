// The top: T, what training does with the profile, presets, the master scale, and the vector as text.

const WIDE_TARGETS = 8; // so many values of T are buttons

function button(text, title, action) {
  const made = html("button", { type: "button", title: title || null }, text);
  made.onclick = action;
  return made;
}

function buildTools(view) {
  view.presets = PRESETS.map((name) => button(name, PRESET_TITLES[name], () => act(view, withPreset(view.profile, view.stds, name))));
  view.find(".presets").replaceChildren(...view.presets);
  view.modes = [[false, "re-estimate \u00d7 m", "in training each site's std is m times the one measured anew after every epoch; NQ is m = 1"], [true, "freeze std", "in training the drawn std stays as it is"]]
    .map(([frozen, text, title]) => Object.assign(button(text, title, () => act(view, withFrozen(view.profile, view.stds, frozen))), { frozen }));
  view.find(".modes").replaceChildren(...view.modes);
  const scale = view.find("#scale");
  scale.max = MOST_SCALE;
  scale.onpointerdown = () => { view.sliding = true; remind(view); };
  scale.oninput = () => {
    if (!view.sliding && !view.resting) remind(view);
    change(view, { ...view.profile, scale: Number(scale.value) });
    if (!view.sliding) rest(view);
  };
  scale.onpointerup = scale.onpointercancel = () => { view.sliding = false; draw(view); commit(view); };
  view.undoButton = button("Undo", "Ctrl+Z", () => undo(view));
  view.pasteButton = button("Paste", "a JSON list or a column of numbers", () => openPaste(view));
  view.foldButton = button("", "one row a stage", () => foldAll(view));
  view.denseButton = button("", "thin rows: all sites at a glance", () => { view.dense = !view.dense; rebuildRows(view); });
  view.find(".actions").replaceChildren(view.undoButton, button("Copy", "the vector as a JSON list", () => copy(view)), view.pasteButton, view.foldButton, view.denseButton);
  const form = view.find(".paste");
  form.onsubmit = (event) => { event.preventDefault(); view.paste({ text: view.find("#vector").value.slice(0, 100_000), count: (view.pasted = (view.pasted ?? 0) + 1) }); };
  form.querySelector(".close").onclick = () => closePaste(view);
}

// A change by one click: undone by one.
function act(view, profile) {
  flush(view);
  remind(view);
  change(view, profile);
  commit(view);
}

function buildTargets(view) {
  const { steps } = view.measured;
  view.targets = steps.map((step) => button(String(step), null, () => moveTo(view, step)));
  view.find(".targets").replaceChildren(...view.targets);
  view.find(".targets").classList.toggle("many", steps.length > WIDE_TARGETS);
}

function moveTo(view, step) {
  if (step === view.step) return;
  flush(view);
  view.chosen = Date.now(); // a T that came from the server is not told back as if it were the user's
  setStep(view, step);
  draw(view);
  commit(view);
}

function foldAll(view) {
  const every = view.folds.every((key) => view.folded.has(key));
  view.folded = new Set(every ? [] : view.folds);
  rebuildRows(view);
}

// Multipliers, or std in activation units where the std is frozen: what the exact table shows.
function vector(view) {
  const { profile, units, stds, measured } = view;
  if (profile.frozen) return units.map((unit, site) => Number((unit * measured.thresholds[site]).toPrecision(9)));
  return units.map((unit, site) => rounded(stds[site] > 0 ? unit / stds[site] : 1));
}

function vectorName(view) {
  return view.profile.frozen ? "stds in activation units" : "multipliers";
}

async function copy(view) {
  const text = JSON.stringify(vector(view));
  try {
    await navigator.clipboard.writeText(text);
    say(view, `${view.stds.length} ${vectorName(view)} copied.`);
  } catch {
    openPaste(view, text); // no clipboard here: the text to take by hand
  }
}

async function openPaste(view, text = "") {
  const box = view.find("#vector");
  view.find(".paste").hidden = false;
  setText(view.find(".paste label"), `${view.stds.length} ${vectorName(view)}, input first: a JSON list or a column of numbers`);
  box.value = text;
  box.focus();
  if (text) { box.select(); return; }
  try {
    box.value = (await navigator.clipboard.readText()).slice(0, 100_000);
  } catch { /* not allowed to read: the user pastes into the box */ }
}

function closePaste(view) {
  view.find(".paste").hidden = true;
  setText(view.find(".problem"), "");
  view.pasteButton.focus();
}

function say(view, text) {
  setText(view.find(".spoken"), text);
  view.said = text;
  drawNote(view);
  clearTimeout(view.saying);
  view.saying = setTimeout(() => { view.said = ""; drawNote(view); }, 4000);
}

const HINT = "Drag across rows to paint; a stage bar scales its sites. Keys: \u2190 \u2192 change, \u2191 \u2193 move.";

function drawNote(view) {
  const found = view.drag ? null : prediction(view), near = found !== null && nearChance(view.measured, found.noisy);
  const warning = near ? `Near chance (${(100 * found.noisy.value).toFixed(1)} %): noise this strong destroys the network in training. Lower the scale.` : "";
  setText(view.find(".note"), view.said || warning || HINT);
  view.find(".note").classList.toggle("warning", !view.said && near);
}

function drawTools(view) {
  const { profile } = view, scale = view.find("#scale");
  const name = profile.preset ?? presetNamed(profile, view.stds);
  view.presets.forEach((preset) => setAttribute(preset, "aria-pressed", preset.textContent === name));
  view.modes.forEach((mode) => setAttribute(mode, "aria-pressed", mode.frozen === profile.frozen));
  view.targets.forEach((target, i) => setAttribute(target, "aria-pressed", i === view.at));
  scale.value = profile.scale;
  scale.style.setProperty("--p", `${(100 * Math.min(1, profile.scale / MOST_SCALE)).toFixed(1)}%`);
  setAttribute(scale, "aria-valuetext", `${profile.scale.toFixed(2)} times the profile`);
  setText(view.find("output"), `\u00d7 ${profile.scale.toFixed(2)}`);
  view.undoButton.disabled = view.undo.length === 0;
  view.foldButton.hidden = view.folds.length === 0;
  setText(view.foldButton, view.folds.every((key) => view.folded.has(key)) ? "All sites" : "Stages only");
  setText(view.denseButton, view.dense ? "Roomy rows" : "Thin rows");
  drawNote(view);
}
