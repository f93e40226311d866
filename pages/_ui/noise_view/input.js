// Bars are painted with the pointer, across rows, or moved by keys. The server hears of it on release.

const KEY_STEP = 0.05, PAGE_STEP = 0.5, KEY_REST_MS = 250;
const MOST_UNDO = 50;

function wireRows(view) {
  const list = view.find(".rows");
  list.onpointerdown = (event) => grab(view, event);
  list.onpointermove = (event) => paint(view, event);
  list.onpointerup = list.onpointercancel = () => release(view);
  list.onpointerleave = () => { if (!view.drag) hover(view, null); };
  list.onkeydown = (event) => { list.classList.add("keys"); rowKey(view, event); };
  list.addEventListener("focusout", () => flush(view));
  view.root.onkeydown = (event) => {
    if (event.key.toLowerCase() !== "z" || event.shiftKey || !(event.ctrlKey || event.metaKey) || event.target.matches("textarea")) return;
    event.preventDefault();
    undo(view);
  };
}

function rowUnder(view, y) {
  return view.rows.find((row) => { const box = row.node.getBoundingClientRect(); return y >= box.top && y < box.bottom; });
}

function multiplierUnder(view, event) {
  const box = view.drag.box, value = clamp((event.clientX - box.left) / box.width, 0, 1) * MOST;
  return Math.abs(value - 1) < SNAP ? 1 : Math.round(value * 100) / 100;
}

function grab(view, event) {
  view.find(".rows").classList.remove("keys");
  const track = event.target.closest(".track"), row = event.button === 0 ? rowUnder(view, event.clientY) : null;
  if (!row || event.target.closest("button")) return;
  if (track && row.movable) {
    remind(view);
    view.find(".rows").setPointerCapture(event.pointerId);
    view.drag = { row, stage: row.stage !== null, box: track.getBoundingClientRect() };
    view.drag.value = multiplierUnder(view, event);
  }
  select(view, row);
  row.track.focus({ preventScroll: true });
  if (view.drag) change(view, withMultiplier(view.profile, view.stds, row.sites, view.drag.value));
  else drawZoom(view);
}

function paint(view, event) {
  const { drag } = view, under = rowUnder(view, event.clientY);
  if (!drag) { hover(view, under ?? null); return; }
  const value = multiplierUnder(view, event), from = view.rows.indexOf(drag.row), to = drag.stage || !under ? from : view.rows.indexOf(under);
  const step = Math.sign(to - from) || 1;
  let next = view.profile;
  // A fast pointer skips rows: they take what lies between.
  for (let i = from; i !== to + step; i += step) {
    const row = view.rows[i], share = from === to ? 1 : (i - from) / (to - from);
    if (!drag.stage && row.stage !== null) continue;
    const wanted = drag.value + share * (value - drag.value);
    next = withMultiplier(next, view.stds, row.sites, Math.abs(wanted - 1) < SNAP ? 1 : Math.round(wanted * 100) / 100);
  }
  if (view.rows[to].stage === null || drag.stage) { drag.row = view.rows[to]; hover(view, drag.row); }
  drag.value = value;
  change(view, next);
}

function release(view) {
  if (!view.drag) return;
  const { row } = view.drag;
  view.drag = null;
  select(view, row);
  row.track.focus({ preventScroll: true });
  commit(view);
}

function rowKey(view, event) {
  const at = view.rows.findIndex((row) => row.track === event.target), row = view.rows[at];
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const now = multiplierNow(view, row);
  const values = { ArrowRight: now + KEY_STEP, ArrowLeft: now - KEY_STEP, PageUp: now + PAGE_STEP, PageDown: now - PAGE_STEP, Home: 0, End: MOST };
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1 };
  if (event.key in moves) {
    flush(view); // else undo would take two rows back at once
    const next = view.rows[clamp(moves[event.key], 0, view.rows.length - 1)];
    select(view, next);
    next.track.focus();
    drawZoom(view);
  } else if (event.key in values) {
    if (row.movable) {
      if (!view.resting) remind(view);
      change(view, withMultiplier(view.profile, view.stds, row.sites, clamp(Math.round(values[event.key] * 100) / 100, 0, MOST)));
      describeRow(row);
      rest(view);
    }
  } else return;
  event.preventDefault();
}

// Keys come in a row: told once they pause.
function rest(view) {
  clearTimeout(view.resting);
  view.resting = setTimeout(() => flush(view), KEY_REST_MS);
}

function flush(view) {
  if (!view.resting) return;
  clearTimeout(view.resting);
  view.resting = 0;
  commit(view);
}

function remind(view) {
  view.undo = [...view.undo.slice(1 - MOST_UNDO), view.profile];
}

function undo(view) {
  flush(view);
  const last = view.undo.pop();
  if (!last) return;
  change(view, last);
  commit(view);
}
