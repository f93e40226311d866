// One neuron, simulated from its recorded input in units of the threshold, as snnlab's kernels do it: float32 potential,
// double charge, and a tolerance where rounding decides a level edge. No page elements here.

const BASE_TOLERANCE = 1e-5, FLOAT_STEP = 1.2e-7;

// Spikes that a charge pays for within t steps; near a level edge the neuron's own count, if it is a candidate.
function idealCount(charge, count, step, tolerance) {
  let ideal = Math.floor(charge);
  if (count === ideal + 1 && ideal + 1 - charge <= tolerance) ideal += 1;
  else if (count === ideal - 1 && charge - ideal <= tolerance) ideal -= 1;
  return Math.min(Math.max(ideal, 0), step);
}

function classOf(count, ideal, step) {
  if (count > ideal) return EXCESS;
  if (count < ideal) return MISSING;
  if (count === 0) return SILENT;
  return count === step ? SATURATED : EXACT;
}

// Every step: input, potential before and after the reset, spike, and up to then charge, N, N* and class.
function simulate(currents, initial) {
  let potential = Math.fround(initial), charge = initial, peak = Math.abs(potential), count = 0;
  return Array.from(currents, (current, i) => {
    const step = i + 1, before = Math.fround(potential + current), spike = before >= 1 ? 1 : 0;
    charge += current;
    peak = Math.max(peak, Math.abs(before));
    potential = spike ? Math.fround(before - 1) : before;
    count += spike;
    const ideal = idealCount(charge, count, step, Math.max(BASE_TOLERANCE, FLOAT_STEP * step * peak));
    return { current, before, after: potential, spike, charge, count, ideal, kind: classOf(count, ideal, step) };
  });
}

// The same charge up to t, arriving in equal parts: the neuron that fires exactly as often as its charge pays for.
function simulateEven(steps, initial) {
  const last = steps[steps.length - 1], current = (last.charge - initial) / steps.length;
  let count = 0;
  return steps.map((_, i) => {
    const charge = initial + (i + 1) * current, before = charge - count;
    const due = i + 1 === steps.length ? last.ideal : Math.min(Math.max(Math.floor(charge + BASE_TOLERANCE), 0), i + 1);
    const spike = due > count ? 1 : 0;
    count += spike;
    return { current, before, after: charge - count, spike };
  });
}

function timesText(count) {
  return ["never", "once", "twice"][count] || `${count} times`;
}

function spikesText(count) {
  return count === 0 ? "no spike" : count === 1 ? "one spike" : `${count} spikes`;
}

// What happened to this neuron up to t, in one or two sentences.
function neuronSentence(steps) {
  const { count, ideal, kind, after } = steps[steps.length - 1], v = `v = ${fixed(after)}`;
  const paid = `Fired ${timesText(count)}, its charge pays for ${spikesText(ideal)}.`;
  if (kind === EXCESS) {
    const lastSpike = steps[steps.map((step) => step.spike).lastIndexOf(1)];
    const early = `It fired on early input; after the last spike ${fixed(after - lastSpike.after)} net came in and took the charge back`;
    return `${paid} ${early}: ${v}${after < 0 ? ", below 0" : ""}.`;
  }
  if (kind === MISSING) {
    const above = after >= 1 ? ", at or above the threshold" : "";
    return `${paid} Charge came in late, faster than one spike a step can carry off: ${v}${above}.`;
  }
  if (kind === EXACT) {
    return `Fired ${timesText(count)}, just what its charge pays for. ${v} is the unspent fraction of one spike: resolution, not timing.`;
  }
  if (kind === SILENT) return `Its charge pays for no spike and none came: ${v} is no error${after < 0 ? ", however low it lies" : ""}.`;
  if (after < 1) return `Fired at every step, and its charge pays for exactly that: ${v} is the unspent fraction of one spike.`;
  return `Fired at every step and could not do more: what is left, ${v}, is clipping, not timing.`;
}
