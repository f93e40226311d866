// A run's residuals as the browser holds them: decoded from pack.py's text, counted and compared. No page elements here.

const CLASSES = ["silent", "exact", "excess", "missing", "saturated"];
const [SILENT, EXACT, EXCESS, MISSING, SATURATED] = [0, 1, 2, 3, 4];
const STACK = [EXCESS, EXACT, SATURATED, SILENT, MISSING]; // left to right: too much ... too little
const RARE = 5e-4; // shares below it need no room of their own
const CORE_LOW = -2, CORE_HIGH = 2;
const NUMBERS = { uint32: Uint32Array, float32: Float32Array };

async function inflate([kind, data]) {
  const packed = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = NUMBERS[kind].BYTES_PER_ELEMENT, length = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < length; i++) bytes[i * size + plane] = planes[plane * length + i];
  }
  return new NUMBERS[kind](bytes.buffer);
}

async function decodeReport(text) {
  const facts = JSON.parse(text), arrays = {};
  await Promise.all(Object.entries(facts.arrays).map(async ([name, entry]) => { arrays[name] = await inflate(entry); }));
  return new ResidualReport(facts, arrays);
}

class ResidualReport {
  constructor(facts, arrays) {
    Object.assign(this, facts);
    this.arrays = arrays;
    this.binWidth = (CORE_HIGH - CORE_LOW) / this.bins;
    this.kLimit = (arrays.spike_errors.length / (this.names.length * this.steps.length) - 1) / 2;
    this.counts = this.countClasses();
    this.members = this.groupMembers();
  }

  cell(site, snapshot) {
    return site * this.steps.length + snapshot;
  }

  countClasses() {
    const { core, tails } = this.arrays, counts = new Float64Array(tails.length / 2);
    for (let i = 0; i < counts.length; i++) {
      let sum = tails[2 * i] + tails[2 * i + 1];
      for (let bin = 0; bin < this.bins; bin++) sum += core[i * this.bins + bin];
      counts[i] = sum;
    }
    return counts;
  }

  groupMembers() {
    const rows = this.arrays.members || [], groups = new Map();
    for (let i = 0; i < rows.length; i += 4) {
      const key = `${rows[i]},${rows[i + 1]},${rows[i + 2]}`;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(rows[i + 3]);
    }
    return groups;
  }

  count(site, snapshot, kind) {
    return this.counts[this.cell(site, snapshot) * CLASSES.length + kind];
  }

  total(site, snapshot) {
    const first = this.cell(site, snapshot) * CLASSES.length;
    return this.counts.subarray(first, first + CLASSES.length).reduce((sum, count) => sum + count, 0);
  }

  // What shares refer to: all neurons, or those that are not silent; 0 where there is none.
  base(site, snapshot, all) {
    return this.total(site, snapshot) - (all ? 0 : this.count(site, snapshot, SILENT));
  }

  share(site, snapshot, kind, all) {
    return this.count(site, snapshot, kind) / (this.base(site, snapshot, all) || 1);
  }

  right(site, snapshot, all) {
    const kinds = all ? [SILENT, EXACT, SATURATED] : [EXACT, SATURATED];
    return kinds.reduce((sum, kind) => sum + this.share(site, snapshot, kind, all), 0);
  }

  // Where a class's core bins begin in arrays.core.
  firstBin(site, snapshot, kind) {
    return (this.cell(site, snapshot) * CLASSES.length + kind) * this.bins;
  }

  // Counts below and above the core, of the classes given.
  outside(site, snapshot, kinds) {
    const at = (kind, end) => this.arrays.tails[2 * (this.cell(site, snapshot) * CLASSES.length + kind) + end];
    return [0, 1].map((end) => kinds.reduce((sum, kind) => sum + at(kind, end), 0));
  }

  // Tops of the stacked density, one array of bins a class: what lies below is this class and those before it.
  stacked(site, snapshot, kinds, all) {
    const scale = 1 / ((this.base(site, snapshot, all) || 1) * this.binWidth), tops = [];
    let below = new Float64Array(this.bins);
    for (const kind of kinds) {
      const first = this.firstBin(site, snapshot, kind);
      below = below.map((top, bin) => top + this.arrays.core[first + bin] * scale);
      tops.push(below);
    }
    return tops;
  }

  // Shares of k = -kLimit .. kLimit; silent neurons are no part of k = 0 unless all neurons are shown.
  errors(site, snapshot, all) {
    const width = 2 * this.kLimit + 1, start = this.cell(site, snapshot) * width, base = this.base(site, snapshot, all) || 1;
    const counts = Array.from(this.arrays.spike_errors.subarray(start, start + width));
    if (!all) counts[this.kLimit] -= this.count(site, snapshot, SILENT);
    return counts.map((count) => count / base);
  }

  // Largest |k| that is worth a bar at any t, so that the axis stays while t moves; at least 2.
  reach(site) {
    let reach = 2;
    for (let snapshot = 0; snapshot < this.steps.length; snapshot++) {
      this.errors(site, snapshot, true).forEach((share, i) => { if (share > RARE) reach = Math.max(reach, Math.abs(i - this.kLimit)); });
    }
    return reach;
  }

  // Shares of k = -reach .. reach, what lies beyond added to the ends.
  errorsWithin(site, snapshot, all, reach) {
    const within = new Array(2 * reach + 1).fill(0);
    this.errors(site, snapshot, all).forEach((share, i) => { within[clamp(i - this.kLimit, -reach, reach) + reach] += share; });
    return within;
  }

  classMoments(site, snapshot, kind) {
    const start = 2 * (this.cell(site, snapshot) * CLASSES.length + kind);
    return { mean: this.arrays.class_moments[start], std: this.arrays.class_moments[start + 1] };
  }

  summary(site, snapshot) {
    const start = 5 * this.cell(site, snapshot);
    const [mean, std, low, high, rate] = this.arrays.summary.subarray(start, start + 5);
    return { mean, std, low, high, rate };
  }

  fired(site, snapshot) {
    const start = 3 * this.cell(site, snapshot);
    const [count, mean, std] = this.arrays.fired.subarray(start, start + 3);
    return { count, mean, std };
  }

  notNumbers(site, snapshot) {
    return this.arrays.nan[this.cell(site, snapshot)];
  }

  // Site with the largest share of a class, and the share.
  worst(snapshot, kind, all) {
    const shares = this.names.map((_, site) => this.share(site, snapshot, kind, all));
    const share = Math.max(...shares);
    return { site: shares.indexOf(share), share };
  }

  traces(site, snapshot, kind) {
    return (this.members.get(`${site},${snapshot},${kind}`) || []).map((row) => this.trace(row));
  }

  trace(row) {
    const { currents, initial, negative, most, image, position, row: reportRow } = this.arrays, steps = currents.length / initial.length;
    return {
      currents: currents.subarray(row * steps, (row + 1) * steps),
      initial: initial[row], negative: negative[row], most: most[row], image: image[row], position: position[row], row: reportRow[row],
    };
  }
}
