// Charts (ECharts) and graphs (Cytoscape) drawn from JSON that stands in the page; colours are the tokens'.

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dataOf = (element) => JSON.parse(document.getElementById(element.dataset.source).textContent);
const vendor = (element) => import(document.querySelector(`meta[name=${element.dataset.chart === undefined ? "graph" : "chart"}-library]`).content);

const SIZES = ["B", "kB", "MB", "GB", "TB"];
function bytes(value) {
  let unit = 0;
  while (value >= 1000 && unit < SIZES.length - 1) { value /= 1000; unit += 1; }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toPrecision(3)} ${SIZES[unit]}`;
}

async function drawChart(element) {
  const { echarts } = await vendor(element);
  const data = dataOf(element);
  const chart = echarts.init(element, null, { renderer: "svg" });
  const marks = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => token(`--mark-${i}`));
  const text = token("--text-soft");
  const format = data.unit === "bytes" ? bytes : (value) => value.toLocaleString("en");
  chart.setOption({
    animation: false,
    color: marks,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: text },
    grid: { left: 8, right: 16, top: data.series.length > 1 ? 36 : 16, bottom: 8, containLabel: true },
    legend: data.series.length > 1 ? { top: 0, left: 0, itemWidth: 12, itemHeight: 8, textStyle: { color: text } } : undefined,
    tooltip: {
      trigger: "axis", renderMode: "richText", valueFormatter: format,
      backgroundColor: token("--surface"), borderColor: token("--line-firm"), textStyle: { color: token("--text"), fontSize: 12 },
      axisPointer: { type: "line", lineStyle: { color: token("--line-firm") } },
    },
    aria: { enabled: false },
    xAxis: data.time
      ? { type: "time", axisLine: { lineStyle: { color: token("--line-firm") } }, axisLabel: { color: text, hideOverlap: true }, splitLine: { show: false } }
      : { type: "category", data: data.labels, axisLine: { lineStyle: { color: token("--line-firm") } }, axisLabel: { color: text } },
    yAxis: { type: "value", min: 0, max: data.max, splitNumber: 4, axisLabel: { color: text, formatter: format }, splitLine: { lineStyle: { color: token("--line-soft") } } },
    series: data.series.map((one) => ({
      name: one.name, type: data.kind ?? "bar", data: one.values, stack: data.stacked ? "all" : undefined,
      barMaxWidth: 16, symbol: one.values.length > 40 ? "none" : "circle", symbolSize: 5, step: data.step ? "end" : undefined, lineStyle: { width: 1.5 }, areaStyle: data.kind === "line" && !data.step ? { opacity: 0.12 } : undefined,
    })),
  });
  new ResizeObserver(() => chart.resize()).observe(element);
}

function graphStyle() {
  return [
    { selector: "node", style: { "background-color": token("--surface"), "border-color": token("--control-edge"), "border-width": 1.5, shape: "round-rectangle", width: "label", height: 26, padding: "6px", label: "data(label)", "text-valign": "center", "text-halign": "center", "font-size": 11, "font-family": getComputedStyle(document.body).fontFamily, color: token("--text"), "text-wrap": "wrap", "text-max-width": 150 } },
    { selector: "node[kind='self']", style: { "background-color": token("--accent-soft"), "border-color": token("--accent"), "font-weight": 600 } },
    { selector: "node[kind='outside']", style: { "border-style": "dashed" } },
    { selector: "node[level='high'], node[level='critical']", style: { "border-color": (node) => token(`--${node.data("level")}`), "border-width": 2.5 } },
    { selector: "edge", style: { width: "data(width)", "line-color": (edge) => token(`--mark-${edge.data("mark")}`), "target-arrow-color": (edge) => token(`--mark-${edge.data("mark")}`), "target-arrow-shape": "triangle", "arrow-scale": 0.8, "curve-style": "bezier", opacity: 0.75, label: "data(label)", "font-size": 10, color: token("--text-soft"), "text-background-color": token("--surface"), "text-background-opacity": 0.85, "text-background-padding": "2px", "text-rotation": "autorotate", "min-zoomed-font-size": 8 } },
    { selector: ".is-dimmed", style: { opacity: 0.15 } },
    { selector: ":active", style: { "overlay-opacity": 0.08 } },
  ];
}

async function drawGraph(element) {
  const { cytoscape } = await vendor(element);
  const data = dataOf(element);
  const graph = cytoscape({
    container: element,
    elements: data,
    style: graphStyle(),
    wheelSensitivity: 0.3,
    minZoom: 0.2,
    maxZoom: 3,
    userZoomingEnabled: true,
    layout: { name: "fcose", animate: false, randomize: true, quality: "proof", nodeDimensionsIncludeLabels: true, idealEdgeLength: 130, nodeRepulsion: 12000, nodeSeparation: 90, padding: 20 },
  });
  graph.on("tap", "node, edge", (event) => {
    const href = event.target.data("href");
    if (href) location.assign(href);
  });
  graph.on("mouseover", "node, edge", (event) => {
    const near = event.target.isNode() ? event.target.closedNeighborhood() : event.target.connectedNodes().union(event.target);
    graph.elements().not(near).addClass("is-dimmed");
    element.title = event.target.data("title") ?? "";
  });
  graph.on("mouseout", "node, edge", () => {
    graph.elements().removeClass("is-dimmed");
    element.title = "";
  });
  new ResizeObserver(() => graph.resize()).observe(element);
  element.dataset.nodes = String(graph.nodes().length);
}

export function draw(root) {
  for (const element of root.querySelectorAll("[data-chart]:not([data-drawn])")) {
    element.dataset.drawn = "";
    drawChart(element);
  }
  for (const element of root.querySelectorAll("[data-graph]:not([data-drawn])")) {
    element.dataset.drawn = "";
    drawGraph(element);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
