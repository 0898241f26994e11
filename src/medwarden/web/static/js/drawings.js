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
  new ResizeObserver(() => chart.resize()).observe(element);
  if (data.kind === "treemap") return drawTree(chart, data);
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
    yAxis: [
      { type: "value", min: 0, max: data.max, interval: data.max === 100 ? 25 : undefined, splitNumber: 4, axisLabel: { color: text, formatter: format }, splitLine: { lineStyle: { color: token("--line-soft") } }, splitArea: data.bands && { show: true, areaStyle: { color: data.bands.map(([level]) => token(`--${level}-soft`)), opacity: 0.6 } } },
      ...(data.bands ? [{ type: "category", data: data.bands.map(([, word]) => word), position: "right", axisLine: { show: false }, axisTick: { show: false }, splitLine: { show: false }, axisLabel: { color: text, fontSize: 11 } }] : []),
    ],
    series: data.series.map((one) => ({
      name: one.name, type: data.kind ?? "bar", data: one.values, stack: data.stacked ? "all" : undefined,
      barMaxWidth: 16, symbol: one.values.length > 40 ? "none" : "circle", symbolSize: 5, step: data.step ? "end" : undefined, lineStyle: { width: 1.5 }, areaStyle: data.kind === "line" && !data.step ? { opacity: 0.12 } : undefined,
    })),
  });
}

// Areas in soft colours with the page's own text on them, so that names stay readable in both themes; what is
// not known is paler.
function drawTree(chart, data) {
  const text = token("--text");
  const family = getComputedStyle(document.body).fontFamily;
  const marked = (nodes, mark) => nodes.map((node, i) => {
    const own = mark ?? (i % 8) + 1;
    return {
      ...node,
      children: node.children && marked(node.children, own),
      itemStyle: {
        color: `color-mix(in srgb, ${token(`--mark-${own}`)} ${node.known === false ? 8 : 26}%, ${token("--surface")})`,
        borderColor: token("--surface"),
        decal: undefined,
      },
    };
  });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: family, color: text },
    aria: { enabled: false },
    tooltip: {
      renderMode: "richText", formatter: (one) => `${one.name}: ${one.value.toLocaleString("en")}`,
      backgroundColor: token("--surface"), borderColor: token("--line-firm"), textStyle: { color: text, fontSize: 12 },
    },
    series: [{
      type: "treemap", data: marked(data.nodes), roam: false, nodeClick: false, breadcrumb: { show: false },
      left: 8, right: 8, top: 8, bottom: 8, emphasis: { disabled: true }, visibleMin: 1, sort: "desc",
      label: { show: true, color: text, fontSize: 12, lineHeight: 16, overflow: "truncate", formatter: (one) => `${one.name}\n${one.value.toLocaleString("en")}` },
      upperLabel: { show: true, height: 24, color: text, fontSize: 12, fontWeight: 600, formatter: (one) => `${one.name}  ${one.value.toLocaleString("en")}` },
      levels: [
        { itemStyle: { gapWidth: 4, borderWidth: 0, borderColor: token("--surface") }, upperLabel: { show: false } },
        { itemStyle: { gapWidth: 2, borderWidth: 2 } },
        { itemStyle: { gapWidth: 1, borderWidth: 1 } },
      ],
    }],
  });
  chart.on("click", (one) => {
    if (one.data?.href) location.assign(one.data.href);
  });
}

