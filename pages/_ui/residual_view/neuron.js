// One neuron, simulated from its recorded input in units of the threshold, as snnlab's kernels do it: float32 potential,
// and N* from it by charge balance, so that rounding makes no neuron wrong at a level's edge. It sends out up to `most`
// spikes a step; at or below `negative` it takes one back, if it has any. No page elements here.

const EVEN_SLACK = 1e-5; // equal parts give the sum only up to rounding

function classOf(count, ideal, possible) {
  if (count > ideal) return EXCESS;
  if (count < ideal) return MISSING;
  if (count === 0) return SILENT;
  return count === possible ? SATURATED : EXACT;
}

// Every step: input, potential before and after the reset, spike, and up to then charge, N, N* and class.
function simulate({ currents, initial, negative, most }) {
  let potential = Math.fround(initial), charge = initial, count = 0;
  return Array.from(currents, (current, i) => {
    const step = i + 1, before = Math.fround(potential + current);
    const spike = before >= 1 ? Math.min(Math.floor(before), most) : before <= negative && count > 0 ? -1 : 0;
    charge += current;
    potential = Math.fround(before - spike);
    count += spike;
    const ideal = Math.min(Math.max(count + Math.floor(potential), 0), most * step);
    return { current, before, after: potential, spike, charge, count, ideal, kind: classOf(count, ideal, most * step) };
  });
}

// The same charge up to t, arriving in equal parts: the neuron that fires exactly as often as its charge pays for.
function simulateEven(steps, { initial, most }) {
  const last = steps[steps.length - 1], current = (last.charge - initial) / steps.length;
  let count = 0;
  return steps.map((_, i) => {
    const charge = initial + (i + 1) * current, before = charge - count;
    const due = i + 1 === steps.length ? last.ideal : Math.min(Math.max(Math.floor(charge + EVEN_SLACK), 0), most * (i + 1));
    const spike = Math.max(due - count, 0);
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

// "Fired twice", or "Fired 3 times and took 1 back".
function firedText(steps) {
  const sum = (sign) => steps.reduce((total, { spike }) => total + Math.max(sign * spike, 0), 0), taken = sum(-1);
  return `Fired ${timesText(sum(1))}${taken ? ` and took ${taken} back` : ""}`;
}

// What happened to this neuron up to t, in one or two sentences.
function neuronSentence(steps, { most }) {
  const last = steps[steps.length - 1], { ideal, kind, after } = last, v = `v = ${fixed(after)}`, fired = firedText(steps);
  const paid = `${fired}, its charge pays for ${spikesText(ideal)}.`;
  if (kind === EXCESS) {
    const lastSpike = steps.findLast(({ spike }) => spike > 0);
    const early = `It fired on early input; after the last spike ${fixed(last.charge - lastSpike.charge)} net came in and took the charge back`;
    return `${paid} ${early}: ${v}${after < 0 ? ", below 0" : ""}.`;
  }
  if (kind === MISSING) {
    const above = after >= 1 ? ", at or above the threshold" : "";
    return `${paid} Charge came in late, faster than ${spikesText(most)} a step can carry off: ${v}${above}.`;
  }
  if (kind === EXACT) {
    return `${fired}, just what its charge pays for. ${v} is the unspent fraction of one spike: resolution, not timing.`;
  }
  if (kind === SILENT && fired !== "Fired never") return `${fired}: its charge pays for no spike, and ${v} is left.`;
  if (kind === SILENT) return `Its charge pays for no spike and none came: ${v} is no error${after < 0 ? ", however low it lies" : ""}.`;
  const every = most === 1 ? "Fired" : `Fired ${timesText(most)}`;
  if (after < 1) return `${every} at every step, and its charge pays for exactly that: ${v} is the unspent fraction of one spike.`;
  return `${every} at every step and could not do more: what is left, ${v}, is clipping, not timing.`;
}
