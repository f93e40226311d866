// What is known of the noisy ANN under the profile that is drawn: computed, read off a computed curve, or nothing.

const KEPT_ANSWERS = 60;

// A curve is {target, units, scales, noisy, kappa, why}; an answer {target, units, scale, noisy}. `curve` is rescaled to
// the drawn profile: at scale 1 of its axis it is that profile.
function curveOf(view) {
  for (const curve of [view.measured.stored(view.step), ...view.curves]) {
    if (!curve || (curve.target ?? view.step) !== view.step) continue;
    const factor = multipleOf(view.units, curve.units);
    if (factor > 0) return { ...curve, scales: curve.scales.map((scale) => scale / factor), kappa: curve.kappa.map((value) => (value === null ? null : value / factor)) };
  }
  return null;
}

function sameScale(first, second) {
  return Math.abs(first - second) <= 1e-6 * Math.max(1, first);
}

// {noisy, exact}; null where nothing was computed for this profile.
function prediction(view) {
  const { scale } = view.profile;
  if (scale === 0 || view.units.every((unit) => unit === 0)) {
    const { ann } = view.measured;
    return { noisy: { ...ann, seeds: [ann.value] }, exact: true };
  }
  for (const answer of view.answers) {
    if (answer.target !== view.step) continue;
    const factor = multipleOf(view.units, answer.units);
    if (factor !== null && sameScale(scale * factor, answer.scale)) return { noisy: answer.noisy, exact: true };
  }
  const curve = curveOf(view);
  if (!curve || scale > curve.scales.at(-1) * (1 + 1e-9)) return null;
  const exact = curve.scales.findIndex((known) => sameScale(known, scale));
  return exact >= 0 ? { noisy: curve.noisy[exact], exact: true } : { noisy: between(curve, scale), exact: false };
}

function between({ scales, noisy }, scale) {
  const after = Math.max(1, scales.findIndex((known) => known >= scale)), share = (scale - scales[after - 1]) / (scales[after] - scales[after - 1]);
  const mix = (first, second) => first + share * (second - first), [low, high] = [noisy[after - 1], noisy[after]];
  return {
    value: mix(low.value, high.value), low: mix(low.low, high.low), high: mix(low.high, high.high),
    seeds: low.seeds.length === high.seeds.length ? low.seeds.map((value, seed) => mix(value, high.seeds[seed])) : [],
  };
}

function remember(view, { answer, curve }) {
  if (answer) view.answers = [answer, ...view.answers.filter((known) => known !== answer)].slice(0, KEPT_ANSWERS);
  if (curve) view.curves = [curve, ...view.curves].slice(0, KEPT_ANSWERS);
}

// Less than a tenth of the way from chance to the ANN.
function nearChance(measured, noisy) {
  return noisy.value < measured.chance + 0.1 * Math.max(0, measured.ann.value - measured.chance);
}
