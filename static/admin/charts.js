// Plots: <div class="chart" data-chart="/admin/…json"> is drawn from {"kind", "title", "x", "series", "unit"}.
// Kinds: "line", "bar", "stacked". The same figures stand in a table below for those who cannot see it.
"use strict";

const COLOURS = ["#0b57a4", "#b54708", "#17693a", "#6941c6", "#b42318", "#475467"];

function option(data) {
  const isStacked = data.kind === "stacked";
  const isLine = data.kind === "line";
  return {
    color: COLOURS,
    animation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    aria: { enabled: true, decal: { show: data.series.length > 1 && !isLine } },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      valueFormatter: (value) => (value === null ? "—" : `${value.toLocaleString()}${data.unit || ""}`),
    },
    legend: { show: data.series.length > 1, bottom: 0, textStyle: { color: "#1d2939" } },
    grid: { left: 8, right: 16, top: 32, bottom: data.series.length > 1 ? 36 : 8, containLabel: true },
    xAxis: { type: "category", data: data.x, boundaryGap: !isLine, axisLabel: { color: "#344054", hideOverlap: true } },
    yAxis: {
      type: "value",
      name: data.unit || "",
      minInterval: 1,
      scale: Boolean(data.scale), // of large numbers that change little, show the change
      nameTextStyle: { color: "#344054" },
      axisLabel: { color: "#344054" },
    },
    series: data.series.map((one, number) => ({
      name: one.name,
      type: isLine ? "line" : "bar",
      data: one.values,
      stack: isStacked ? "all" : undefined,
      symbol: isLine ? ["circle", "rect", "triangle", "diamond"][number % 4] : undefined,
      lineStyle: isLine ? { type: ["solid", "dashed", "dotted"][number % 3] } : undefined,
    })),
  };
}

async function draw(place) {
  let data;
  try {
    const answer = await fetch(place.dataset.chart, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(15000),
    });
    if (!answer.ok) {
      throw new Error(`HTTP ${answer.status}`);
    }
    data = await answer.json();
  } catch (error) {
    console.warn("chart", place.dataset.chart, error.message);
    place.textContent = "图表没有加载出来，请刷新页面。";
    return;
  }
  const chart = window.echarts.getInstanceByDom(place) || window.echarts.init(place, null, { renderer: "svg" });
  chart.setOption(option(data), { notMerge: true });
  place.dataset.drawn = "1";
  new ResizeObserver(() => chart.resize()).observe(place);
}

function drawAll(root) {
  for (const place of root.querySelectorAll(".chart[data-chart]:not([data-drawn])")) {
    draw(place);
  }
}

drawAll(document);
document.addEventListener("htmx:afterSwap", (event) => drawAll(event.target));
