// A plotly chart that is updated in place, so that zoom and legend survive new data.
let library;
const plotly = () => window.Plotly ? Promise.resolve(window.Plotly) : (library ||= new Promise((ready, failed) => {
  const script = document.createElement("script");
  script.src = "./app/static/plotly.min.js";
  script.onload = () => ready(window.Plotly);
  script.onerror = () => { library = undefined; failed(new Error("plotly.min.js could not be loaded")); };
  document.head.appendChild(script);
}));

export default function ({ parentElement, data }) {
  const place = parentElement.querySelector(".snnlab-figure");
  place.style.height = data.height + "px";
  place.setAttribute("aria-label", data.alt);
  if (place.shown === data.figure) return;
  place.shown = data.figure;
  const { data: traces, layout } = JSON.parse(data.figure);
  Object.assign(layout, { autosize: true, uirevision: layout.xaxis?.type || "linear" });
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  plotly().then(drawer => drawer.react(place, traces, layout, config));
  return () => window.Plotly && window.Plotly.purge(place);
}
