// Is the gap Gaussian? Its quantiles over those of the Gaussian of the same mean and std, as the library's gap_quantiles.

const SHARES_BELOW = [0.001, 0.005, ...Array.from({ length: 99 }, (_, i) => (i + 1) / 100), 0.995, 0.999];
const MOST_TERMS = 200;

// Below which a share of N(0, 1) lies. Newton from 0 on Phi(z) = 1/2 + phi(z) (z + z^3 / 3 + z^5 / 15 + ...): it comes
// from one side, as Phi is convex below 0 and concave above.
function normalQuantile(share) {
  let z = 0;
  for (let turn = 0; turn < 20; turn++) {
    const density = Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
    let term = z, sum = z;
    for (let i = 1; i < MOST_TERMS && Math.abs(term) > 1e-17; i++) { term *= (z * z) / (2 * i + 1); sum += term; }
    z -= (0.5 + density * sum - share) / density;
  }
  return z;
}

const NORMAL = SHARES_BELOW.map(normalQuantile);

// Of one site, or of the mixture over a stage, in thresholds: points of [Gaussian, measured], without those beyond the
// counted bins, whose side is unknown; and the excess kurtosis, NaN where all gaps are equal.
function quantilesOf(measured, sites, snapshot) {
  const gap = measured.gap(sites, snapshot), beyond = measured.mean("outside", sites, snapshot);
  const counted = gap.reduce((sum, [, share]) => sum + share, 0) || 1;
  const moment = (power, origin) => gap.reduce((sum, [value, share]) => sum + (share / counted) * (value - origin) ** power, 0);
  const mean = measured.mean("mean", sites, snapshot);
  const square = sites.reduce((sum, site) => sum + measured.value("std", site, snapshot) ** 2 + measured.value("mean", site, snapshot) ** 2, 0) / sites.length;
  const std = Math.sqrt(Math.max(0, square - mean ** 2)), points = [];
  let bin = 0, below = gap.length ? gap[0][1] / counted : 1;
  SHARES_BELOW.forEach((share, i) => {
    while (bin < gap.length - 1 && below < share - 1e-12) below += gap[++bin][1] / counted;
    if (beyond <= share && 1 - beyond >= share) points.push([mean + std * NORMAL[i], gap[bin][0]]);
  });
  const centre = moment(1, 0), variance = moment(2, centre);
  return { points, kurtosis: variance > 0 ? moment(4, centre) / variance ** 2 - 3 : NaN };
}

function drawQuantiles(view, row) {
  const { measured, at } = view, { points, kurtosis } = quantilesOf(measured, row.sites, at);
  const tails = Number.isFinite(kurtosis) ? signed(kurtosis, 1) : "\u2013";
  const facts = `exactly 0: ${percent(measured.mean("zero", row.sites, at))} % of the gaps; excess kurtosis ${tails}, 0 for a Gaussian`;
  const { picture, width, bottom } = frameZoom(view, ["Is the gap at ", html("bdi", {}, row.title), " Gaussian?"], facts, `Quantiles of the gap at ${row.title}, T = ${view.step}, over those of the Gaussian of the same mean and std`);
  const reach = 1.05 * Math.max(...points.flat().map(Math.abs), 0) || 1, ticks = ticksWithin(reach);
  const share = (value) => (value / reach + 1) / 2;
  const x = (value) => ZOOM_LEFT + share(value) * (width - ZOOM_LEFT - 8), y = (value) => bottom - share(value) * (bottom - ZOOM_TOP);
  const text = (value) => fixed(value, Math.max(0, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9)));
  picture.replaceChildren(...[
    ...ticks.flatMap((tick) => [svg("path", { class: "base", d: `M${ZOOM_LEFT} ${y(tick)}H${width - 8}` }), label(ZOOM_LEFT - 6, y(tick) + 4, text(tick), AT_END), label(x(tick), bottom + 14, text(tick), CENTRED)]),
    svg("path", { class: "noisy-line dashed", d: `M${x(-reach)} ${y(-reach)}L${x(reach)} ${y(reach)}` }),
    svg("path", { class: "dots", d: points.map(([gaussian, gap]) => `M${x(gaussian).toFixed(1)} ${y(gap).toFixed(1)}h0`).join("") }),
    ...quantileLegend(width),
    label(width - 8, bottom + 28, width < 300 ? "Gaussian" : "quantile of N(mean, std\u00b2), thresholds", AT_END), label(ZOOM_LEFT, bottom + 28, "gap g"),
  ]);
}

// About five round numbers on either side of 0.
function ticksWithin(reach) {
  const size = 10 ** Math.floor(Math.log10(reach / 2)), step = [5, 2, 1].find((factor) => factor * size <= reach / 2) * size;
  const most = Math.floor(reach / step + 1e-9);
  return Array.from({ length: 2 * most + 1 }, (_, i) => (i - most) * step);
}

function quantileLegend(width) {
  if (width < 200) return [];
  const left = ZOOM_LEFT + 6;
  return [
    svg("path", { class: "dots", d: `M${left + 5} 22h0` }), label(left + 16, 27, "measured", { class: "halo" }),
    svg("path", { class: "noisy-line dashed", d: `M${left} 39H${left + 10}` }), label(left + 16, 43, "Gaussian", { class: "halo" }),
  ];
}
