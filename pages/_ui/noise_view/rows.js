// All sites: one row each, or a row a stage, with a bar to paint, two numbers, the gap, and what noise cannot say of it.

const MINI_WIDTH = 132, MINI_HEIGHT = 26, MINI_PAD = 4, MINI_FLOOR = 24.5;
const NARROW_STD = 1e-4; // thresholds: no curve is drawn for less
const miniX = (gap) => MINI_PAD + ((clamp(gap, -1, 1) + 1) / 2) * (MINI_WIDTH - 2 * MINI_PAD);

function buildRows(view) {
  view.rows = [];
  view.measured.stages().forEach((stage, index) => {
    const alone = stage.sites.length === 1, folded = view.folded.has(stage.title + index);
    if (!alone) view.rows.push(buildRow(view, stage.sites, stage.title, stage.title + index));
    if (alone || !folded) stage.sites.forEach((site) => view.rows.push(buildRow(view, [site], view.measured.names[site], null)));
  });
  view.find(".rows").replaceChildren(...view.rows.map((row) => row.node));
  view.folds = view.measured.stages().map((stage, index) => ({ key: stage.title + index, many: stage.sites.length > 1 })).filter(({ many }) => many).map(({ key }) => key);
  select(view, view.rows.find((row) => sameSites(row.sites, view.selected)) ?? view.rows[0]);
  paintMeasured(view);
  paintLosses(view);
}

function sameSites(first, second) {
  return first.length === second.length && first[0] === second[0];
}

