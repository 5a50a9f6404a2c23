// Plots as SVG: lines over time, and means with their intervals. Each has its numbers in words too.
function s(tag, props, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(props || {})) if (v !== null && v !== undefined) node.setAttribute(k, String(v));
  node.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

function nice(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= most);
}

// series: [{ name, tone, points: [[seconds since 1970, value]] }]
function lines({ label, series, unit, language, empty }) {
  const W = 420, H = 190, L = 40, R = 8, T = 10, B = 24;
  const all = series.flatMap((each) => each.points);
  if (all.length < 2) return h("p", { class: "soft small blank" }, empty);
  const from = Math.min(...all.map(([t]) => t)), to = Math.max(...all.map(([t]) => t), from + 60);
  const top = nice(Math.max(...all.map(([, v]) => v)) * 1.05);
  const x = (t) => L + ((W - L - R) * (t - from)) / (to - from);
  const y = (v) => H - B - ((H - T - B) * v) / top;
  const clock = (t) => new Date(t * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  const svg = s("svg", { viewBox: `0 0 ${W} ${H}`, class: "plot", role: "img", "aria-label": `${label}: ` + series.map((each) => `${each.name} ${number(each.points.at(-1)?.[1] ?? 0, 1, language)} ${unit}`).join(", ") },
    [0, 0.5, 1].map((share) => [
      s("line", { class: "rule", x1: L, x2: W - R, y1: y(top * share), y2: y(top * share) }),
      s("text", { x: L - 8, y: y(top * share) + 4, "text-anchor": "end" }, number(top * share, 2, language))]),
    [from, (from + to) / 2, to].map((t, n) => s("text", { x: x(t), y: H - 6, "text-anchor": ["start", "middle", "end"][n] }, clock(t))),
    series.map((each) => s("polyline", { class: `line ${each.tone}`, points: each.points.map(([t, v]) => `${x(t).toFixed(1)},${y(v).toFixed(1)}`).join(" ") })),
    series.map((each) => each.points.length ? s("circle", { class: `dot ${each.tone}`, r: 3.5, cx: x(each.points.at(-1)[0]), cy: y(each.points.at(-1)[1]) }) : null));
  return h("figure", { class: "chart" },
    h("figcaption", {}, h("span", { class: "name" }, label), series.map((each) => h("span", { class: `key ${each.tone}` }, each.name, h("b", {}, ` ${number(each.points.at(-1)?.[1] ?? 0, 1, language)} ${unit}`)))), svg);
}

// rows: [{ name, value, low, high, tone? }] on one scale; zero: draw a line at 0.
function intervals({ label, rows, from, to, zero, digits }) {
  const W = 560, each = 32, L = 96, R = 56, H = rows.length * each + 26;
  const x = (v) => L + ((W - L - R) * (Math.min(to, Math.max(from, v)) - from)) / (to - from);
  const ticks = [from, (from + to) / 2, to];
  return h("figure", { class: "chart" }, label ? h("figcaption", {}, h("span", { class: "name" }, label)) : null,
    s("svg", { viewBox: `0 0 ${W} ${H}`, class: "plot", role: "img", "aria-label": `${label}: ` + rows.map((r) => `${r.name} ${r.value.toFixed(3)} (${r.low.toFixed(3)} – ${r.high.toFixed(3)})`).join(", ") },
      ticks.map((t) => [s("line", { class: "rule", x1: x(t), x2: x(t), y1: 4, y2: H - 22 }), s("text", { x: x(t), y: H - 6, "text-anchor": "middle" }, t.toFixed(digits ?? 1))]),
      zero ? s("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: H - 22 }) : null,
      rows.map((r, n) => {
        const cy = 4 + n * each + each / 2;
        return [
          s("text", { class: "label", x: L - 12, y: cy + 4, "text-anchor": "end" }, r.name),
          s("line", { class: `whisker ${r.tone || ""}`, x1: x(r.low), x2: x(r.high), y1: cy, y2: cy }),
          s("circle", { class: `dot ${r.tone || "first"}`, r: 5.5, cx: x(r.value), cy }),
          s("text", { class: "label", x: W - R + 8, y: cy + 4 }, r.value.toFixed(3))];
      })));
}
