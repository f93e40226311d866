// What was measured, as the browser holds it: decoded from pack.py's text. No page elements here.

const NUMBERS = { uint16: Uint16Array, float64: Float64Array };
const FULL_SHARE = 65535; // a share of 1, stored as its square root
const BINS = 64; // of the gap, on either side of 0

async function inflate([kind, data]) {
  const packed = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new NUMBERS[kind](await new Response(stream).arrayBuffer());
}

async function decodeMeasured(text) {
  const facts = JSON.parse(text), arrays = {};
  await Promise.all(Object.entries(facts.arrays).map(async ([name, entry]) => { arrays[name] = await inflate(entry); }));
  return new Measured(facts, arrays);
}

class Measured {
  constructor(facts, arrays) {
    Object.assign(this, facts);
    this.arrays = arrays;
    this.cache = new Map();
  }

  // One number of a site at a snapshot, in thresholds: std, mean, local (std), zero and outside (shares).
  value(name, site, snapshot) {
    return this.arrays[name][site * this.steps.length + snapshot];
  }

  // std / threshold of every site.
  stds(snapshot) {
    return this.names.map((_, site) => this.value("std", site, snapshot));
  }

  // [g, share] of every bin that is not empty, of one site or the mean of several.
  gap(sites, snapshot) {
    const key = `${snapshot}:${sites}`;
    if (!this.cache.has(key)) {
      const sums = new Float64Array(2 * BINS + 1);
      for (const site of sites) {
        const start = (site * this.steps.length + snapshot) * sums.length;
        for (let bin = 0; bin < sums.length; bin++) {
          const root = this.arrays.gap[start + bin] / FULL_SHARE;
          sums[bin] += (root * root) / sites.length;
        }
      }
      const found = [];
      sums.forEach((share, bin) => { if (share > 0) found.push([(bin - BINS) / this.lattice[snapshot], share]); });
      this.cache.set(key, found);
    }
    return this.cache.get(key);
  }

  mean(name, sites, snapshot) {
    return sites.reduce((sum, site) => sum + this.value(name, site, snapshot), 0) / sites.length;
  }

  // Square root of the largest share at this t: the one scale of all rows.
  highest(snapshot) {
    const key = `highest:${snapshot}`;
    if (!this.cache.has(key)) {
      this.cache.set(key, Math.sqrt(Math.max(...this.names.flatMap((_, site) => this.gap([site], snapshot).map(([, share]) => share)), 0.01)));
    }
    return this.cache.get(key);
  }

  // The noisy ANN over the scale of the stored profile; undefined where it was not computed for this T.
  stored(step) {
    return this.curves[step];
  }

  // Sites by stage: the outermost module, or the name without its number; single ones stay alone.
  stages() {
    const stages = [];
    this.names.forEach((name, site) => {
      const title = name.includes(".") ? name.slice(0, name.indexOf(".")) : name.replace(/[\d_]+$/, "") || name;
      if (stages.at(-1)?.title === title) stages.at(-1).sites.push(site);
      else stages.push({ title, sites: [site] });
    });
    return stages;
  }

  channels(sites) {
    const counts = new Set(sites.map((site) => this.shapes[site][0]));
    return counts.size === 1 && this.shapes[sites[0]].length === 3 ? `${[...counts][0]} ch` : "";
  }
}
