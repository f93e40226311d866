// The drawn profile: std / threshold of every site, as multiples of what was measured or set directly. Pure functions.

const PRESETS = ["off", "half NQ", "NQ", "uniform", "reversed"];
const PRESET_TITLES = {
  off: "no noise: the control arm of a training", "half NQ": "half the measured std everywhere", NQ: "the measured std everywhere, m = 1",
  uniform: "the same std / threshold everywhere, at equal root mean square", reversed: "std / threshold from last site to first",
};
const MOST = 3, SNAP = 0.04; // of the multiplier bars
const MOST_SCALE = 4;
const SAME = 1e-6; // relative: two shapes of noise are one

function rms(values) {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function presetUnits(name, stds) {
  const root = rms(stds);
  return {
    off: stds.map(() => 0), "half NQ": stds.map((std) => std / 2), NQ: [...stds],
    uniform: stds.map(() => root), reversed: [...stds].reverse(),
  }[name];
}

// std / threshold at scale 1. Where the measured std is 0 (first site at T = L) no multiplier says anything: `levels` does.
function unitsOf(profile, stds) {
  if (profile.preset) return presetUnits(profile.preset, stds);
  return stds.map((std, site) => (profile.frozen || !(std > 0) ? profile.levels[site] ?? 0 : profile.multipliers[site] * std));
}

function multiplierOf(unit, std) {
  return std > 0 ? unit / std : NaN;
}

// The same noise without a preset's name, so that single sites can be moved.
function spelledOut(profile, stds) {
  return withUnits(profile, stds, unitsOf(profile, stds));
}

function withUnits(profile, stds, units) {
  return {
    ...profile, preset: null,
    multipliers: stds.map((std, site) => (std > 0 ? rounded(units[site] / std) : profile.multipliers[site])),
    levels: stds.map((std, site) => (profile.frozen || !(std > 0) ? units[site] : null)),
  };
}

function rounded(value) {
  return Math.round(value * 1e4) / 1e4;
}

// Multiplier `wanted` at these sites; a stage keeps the proportions of its sites.
function withMultiplier(profile, stds, sites, wanted) {
  const next = profile.preset ? spelledOut(profile, stds) : { ...profile, multipliers: [...profile.multipliers], levels: [...profile.levels] };
  const movable = sites.filter((site) => stds[site] > 0), units = unitsOf(next, stds);
  const now = movable.length ? average(movable.map((site) => units[site] / stds[site])) : 0;
  for (const site of movable) {
    const ratio = movable.length > 1 && now > 0 ? (units[site] / stds[site]) * (wanted / now) : wanted;
    const multiplier = rounded(Math.min(MOST, ratio));
    next.multipliers[site] = multiplier;
    if (next.frozen) next.levels[site] = multiplier * stds[site];
  }
  return next;
}

// Frozen: the std itself stays, whatever is measured later. Else: its multiple of what is measured.
function withFrozen(profile, stds, frozen) {
  if (profile.frozen === frozen) return profile;
  const name = frozen ? null : presetNamed(profile, stds), units = unitsOf(profile, stds);
  return name ? { ...profile, frozen, preset: name } : withUnits({ ...profile, frozen }, stds, units);
}

function withPreset(profile, stds, name) {
  return profile.frozen ? withUnits(profile, stds, presetUnits(name, stds)) : { ...profile, preset: name };
}

function presetNamed(profile, stds) {
  const units = unitsOf(profile, stds), close = (values) => values.every((value, site) => Math.abs(value - units[site]) <= SAME * Math.max(...stds, SAME));
  return PRESETS.find((name) => close(presetUnits(name, stds))) ?? null;
}

// c with units = c x shape, or null; 0 x shape is no noise.
function multipleOf(units, shape) {
  const top = shape.reduce((sum, value) => sum + value * value, 0), own = units.reduce((sum, value) => sum + value * value, 0);
  if (!(top > 0)) return own > 0 ? null : 0;
  const factor = Math.sqrt(own / top), allowed = SAME * factor * Math.max(...shape) + 1e-12;
  return units.every((value, site) => Math.abs(value - factor * shape[site]) <= allowed) ? factor : null;
}
