// Accuracy of the noisy ANN over the master scale, and the scale at which it meets the SNN.

const BEYOND = 99; // kappa above the largest scale is sent as a huge number
const KAPPA_HEIGHT = 138, KAPPA_SHORT = 96, KAPPA_TOP = 8, KAPPA_LEFT = 30;

function drawKappa(view) {
  const { measured, at, step, profile } = view, width = view.widths.kappa, picture = view.find(".kappa svg");
  const height = view.short ? KAPPA_SHORT : KAPPA_HEIGHT, bottom = height - 24;
  const silent = view.units.every((unit) => unit === 0), own = silent ? null : curveOf(view);
  if (own) view.lastCurve = { ...own, step };
  const shown = own ?? (view.lastCurve?.step === step ? view.lastCurve : null);
  const sentence = kappaSentence(view, own, silent);
  setText(view.find(".kappa .sub"), sentence);
  const x = (scale) => KAPPA_LEFT + (Math.min(scale, MOST_SCALE) / MOST_SCALE) * (width - KAPPA_LEFT - 8);
  const y = (share) => bottom - share * (bottom - KAPPA_TOP), snn = measured.snn[at];
  const marks = [
    ...[0, 0.5, 1].flatMap((share) => [svg("path", { class: "base", d: `M${KAPPA_LEFT} ${y(share)}H${width - 8}` }), label(KAPPA_LEFT - 6, y(share) + 4, String(100 * share), AT_END)]),
    ...[0, 1, 2, 3, 4].map((scale) => label(x(scale), height - 8, scale === 4 ? "scale 4" : String(scale), scale === 4 ? AT_END : CENTRED)),
    svg("rect", { class: "snn-band", x: KAPPA_LEFT, width: Math.max(0, width - 8 - KAPPA_LEFT), y: y(snn.high), height: y(snn.low) - y(snn.high) }),
    svg("path", { class: "snn-line", d: `M${KAPPA_LEFT} ${y(snn.value)}H${width - 8}` }),
    label(width - 8, snn.value > 0.85 ? y(snn.low) + 12 : y(snn.high) - 4, "SNN", AT_END),
  ];
  if (shown) marks.push(...curveMarks(shown, x, y, own ? 1 : 0.3));
  if (own) marks.push(...kappaMarks(own.kappa, snn, x, y));
  const found = view.drag ? null : prediction(view);
  if (found) marks.push(svg("circle", { class: "noisy-point", cx: x(profile.scale), cy: y(found.noisy.value), r: 5 }));
  setAttribute(picture, "height", height);
  setAttribute(picture, "aria-label", `Accuracy of the noisy ANN over the scale of the profile at T = ${step}. ${sentence}`);
  picture.replaceChildren(...marks);
}

function curveMarks({ scales, noisy }, x, y, opacity) {
  const within = scales.map((_, i) => i).filter((i) => scales[i] <= MOST_SCALE * 1.0001), upper = within.map((i) => `${x(scales[i])} ${y(noisy[i].high)}`);
  const lower = within.map((i) => `${x(scales[i])} ${y(noisy[i].low)}`).reverse(), line = within.map((i) => `${x(scales[i])} ${y(noisy[i].value)}`);
  if (within.length < 2) return [];
  const named = within[Math.min(within.length - 1, Math.ceil(0.55 * within.length))], low = y(noisy[named].value) < KAPPA_TOP + 22;
  return [
    svg("path", { class: "noisy-band", d: `M${upper.join("L")}L${lower.join("L")}Z`, opacity }),
    svg("path", { class: "noisy-line", d: `M${line.join("L")}`, opacity }),
    label(x(scales[named]), y(noisy[named].value) + (low ? 16 : -8), "noisy ANN", { class: "halo", "text-anchor": scales[named] > 2.6 ? "end" : "start" }),
  ];
}

// kappa is [value, low, high]; null stands for no number, and for above the largest scale in low and high.
function kappaMarks([value, low, high], snn, x, y) {
  if (value === null || value > MOST_SCALE) return [];
  const end = high ?? MOST_SCALE;
  return [
    svg("path", { class: "drop", d: `M${x(value)} ${y(0)}V${y(snn.value)}` }),
    svg("path", { class: "kappa-span", d: `M${x(low ?? value)} ${y(0)}H${x(end)}` }),
    label(clamp(x(end) + 6, 0, x(MOST_SCALE) - 26), y(0) - 6, fixed(value), { class: "halo" }),
  ];
}

function kappaSentence(view, own, silent) {
  if (silent) return "kappa: this profile has no noise";
  if (!own) {
    if (view.drag || view.sliding || view.resting) return "kappa: release to update; the last curve is greyed";
    return view.curveProblem ? `kappa: not computed. ${view.curveProblem}` : "kappa: computing this profile's curve; the last one is greyed";
  }
  const [value, low, high] = own.kappa;
  if (value === null) return own.why ? `kappa: ${own.why}` : "kappa: none";
  if (value > BEYOND) return `kappa > ${fixed(own.scales.at(-1), 1)}: up to there the noisy ANN stays above the SNN`;
  const ends = low === null && high === null ? "" : `  (${low === null ? "none" : fixed(low)} to ${high === null || high > BEYOND ? "above the scan" : fixed(high)})`;
  return `kappa = ${fixed(value)}${ends}, 95 % over images`;
}
