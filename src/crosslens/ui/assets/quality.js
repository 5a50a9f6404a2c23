const MEASURES = ["ndcg@10", "recall@1", "recall@5", "recall@10", "hit@10", "mrr@10", "map"];

export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= {});
  view.data = data;
  view.tell = setTriggerValue;
  const { texts } = data;
  fill(place.content,
    keep(place, "top", texts.title, () => h("div", {}, h("h1", {}, texts.title), h("p", { class: "soft" }, texts.about))),
    keep(place, "notice", data.notice, () => h("div", { role: "alert" }, data.notice ? h("p", { class: "notice" }, icon("alert"), h("span", {}, data.notice)) : null)),
    keep(place, "form", [data.sets, data.scenes, texts.title], () => form(view)),
    keep(place, "task", data.task, () => task(view)),
    keep(place, "runs", [data.runs, data.run, data.other], () => runs(view, place)),
    data.compared ? keep(place, "compared", data.compared, () => compared(view)) : null,
    data.run && !data.compared ? keep(place, "run", [data.run, data.measure], () => run(view)) : null,
    data.worst.length && !data.compared ? keep(place, "worst", [data.worst, data.measure], () => worst(view)) : null);
}

function form(view) {
  const { sets, texts, language } = view.data;
  if (!sets.length) return h("p", { class: "soft" }, texts.no_sets);
  const set = choice(sets.map((s) => [s.name, s.name]), sets[0].name, { id: "set" });
  const kind = h("select", { id: "kind" });
  const kinds = () => {
    const now = kind.value || "auto";
    const can = sets.find((s) => s.name === set.value).kinds;
    kind.replaceChildren(...can.map((k) => h("option", { value: k }, texts[`kind_${k}`] || k)));
    kind.value = can.includes(now) ? now : can.includes("hybrid") ? "hybrid" : can[0];
  };
  set.addEventListener("change", kinds);
  kinds();
  const spoken = choice([["", texts.both], ["en", "English"], ["zh", "中文"]], "", { id: "spoken" });
  const alpha = h("input", { type: "number", min: 0, max: 1, step: 0.05, placeholder: texts.auto, id: "alpha" });
  const fusion = choice([["rrf", texts.rrf], ["score", texts.by_score]], "rrf", { id: "fusion" });
  const most = h("input", { type: "number", min: 1, step: 1, placeholder: texts.all, id: "most" });
  const scene = choice([["", texts.no_scene], ...view.data.scenes.map((s) => [s, s])], "", { id: "scene" });
  const name = h("input", { type: "text", maxlength: 100, placeholder: texts.made_up, id: "name" });
  return h("form", { class: "panel evaluate", onsubmit: (e) => {
    e.preventDefault();
    view.tell("evaluate", { set: set.value, kind: kind.value, language: spoken.value || null, alpha: alpha.value === "" ? null : Number(alpha.value), fusion: fusion.value, queries: most.value === "" ? null : Number(most.value), scene: scene.value || null, name: name.value.trim() });
  } },
    h("h2", {}, texts.evaluate),
    h("div", { class: "fields" }, field(texts.set, set), field(texts.kind, kind), field(texts.spoken, spoken), field(texts.alpha, alpha), field(texts.fusion, fusion), field(texts.scene, scene), field(texts.most, most), field(texts.name, name)),
    h("div", {}, h("button", { type: "submit", class: "button main" }, texts.start)));
}

function task(view) {
  const { task, texts, language } = view.data;
  if (!task) return h("div", {});
  return h("div", { class: "panel running", role: "status" }, h("div", { class: "task" }, h("strong", {}, say(texts.measuring, { name: task.about })), badge(task.state, texts)),
    task.error ? h("p", { class: "notice" }, icon("alert"), h("span", {}, task.error)) : h("progress", { max: 1, ...(task.total ? { value: task.done / task.total } : {}), "aria-label": texts.evaluate }),
    task.total ? h("p", { class: "soft small" }, say(texts.so_far, { done: number(task.done, 0, language), total: number(task.total, 0, language) })) : null);
}

