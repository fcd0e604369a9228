"use strict";
// Unpacks plotly.js, which lies compressed in this page, and draws the plots in the colours of the reader's scheme.
(async () => {
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 700px)");
  // Tol's "bright" and "muted" schemes: told apart by most colour-blind readers, and on both grounds.
  const colours = ["#4477aa", "#ee8866", "#44aa99", "#aa3377", "#bbaa33", "#66ccee", "#cc6677", "#88aa44", "#9988cc", "#999999",
                   "#117788", "#dd9933", "#886644", "#cc88bb", "#5599dd", "#77bb88", "#bb5544", "#667799"];

  const read = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The data name colours "ink" and "series:N".
  const painted = (value) => {
    if (value === "ink") return read("--ink");
    if (Array.isArray(value)) return value.map(painted);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item)]));
    if (typeof value === "string" && /^series:\d+$/.test(value)) return colours[Number(value.slice(7)) % colours.length];
    return value;
  };

  const axis = (given, ink) => ({automargin: true, gridcolor: ink.grid, zerolinecolor: ink.grid, linecolor: ink.grid, ...given,
                                 title: {standoff: 8, ...(given?.title ?? {})}});

  const layout = (plot) => {
    const ink = {text: read("--ink"), grid: read("--line"), card: read("--card")};
    const touch = narrow.matches || matchMedia("(pointer: coarse)").matches;
    return {...plot.layout, autosize: true, height: plot.height, showlegend: false,
            paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: {l: 8, r: 14, t: 8, b: 8},
            font: {family: getComputedStyle(document.body).fontFamily, size: narrow.matches ? 11 : 12, color: ink.text}, hovermode: "closest",
            hoverlabel: {bgcolor: ink.card, bordercolor: ink.grid, font: {color: ink.text}, align: "left"},
            dragmode: touch ? false : "zoom", xaxis: axis(plot.layout.xaxis, ink), yaxis: axis(plot.layout.yaxis, ink)};
  };

  const colour = (trace) => trace.marker?.color ?? trace.line?.color;

  for (const plot of plots) {
    const named = plot.data.filter((trace) => trace.name !== undefined);
    for (const trace of named) {
      const item = document.createElement("li"), swatch = document.createElement("i");
      swatch.style.background = painted(colour(trace));
      item.append(swatch, trace.name);
      document.getElementById(plot.id + "-key").append(item);
    }
  }

  const draw = () => Promise.all(plots.map((plot) => Plotly.react(plot.id, painted(plot.data), layout(plot),
      {responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset"})));

  try {
    const packed = Uint8Array.from(atob(document.getElementById("library").textContent.trim()), (sign) => sign.charCodeAt(0));
    const library = document.createElement("script");
    library.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(library);
    await draw();
    for (const query of [dark, narrow, matchMedia("print")]) query.addEventListener("change", draw);
    document.documentElement.dataset.drawn = "yes";
  } catch (error) {
    for (const plot of document.querySelectorAll(".plot")) plot.textContent = "This browser cannot draw the plot; its figures are in the tables.";
    throw error;
  }
})();
