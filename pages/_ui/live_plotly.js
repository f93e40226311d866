// A plotly chart that is updated in place, so that zoom and legend survive new data, in the theme of the page.
let library;
const plotly = () => window.Plotly ? Promise.resolve(window.Plotly) : (library ||= new Promise((ready, failed) => {
  const script = document.createElement("script");
  script.src = "./app/static/plotly.min.js";
  script.onload = () => ready(window.Plotly);
  script.onerror = () => { library = undefined; failed(new Error("plotly.min.js could not be loaded")); };
  document.head.appendChild(script);
}));
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

function draw(place) {
  const figure = getComputedStyle(place).colorScheme === "dark" ? place.themes.dark : place.themes.light;
  if (place.shown === figure) return;
  place.shown = figure;
  const { data, layout } = JSON.parse(figure);
  // Another kind of axis is another picture: its old zoom would mean nothing.
  Object.assign(layout, { autosize: true, uirevision: layout.xaxis?.type || "linear" });
  plotly().then(drawer => drawer.react(place, data, layout, CONFIG));
}

export default function ({ parentElement, data }) {
  const place = parentElement.querySelector(".snnlab-figure");
  if (!place.themes) place.addEventListener("transitionend", event => event.target === place && draw(place));
  place.themes = data;
  place.style.height = data.height + "px";
  place.setAttribute("aria-label", data.alt);
  draw(place);
  return () => window.Plotly && window.Plotly.purge(place);
}