function runs(view, place) {
  const { data } = view, { texts } = data;
  if (!data.runs.length) return h("p", { class: "soft" }, texts.no_runs);
  const chosen = [data.run?.id, data.other].filter(Boolean);
  const pick = (id, on) => {
    const now = on ? [...chosen.slice(-1), id] : chosen.filter((c) => c !== id);
    view.tell("go", { run: now[0] || "", other: now[1] || "" });
  };
  const cell = (run, m) => h("td", { class: "right" }, m in run.metrics ? run.metrics[m].toFixed(3) : "");
  return h("section", { class: "panel", "aria-label": texts.runs }, h("h2", {}, texts.runs), h("p", { class: "soft small" }, texts.pick_two),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": texts.runs }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, texts.compare)), h("th", { scope: "col" }, texts.run), h("th", { scope: "col", class: "right" }, texts.queries), ["ndcg@10", "recall@10", "mrr@10"].map((m) => h("th", { scope: "col", class: "right" }, m)), h("th", { scope: "col" }, texts.when), h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, texts.remove)))),
      h("tbody", {}, data.runs.map((run) => h("tr", { class: chosen.includes(run.id) ? "on" : "" },
        h("td", {}, h("input", { type: "checkbox", checked: chosen.includes(run.id), "aria-label": say(texts.pick, { name: run.name }), "data-focus": `pick-${run.id}`, onchange: (e) => pick(run.id, e.target.checked) })),
        h("td", {}, h("button", { type: "button", class: "plain", "data-focus": `run-${run.id}`, onclick: () => view.tell("go", { run: run.id, other: "" }) }, run.name)),
        h("td", { class: "right" }, number(run.queries, 0, data.language)), ["ndcg@10", "recall@10", "mrr@10"].map((m) => cell(run, m)),
        h("td", { class: "soft small" }, when(run.created, data.language)),
        h("td", {}, h("button", { type: "button", class: "button tiny quiet", "aria-label": say(texts.remove_run, { name: run.name }), onclick: () => confirm(place, { title: texts.remove, text: say(texts.remove_sure, { name: run.name }), yes: texts.remove, no: texts.cancel, bad: true }, () => view.tell("forget", run.id)) }, icon("trash")))))))));
}

function order(metrics) {
  return [...MEASURES.filter((m) => m in metrics), ...Object.keys(metrics).filter((m) => !MEASURES.includes(m))];
}

function run(view) {
  const { data } = view, { texts, run } = data, { report } = run;
  const names = order(report.metrics);
  const parts = Object.values(report.by || {}).flatMap((by) => Object.entries(by));
  return h("section", { class: "panel", "aria-label": run.name },
    h("h2", {}, run.name),
    h("p", { class: "soft small" }, say(texts.facts, { queries: number(report.queries, 0, data.language), products: number(report.products, 0, data.language), seconds: number(report.seconds, 1, data.language) })),
    truth(view),
    h("div", { class: "beside" },
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": texts.measure }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, texts.measure), h("th", { scope: "col", class: "right" }, texts.mean), h("th", { scope: "col", class: "right" }, texts.interval), parts.map(([name, part]) => h("th", { scope: "col", class: "right" }, `${texts.spoken_names[name] || name} (${part.queries})`)))),
        h("tbody", {}, names.map((m) => h("tr", {}, h("th", { scope: "row" }, m), h("td", { class: "right" }, report.metrics[m].toFixed(3)), h("td", { class: "right soft" }, (report.intervals[m] || []).map((v) => v.toFixed(3)).join(" – ")), parts.map(([, part]) => h("td", { class: "right" }, (part.metrics[m] ?? 0).toFixed(3)))))))),
      intervals({ label: texts.plot, from: 0, to: 1, rows: names.map((m) => ({ name: m, value: report.metrics[m], low: report.intervals[m]?.[0] ?? report.metrics[m], high: report.intervals[m]?.[1] ?? report.metrics[m] })) })));
}

