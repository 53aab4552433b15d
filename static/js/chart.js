// Draws a chart from the table beside it; the table stays for whoever cannot see the chart.

const HEIGHT = 220;
const MICROS = 1e6;
const HALF_DAY = 43200;

export function start() {
  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
}

function colour(place, name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  place.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function rows(table) {
  const days = [];
  const dollars = [];
  for (const row of table.querySelectorAll("tr[data-day]")) {
    days.push(Date.parse(`${row.dataset.day}T12:00:00Z`) / 1000);
    dollars.push(Number(row.dataset.value) / MICROS);
  }
  return [days, dollars];
}

function axes(place) {
  const shared = {
    stroke: colour(place, "--chart-text"),
    font: `12px ${getComputedStyle(place).fontFamily}`,
    ticks: { show: false },
  };
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
  return [
    { ...shared, size: 30, grid: { show: false }, space: 70, values: (u, all) => all.map((s) => day.format(s * 1000)) },
    {
      ...shared,
      size: 58,
      grid: { stroke: colour(place, "--chart-line"), width: 1 },
      values: (u, all) => all.map((value) => `$${value.toFixed(2)}`),
    },
  ];
}

async function draw(place) {
  const { default: Chart } = await import("../vendor/uplot/uPlot.esm.js");
  const data = rows(document.getElementById(place.dataset.chart));
  let chart = null;
  const make = () => {
    chart?.destroy();
    const fill = colour(place, "--chart-bar");
    chart = new Chart(
      {
        width: place.clientWidth,
        height: HEIGHT,
        cursor: { show: false },
        legend: { show: false },
        padding: [8, 4, 0, 0],
        scales: { x: { time: true, range: (u, low, high) => [low - HALF_DAY, high + HALF_DAY] }, y: { range: (u, low, high) => [0, Math.max(high * 1.1, 0.1)] } },
        axes: axes(place),
        series: [{}, { fill, stroke: fill, width: 0, points: { show: false }, paths: Chart.paths.bars({ size: [0.62, 26], radius: 0.2 }) }],
      },
      data,
      place,
    );
  };
  make();
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  document.addEventListener("greenroom:theme", make);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", make);
}