function buildRow(view, sites, title, stage) {
  const grouped = stage !== null, fill = html("b"), reach = html("u");
  const track = html("div", { class: "track", role: "slider", tabindex: -1, "aria-valuemin": 0, "aria-valuemax": MOST }, fill, grouped ? reach : null);
  const [multiplier, std, zero, mean, loss] = ["", "", "", " optional", " optional"].map((extra) => html("span", { class: `number${extra}` }));
  const stems = svg("path", { class: "stems" }), area = svg("path", { class: "area" }), curve = svg("path", { class: "curve" });
  const floor = svg("path", { class: "floor", d: `M${MINI_PAD} ${MINI_FLOOR}H${MINI_WIDTH - MINI_PAD}` });
  const mini = svg("svg", { class: "mini", viewBox: `0 0 ${MINI_WIDTH} ${MINI_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, floor, area, curve, stems);
  const name = grouped ? stageName(view, sites, title, stage) : siteName(title);
  const node = html("div", { class: `row ${grouped ? "stage" : "site"}` }, name, track, multiplier, std, mini, zero, mean, loss);
  setAttribute(track, "aria-label", grouped ? `Multiplier of ${title}, ${sites.length} sites` : `Multiplier of ${title}`);
  return { node, track, fill, reach, multiplier, std, zero, mean, loss, stems, area, curve, sites, stage, title };
}

function stageName(view, sites, title, stage) {
  const folded = view.folded.has(stage), channels = view.measured.channels(sites);
  const fold = html("button", { type: "button", class: "fold", "aria-expanded": !folded, "aria-label": `Sites of ${title}` }, folded ? "\u25b8" : "\u25be");
  fold.onclick = () => {
    if (folded) view.folded.delete(stage); else view.folded.add(stage);
    rebuildRows(view);
    view.rows.find((row) => row.stage === stage).node.querySelector(".fold").focus();
  };
  return html("span", { class: "name", title: `${title}: ${sites.length} sites` }, fold, html("bdi", {}, title), html("i", {}, channels && ` \u00b7 ${channels}`));
}

function siteName(title) {
  const dot = title.indexOf(".");
  return html("span", { class: "name", title }, html("i", {}, dot < 0 ? "" : title.slice(0, dot)), html("bdi", {}, dot < 0 ? title : title.slice(dot)));
}

function rebuildRows(view) {
  buildRows(view);
  draw(view);
}

// What does not change while the profile is drawn.
function paintMeasured(view) {
  const { measured, at, stds } = view, highest = measured.highest(at);
  const y = (share) => (MINI_FLOOR - Math.min(1, Math.sqrt(share) / highest) * (MINI_FLOOR - 2)).toFixed(1);
  for (const row of view.rows) {
    const gap = measured.gap(row.sites, at), mean = measured.mean("mean", row.sites, at), spread = rms(row.sites.map((site) => stds[site]));
    row.drawn = "";
    const path = view.dense && row.stage === null ? segment(mean - spread, mean + spread, 17) : stemPath(measured, at, gap, y);
    setAttribute(row.stems, "d", path);
    row.stems.classList.toggle("filled", !measured.discrete[at] && !(view.dense && row.stage === null));
    setText(row.zero, (100 * measured.mean("zero", row.sites, at)).toFixed(0));
    setText(row.mean, signed(mean, 3));
    row.mean.classList.toggle("mute", Math.abs(mean) <= 0.1 * spread);
    row.movable = row.sites.some((site) => stds[site] > 0);
    row.track.classList.toggle("fixed", !row.movable);
    setAttribute(row.track, "aria-disabled", !row.movable);
  }
}

// What noise at one site alone costs; a stage has no such number, as losses do not add up.
function paintLosses(view) {
  const { losses } = view.data;
  for (const row of view.rows) {
    setText(row.loss, row.stage !== null ? "" : losses ? losses.points[row.sites[0]].toFixed(1) : "\u2013");
    row.loss.classList.toggle("mute", !losses || losses.old);
  }
}

function segment(from, to, y) {
  return `M${miniX(from).toFixed(1)} ${y}H${miniX(to).toFixed(1)}`;
}

// Stems where the gap takes few values, else bars.
function stemPath(measured, at, gap, y) {
  if (measured.discrete[at]) return gap.map(([value, share]) => `M${miniX(value).toFixed(1)} ${MINI_FLOOR}V${y(share)}`).join("");
  const half = 0.5 / measured.lattice[at];
  return gap.map(([value, share]) => `M${miniX(value - half).toFixed(1)} ${MINI_FLOOR}V${y(share)}H${miniX(value + half).toFixed(1)}V${MINI_FLOOR}`).join("");
}

// Square root of the share that N(0, std^2) puts on one bin of width 1 / lattice: [g, root].
function bell(std, lattice) {
  if (!(std > NARROW_STD)) return [];
  const top = 1 / (std * Math.sqrt(2 * Math.PI) * lattice), points = [], end = Math.min(1, 4 * std);
  for (let i = -20; i <= 20; i++) {
    const gap = (i / 20) * end;
    points.push([gap, Math.sqrt(Math.min(1, top * Math.exp(-0.5 * (gap / std) ** 2)))]);
  }
  return points;
}

function multipliersOf({ stds, units }, row) {
  return row.sites.filter((site) => stds[site] > 0).map((site) => units[site] / stds[site]);
}

// Of the profile itself: what is drawn, and `row.value` with it, may be a frame late when keys come fast.
function multiplierNow(view, row) {
  const multipliers = multipliersOf(view, row);
  return multipliers.length ? average(multipliers) : 0;
}

function paintRow(view, row) {
  const { units, profile, measured, at } = view, drawn = `${profile.scale} ${row.sites.map((site) => units[site])}`;
  if (row.drawn === drawn) return;
  row.drawn = drawn;
  const multipliers = multipliersOf(view, row), movable = multipliers.length > 0, multiplier = movable ? average(multipliers) : NaN;
  const std = profile.scale * rms(row.sites.map((site) => units[site])), over = multiplier > MOST + 0.005;
  row.track.style.setProperty("--p", `${(100 * Math.min(1, (multiplier || 0) / MOST)).toFixed(2)}%`);
  row.track.classList.toggle("over", over);
  setText(row.multiplier, movable ? (over ? multiplier.toFixed(multiplier < 100 ? 1 : 0) : fixed(multiplier)) : "\u2013");
  setText(row.std, fixed(std, 3));
  row.value = multiplier || 0;
  row.added = std;
  if (row.stage !== null && movable) {
    const low = Math.min(MOST, ...multipliers), high = Math.min(MOST, Math.max(...multipliers));
    row.reach.style.left = `${((100 * low) / MOST).toFixed(2)}%`;
    row.reach.style.width = `${((100 * (high - low)) / MOST).toFixed(2)}%`;
  }
  if (view.dense && row.stage === null) {
    setAttribute(row.curve, "d", segment(-std, std, 9));
    setAttribute(row.area, "d", "");
    return;
  }
  const highest = measured.highest(at);
  const points = bell(std, measured.lattice[at]).map(([gap, root]) => `${miniX(gap).toFixed(1)} ${(MINI_FLOOR - Math.min(1, root / highest) * (MINI_FLOOR - 2)).toFixed(1)}`);
  const line = points.join("L");
  setAttribute(row.curve, "d", points.length ? `M${line}` : "");
  setAttribute(row.area, "d", points.length ? `M${points[0].split(" ")[0]} ${MINI_FLOOR}L${line}L${points.at(-1).split(" ")[0]} ${MINI_FLOOR}Z` : "");
}

// For screen readers; once the picture rests, and at once where the focus is.
function describeRow(row) {
  setAttribute(row.track, "aria-valuenow", row.value.toFixed(2));
  const many = row.sites.length > 1 ? "mean multiplier" : "multiplier";
  setAttribute(row.track, "aria-valuetext", row.movable ? `${many} ${row.value.toFixed(2)}, std ${row.added.toFixed(3)} of the threshold` : `no gap was measured here; std ${row.added.toFixed(3)} of the threshold`);
}

function select(view, row) {
  for (const other of view.rows) {
    other.node.classList.toggle("selected", other === row);
    if (other.track.tabIndex !== (other === row ? 0 : -1)) other.track.tabIndex = other === row ? 0 : -1;
  }
  view.row = row;
  view.selected = row.sites;
}

function hover(view, row) {
  if (view.hovered === row) return;
  view.hovered?.node.classList.remove("hovered");
  row?.node.classList.add("hovered");
  view.hovered = row;
  drawZoom(view);
}