function truth(view) {
  const { texts, run, language } = view.data, told = run.report.calibration;
  if (!told || told.error_after === null) return null;
  const shown = (v) => number(v, 3, language);
  return h("p", { class: "soft small" }, say(texts.truth, { n: shown(told.hits), before: shown(told.error_before), after: shown(told.error_after) }), told.error_in_use === null ? "" : say(texts.truth_in_use, { in_use: shown(told.error_in_use) }));
}

function compared(view) {
  const { data } = view, { texts, compared } = data;
  const names = order(compared.measures);
  const rows = names.map((m) => [m, compared.measures[m]]);
  const wide = Math.max(0.02, ...rows.flatMap(([, r]) => [Math.abs(r.low), Math.abs(r.high)])) * 1.1;
  const sure = (r) => (r.low > 0 || r.high < 0);
  return h("section", { class: "panel", "aria-label": texts.comparison },
    h("h2", {}, texts.comparison), h("p", {}, h("strong", {}, compared.names[0]), " – ", h("strong", {}, compared.names[1])),
    h("p", { class: "soft small" }, say(texts.compared, { n: number(compared.queries, 0, data.language) })),
    h("div", { class: "beside" },
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": texts.comparison }, h("table", {}, h("thead", {}, h("tr", {}, [texts.measure, texts.first, texts.second, texts.difference, texts.interval, "p"].map((t, n) => h("th", { scope: "col", class: n ? "right" : "" }, t)))),
        h("tbody", {}, rows.map(([m, r]) => h("tr", {}, h("th", { scope: "row" }, m), h("td", { class: "right" }, r.first.toFixed(3)), h("td", { class: "right" }, r.second.toFixed(3)), h("td", { class: `right ${sure(r) ? (r.difference > 0 ? "good" : "bad") : ""}` }, (r.difference > 0 ? "+" : "") + r.difference.toFixed(3)), h("td", { class: "right soft" }, `${r.low.toFixed(3)} – ${r.high.toFixed(3)}`), h("td", { class: "right soft" }, r.p < 0.001 ? "< 0.001" : r.p.toFixed(3))))))),
      intervals({ label: texts.difference, from: -wide, to: wide, zero: true, digits: 2, rows: rows.map(([m, r]) => ({ name: m, value: r.difference, low: r.low, high: r.high, tone: sure(r) ? (r.difference > 0 ? "first" : "second") : "third" })) })));
}

function worst(view) {
  const { data } = view, { texts } = data;
  const shown = (asked, key, place) => {
    const id = asked.products[key], right = asked.right.includes(key);
    return h("li", { class: right ? "right-one" : "" },
      id ? h("a", { href: `/catalogue?lang=${data.language}&product=${id}`, "aria-label": `${place}: ${key}${right ? ` (${texts.right})` : ""}` }, h("img", { src: `/picture/${id}/0?size=128`, alt: "", loading: "lazy" })) : h("span", { class: "no-picture", title: key }, key));
  };
  return h("section", { class: "panel", "aria-label": texts.worst },
    h("div", { class: "task" }, h("h2", {}, texts.worst), choice(order(data.run.report.metrics).map((m) => [m, m]), data.measure, { "aria-label": texts.by_measure, "data-focus": "measure", onchange: (e) => view.tell("go", { measure: e.target.value }) })),
    h("ol", { class: "worst" }, data.worst.map((asked) => h("li", {},
      h("div", { class: "asked" }, h("a", { href: `/?lang=${data.language}&q=${encodeURIComponent(asked.words || "")}`, lang: asked.language === "zh" ? "zh-CN" : "en" }, asked.words || asked.starts_from || asked.id), h("span", { class: "soft small" }, `${data.measure} ${asked.values[data.measure].toFixed(3)}`)),
      h("div", { class: "pair" },
        h("div", {}, h("h3", { class: "soft small" }, texts.found), h("ul", { class: "strip" }, asked.found.slice(0, 8).map((key, n) => shown(asked, key, n + 1)))),
        h("div", {}, h("h3", { class: "soft small" }, texts.would_be_right), h("ul", { class: "strip" }, asked.right.map((key, n) => shown(asked, key, n + 1)))))))));
}