function graphStyle(many) {
  return [
    { selector: "node", style: { "background-color": token("--surface"), "border-color": token("--control-edge"), "border-width": 1.5, shape: "round-rectangle", width: "data(width)", height: "data(height)", label: "data(label)", "text-valign": "center", "text-halign": "center", "font-size": 11, "font-family": getComputedStyle(document.body).fontFamily, color: token("--text"), "text-wrap": "wrap", "text-max-width": 170 } },
    { selector: "node[kind='self']", style: { "background-color": token("--accent-soft"), "border-color": token("--accent"), "font-weight": 600 } },
    { selector: "node[kind='outside']", style: { "border-style": "dashed" } },
    { selector: "node[level='high'], node[level='critical']", style: { "border-color": (node) => token(`--${node.data("level")}`), "border-width": 2.5 } },
    { selector: "edge", style: { width: "data(width)", "line-color": (edge) => token(`--mark-${edge.data("mark")}`), "target-arrow-color": (edge) => token(`--mark-${edge.data("mark")}`), "target-arrow-shape": "triangle", "arrow-scale": 0.8, "curve-style": "bezier", opacity: many ? 0.5 : 0.75, label: many ? "" : "data(label)", "font-size": 10, color: token("--text-soft"), "text-background-color": token("--surface"), "text-background-opacity": 0.85, "text-background-padding": "2px", "text-rotation": "autorotate", "min-zoomed-font-size": 8 } },
    { selector: "edge:loop", style: { "loop-direction": "-90deg", "loop-sweep": "40deg", "control-point-step-size": 36 } },
    { selector: ".is-dimmed", style: { opacity: 0.15 } },
    { selector: ":active", style: { "overlay-opacity": 0.08 } },
  ];
}

const MOST_WIDTH = 170;
function sized(data) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  for (const { data: one } of data) {
    if (one.source) continue;
    const lines = one.label.split("\n").map((line) => pen.measureText(line).width);
    one.width = Math.min(MOST_WIDTH, Math.max(...lines)) + 16;
    one.height = 12 + 13 * lines.reduce((sum, width) => sum + Math.ceil(width / MOST_WIDTH), 0);
  }
  return data;
}

// Columns from left to right: those who only open connections, those who do both, those who only answer.
// A column that grows too tall is folded; within a column, order follows the partners' to keep edges short.
const ROW_GAP = 16;
const FOLD = 14;
function layered(data, element) {
  const nodes = data.map((one) => one.data).filter((one) => !one.source);
  const edges = data.map((one) => one.data).filter((one) => one.source && one.source !== one.target);
  const out = new Set(edges.map((edge) => edge.source));
  const into = new Set(edges.map((edge) => edge.target));
  const star = nodes.some((node) => node.kind === "self");
  const rank = (node) => {
    if (node.kind === "self") return 1;
    if (out.has(node.id) && into.has(node.id)) return star ? 2 : 1;
    return out.has(node.id) ? 0 : 2;
  };
  const columns = [0, 1, 2].map((wanted) => nodes.filter((node) => rank(node) === wanted));
  const place = new Map();
  const number = () => columns.forEach((column) => column.forEach((node, i) => place.set(node.id, (i + 0.5) / column.length)));
  number();
  for (let round = 0; round < 6; round += 1) {
    for (const column of columns) {
      const wish = new Map(column.map((node) => {
        const partners = edges.flatMap((edge) => (edge.source === node.id ? [edge.target] : edge.target === node.id ? [edge.source] : []));
        const sum = partners.reduce((total, id) => total + place.get(id), 0);
        return [node.id, partners.length ? sum / partners.length : place.get(node.id)];
      }));
      column.sort((one, two) => wish.get(one.id) - wish.get(two.id) || one.id.localeCompare(two.id));
    }
    number();
  }
  const positions = {};
  let x = 0;
  for (const column of columns) {
    for (let from = 0; from < column.length; from += FOLD) {
      const part = column.slice(from, from + FOLD);
      const widest = Math.max(...part.map((node) => node.width));
      const tall = part.reduce((sum, node) => sum + node.height + ROW_GAP, -ROW_GAP);
      let y = -tall / 2;
      for (const node of part) {
        // Neighbours in one column are shifted a little, so that edges between them stay visible
        const shift = column === columns[1] && part.length > 1 ? (part.indexOf(node) % 2 ? 1 : -1) * widest * 0.35 : 0;
        positions[node.id] = { x: x + widest / 2 + shift, y: y + node.height / 2 };
        y += node.height + ROW_GAP;
      }
      x += widest + (from + FOLD < column.length ? 40 : 190);
    }
  }
  return { name: "preset", positions: spread(positions, element), fit: true, padding: 24 };
}

