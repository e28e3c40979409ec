// Plots: <div class="chart" data-chart="/admin/…json"> is drawn from {"kind", "title", "x", "series", "unit"}.
// Kinds: "line", "bar", "stacked". The same figures stand in a table below for those who cannot see it.
"use strict";

(() => {
  const COLOURS = ["#0b57a4", "#b54708", "#17693a", "#6941c6", "#b42318", "#475467"];

  const WORDS =
    document.documentElement.lang === "en"
      ? { none: "No figures yet.", failed: "The plot did not load; reload the page." }
      : { none: "还没有数据。", failed: "图表没有加载出来，请刷新页面。" };

  // A value between two gaps has no line to either side: only its symbol shows it.
  function hasLonePoint(values) {
    const isGap = (value) => value === null || value === undefined;
    return values.some((value, at) => !isGap(value) && isGap(values[at - 1]) && isGap(values[at + 1]));
  }

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
      grid: { left: 16, right: 24, top: 32, bottom: data.series.length > 1 ? 36 : 8, containLabel: true },
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
        showSymbol: data.x.length <= 31 || hasLonePoint(one.values),
        showAllSymbol: true, // otherwise a point whose date is not written below is not drawn
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
      place.textContent = WORDS.failed;
      return;
    }
    if (!data.series.some((one) => one.values.some((value) => value !== null))) {
      place.textContent = WORDS.none;
      place.classList.add("is-empty");
      place.removeAttribute("role"); // a sentence now, not a picture
      place.removeAttribute("aria-label");
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
})();
