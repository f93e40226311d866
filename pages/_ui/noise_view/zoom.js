// The gap of one site, or the mean over a stage: measured shares and the noise that stands for them, or its quantiles.

const ZOOM_HEIGHT = 174, ZOOM_SHORT = 116, ZOOM_FOOT = 32, ZOOM_TOP = 10, ZOOM_LEFT = 34;
const ZOOM_SHARES = [0, 0.01, 0.1, 0.25, 0.5, 1], ZOOM_FEW = [0, 0.1, 0.5, 1];

function buildZoom(view) {
  view.looks = [["shares", "share of each gap, and of the noise added", false], ["quantiles", "quantiles over those of a Gaussian of the gap's mean and std", true]]
    .map(([text, title, quantiles]) => Object.assign(button(text, title, () => { view.quantiles = quantiles; drawZoom(view); }), { quantiles }));
  view.find(".zoom .choice").replaceChildren(...view.looks);
}

function drawZoom(view) {
  const row = view.hovered ?? view.row;
  view.looks.forEach((look) => setAttribute(look, "aria-pressed", look.quantiles === view.quantiles));
  if (view.quantiles) drawQuantiles(view, row);
  else drawShares(view, row);
}

// Heading, facts and the empty picture, with its measures in pixels.
function frameZoom(view, heading, facts, spoken) {
  const height = view.short ? ZOOM_SHORT : ZOOM_HEIGHT, picture = view.find(".zoom svg");
  view.find(".zoom h2").replaceChildren(...heading);
  setText(view.find(".zoom .sub"), facts);
  setAttribute(picture, "height", height);
  setAttribute(picture, "aria-label", `${spoken}. ${facts}`);
  return { picture, width: view.widths.zoom, bottom: height - ZOOM_FOOT };
}

function drawShares(view, row) {
  const { measured, at, stds, units, profile } = view, { sites } = row;
  const std = profile.scale * rms(sites.map((site) => units[site])), spread = rms(sites.map((site) => stds[site]));
  const local = rms(sites.map((site) => measured.value("local", site, at)));
  const facts = `std / threshold: added ${fixed(std, 3)}, measured ${fixed(spread, 3)}, local only ${Number.isFinite(local) ? fixed(local, 3) : "\u2013"}`;
  const { picture, width, bottom } = frameZoom(view, ["Is the gap at ", html("bdi", {}, row.title), " like N(0, std\u00b2)?"], facts, `Measured gap at ${row.title}, T = ${view.step}, and the noise added`);
  const lattice = measured.lattice[at], discrete = measured.discrete[at];
  const x = (gap) => ZOOM_LEFT + ((gap + 1) / 2) * (width - ZOOM_LEFT - 8), y = (share) => bottom - Math.sqrt(share) * (bottom - ZOOM_TOP);
  const points = bell(std, lattice).map(([gap, root]) => [x(gap), y(root * root)]), path = points.map((point) => point.map((value) => value.toFixed(1)).join(" ")).join("L");
  const gap = measured.gap(sites, at), outside = measured.mean("outside", sites, at);
  const ground = points.length ? `M${points[0][0].toFixed(1)} ${bottom}L${path}L${points.at(-1)[0].toFixed(1)} ${bottom}Z` : "";
  const heights = (value) => (std > NARROW_STD ? y(Math.min(1, Math.exp(-0.5 * (value / std) ** 2) / (std * Math.sqrt(2 * Math.PI) * lattice))) : bottom);
  picture.replaceChildren(...[
    ...(view.short ? ZOOM_FEW : ZOOM_SHARES).flatMap((share) => [svg("path", { class: "base", d: `M${ZOOM_LEFT} ${y(share)}H${width - 8}` }), label(ZOOM_LEFT - 6, y(share) + 4, `${100 * share}%`, AT_END)]),
    svg("path", { class: "area", d: ground }), svg("path", { class: "noisy-line", d: points.length ? `M${path}` : "" }),
    ...(discrete ? stems(gap, x, y, heights, bottom) : [bars(gap, lattice, x, y, bottom)]),
    ...legend(discrete, width),
    ...[-1, -0.5, 0, 0.5, 1].map((value) => label(x(value), bottom + 14, fixed(value, value % 1 ? 1 : 0), CENTRED)),
    label(width - 8, bottom + 28, width < 300 ? "g" : "g = (ANN \u2212 SNN rate) / threshold", AT_END), label(ZOOM_LEFT, bottom + 28, width < 230 ? "share" : "share, square root"),
    outside > 5e-5 ? label(width - 8, ZOOM_TOP + 26, `${percent(outside)} % beyond`, { ...AT_END, class: "halo" }) : null,
  ].filter((mark) => mark !== null));
}

function stems(gap, x, y, heights, bottom) {
  const crowded = gap.length > 14;
  return [
    svg("path", { class: "stems", d: gap.map(([value, share]) => `M${x(value).toFixed(1)} ${bottom}V${y(share).toFixed(1)}`).join("") }),
    ...gap.filter(([, share]) => share >= (crowded ? 0.03 : 0.005)).map(([value, share]) => {
      const top = y(share), curve = heights(value), above = Math.abs(top - 8 - curve) < 10 ? Math.min(top, curve) - 5 : top - 5;
      return label(x(value), Math.max(above, 8), (100 * share).toFixed(share < 0.0995 ? 1 : 0), { ...CENTRED, class: "halo" });
    }),
  ];
}

function bars(gap, lattice, x, y, bottom) {
  const half = 0.5 / lattice, edge = (value) => x(clamp(value, -1, 1)).toFixed(1);
  return svg("path", { class: "stems filled", d: gap.map(([value, share]) => `M${edge(value - half)} ${bottom}V${y(share).toFixed(1)}H${edge(value + half)}V${bottom}Z`).join("") });
}

function legend(discrete, width) {
  if (width < 200) return [];
  const left = ZOOM_LEFT + 6;
  return [
    svg("path", { class: discrete ? "stems" : "stems filled", d: discrete ? `M${left + 5} 18V28` : `M${left + 1} 28V18H${left + 9}V28Z` }), label(left + 16, 27, "measured", { class: "halo" }),
    svg("path", { class: "noisy-line", d: `M${left} 39H${left + 10}` }), label(left + 16, 43, "noise added", { class: "halo" }),
  ];
}