// Widens the drawing to the shape of its box, within reason, so that it is drawn as large as it can be
function spread(positions, element) {
  const all = Object.values(positions);
  const span = (axis) => Math.max(...all.map((at) => at[axis])) - Math.min(...all.map((at) => at[axis])) + 120;
  const factor = Math.min(2.2, Math.max(1, ((element.clientWidth / element.clientHeight) * span("y")) / span("x")));
  return Object.fromEntries(Object.entries(positions).map(([id, at]) => [id, { x: at.x * factor, y: at.y }]));
}

// Widths tell volumes apart within one drawing: thin for the least, seven pixels for the most, logarithmic
function weighted(data) {
  const volumes = data.filter((one) => one.data.source).map((one) => Math.log10(Math.max(1, one.data.volume)));
  const low = Math.min(...volumes);
  const span = Math.max(...volumes) - low || 1;
  for (const { data: one } of data) if (one.source) one.width = 1 + (6 * (Math.log10(Math.max(1, one.volume)) - low)) / span;
}

// A graph is too small to read on a phone: there the same conversations stand as a list, the largest first, with bars
// of their volume (logarithmic, as the widths of the edges are).
const NARROW = matchMedia("(max-width: 40rem)");
const MOST_LISTED = 12;
function listed(element, data) {
  const part = (name, kind, ...inside) => {
    const made = document.createElement(name);
    made.className = kind;
    made.append(...inside);
    return made;
  };
  const names = new Map(data.filter((one) => !one.data.source).map((one) => [one.data.id, one.data]));
  const talks = data.map((one) => one.data).filter((one) => one.source).sort((one, two) => two.volume - one.volume);
  const called = (id) => {
    const { href, label = id } = names.get(id) ?? {};
    const name = part(href ? "a" : "span", "", label.replaceAll("\n", " "));
    if (href) name.href = href;
    return name;
  };
  const list = part("ul", "talks", ...talks.slice(0, MOST_LISTED).map((talk) => {
    const among = talk.source === talk.target;
    const said = part(talk.href ? "a" : "span", "small", talk.title || talk.label);
    if (talk.href) said.href = talk.href;
    const bar = document.createElement("template");
    bar.innerHTML = `<svg viewBox="0 0 7 1" preserveAspectRatio="none" aria-hidden="true"><rect width="${Number(talk.width)}" height="1" class="mark-${Number(talk.mark)}"></rect></svg>`;
    return part("li", "", part("div", "strong", called(talk.source), among ? " among themselves" : " \u2192 ", ...(among ? [] : [called(talk.target)])), bar.content, said);
  }));
  const more = talks.length - MOST_LISTED;
  element.replaceChildren(list, ...(more > 0 ? [part("p", "small soft", `${more} more ${more === 1 ? "conversation" : "conversations"} below.`)] : []));
  element.classList.add("graph-listed");
  element.removeAttribute("role");
}

async function drawGraph(element) {
  const data = sized(dataOf(element));
  weighted(data);
  if (NARROW.matches) return listed(element, data);
  const { cytoscape } = await vendor(element);
  const many = data.filter((one) => one.data.source).length > 30;
  const graph = cytoscape({
    container: element,
    elements: data,
    style: graphStyle(many),
    minZoom: 0.2,
    maxZoom: 3,
    layout: layered(data, element),
  });
  if (graph.zoom() > 1.15) {
    graph.zoom(1.15);
    graph.center();
  }
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
  element.graph = graph;
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
NARROW.addEventListener("change", () => {
  for (const element of document.querySelectorAll("[data-graph]")) {
    element.graph?.destroy();
    element.classList.remove("graph-listed");
    element.replaceChildren();
    drawGraph(element);
  }
});
