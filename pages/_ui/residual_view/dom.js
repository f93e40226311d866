// Page elements and numbers as text. Names from files are only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

function assemble(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

function html(tag, attributes = {}, ...children) {
  return assemble(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return assemble(document.createElementNS(SVG, tag), attributes, children);
}

function label(x, y, text, attributes = {}) {
  return svg("text", { x, y, ...attributes }, text);
}

const CENTRED = { "text-anchor": "middle" }, AT_END = { "text-anchor": "end" };

function swatch(kind) {
  return html("i", { class: `swatch ${kind}`, "aria-hidden": "true" });
}

// Sets text only where it changed: cheaper than layout, and screen readers are left alone.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function fixed(value, decimals = 2) {
  const text = value.toFixed(decimals);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
}

function signed(value, decimals = 2) {
  const text = fixed(value, decimals);
  return Number(value.toFixed(decimals)) > 0 ? `+${text}` : text;
}

// A share in percent without the sign; what is there but rounds to nothing says so, and so does what is nearly all.
function percent(share, decimals = 1) {
  const least = 0.5 * 10 ** -decimals;
  if (share > 0 && 100 * share < least) return `<${(2 * least).toFixed(decimals)}`;
  if (share < 1 && 100 * (1 - share) < least) return `>${(100 - 2 * least).toFixed(decimals)}`;
  return (100 * share).toFixed(decimals);
}

function accuracyText(correct, images) {
  return `${((100 * correct) / images).toFixed(2)} %`;
}

function scientific(value) {
  return value === 0 ? "0" : value.toExponential(0).replace("e-", "e\u2212").replace("e+", "e");
}

function thousands(count) {
  return count.toLocaleString("en-US");
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
