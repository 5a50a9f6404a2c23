const EXAMPLE = `scenes:
  shop:
    layers:
      - name: ranking
        experiments:
          - {name: base, ratio: 0.9}
          - {name: diverse, ratio: 0.1, rank: {diversity: 0.4}}`;

export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= {});
  view.data = data;
  view.tell = setTriggerValue;
  const { texts } = data;
  const any = data.scenes.some((s) => s.layers.length);
  fill(place.content,
    keep(place, "top", texts.title, () => h("div", {}, h("h1", {}, texts.title), h("p", { class: "soft" }, texts.about))),
    keep(place, "file", data.file_error, () => h("div", { role: "alert" }, data.file_error ? h("p", { class: "notice" }, icon("alert"), h("span", {}, texts.broken_file, " ", h("code", {}, data.file_error))) : null)),
    any ? keep(place, "columns", [data.scenes, data.scene, data.layer, data.action, data.since, data.until, data.report, data.error, texts.title], () => h("div", { class: "columns" }, scenes(view), report(view)))
      : keep(place, "none", texts.title, () => h("section", { class: "panel nothing" }, h("h2", {}, texts.none), h("p", { class: "soft" }, texts.none_hint), h("pre", { tabindex: 0, "aria-label": "scenes.yaml" }, EXAMPLE))));
}

function percent(share, language) {
  return number(100 * share, 1, language);
}

function scenes(view) {
  const { data } = view, { texts } = data;
  const layer = (scene, one) => {
    const on = scene.name === data.scene && one.name === data.layer;
    return h("li", {}, h("button", { type: "button", class: "layer", "aria-current": on ? "true" : null, "data-focus": `layer-${scene.name}-${one.name}`, onclick: () => view.tell("go", { scene: scene.name, layer: one.name }) },
      h("strong", {}, one.name), one.bucket === "random" ? h("span", { class: "soft small" }, texts.drawn) : null,
      h("span", { class: "stack", "aria-hidden": "true" }, Object.entries(one.experiments).map(([, share], n) => h("span", { class: `part${n % 4}`, style: { width: `${100 * share}%` } }))),
      h("span", { class: "shares small" }, Object.entries(one.experiments).map(([name, share], n) => h("span", { class: `key part${n % 4}` }, `${name} ${percent(share, data.language)} %`)))));
  };
  return h("aside", { "aria-label": texts.scenes }, h("h2", { class: "visually-hidden" }, texts.scenes),
    [...data.scenes].sort((a, b) => Number(b.layers.length > 0) - Number(a.layers.length > 0)).map((scene) => h("section", { class: "scene" },
      h("h3", {}, scene.name, " ", h("a", { class: "small", href: `/beside?lang=${data.language}&a=${encodeURIComponent(JSON.stringify([scene.name]))}` }, texts.look_at)),
      scene.layers.length ? h("ul", {}, scene.layers.map((one) => layer(scene, one))) : h("p", { class: "soft small" }, texts.no_layers))));
}

function report(view) {
  const { data } = view, { texts, report } = data;
  const set = (name) => (e) => view.tell("go", { scene: data.scene, layer: data.layer, [name]: e.target.value });
  const date = (name) => h("input", { type: "date", value: data[name], "data-focus": name, onchange: set(name) });
  return h("section", { class: "panel report", "aria-label": say(texts.report, { scene: data.scene, layer: data.layer }) },
    h("h2", {}, say(texts.report, { scene: data.scene, layer: data.layer })),
    h("div", { class: "fields" },
      field(texts.measure, choice(["click", "cart", "buy", "dismissed"].map((a) => [a, texts[`action_${a}`]]), data.action, { "data-focus": "action", onchange: set("action") })),
      field(texts.since, date("since")), field(texts.until, date("until"))),
    data.error ? h("p", { class: "notice" }, icon("alert"), h("span", {}, data.error)) : null,
    report ? found(view) : null);
}

function p(value) {
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

function found(view) {
  const { data } = view, { texts, report } = data;
  const names = Object.keys(report.users), base = names[0];
  const total = Object.values(report.users).reduce((a, b) => a + b, 0);
  const effects = Object.entries(report.effects);
  const signed = (v) => (v > 0 ? "+" : "") + v.toFixed(4);
  const sure = (e) => e.low_at_any_time > 0 || e.high_at_any_time < 0;
  const mean = (name) => (name === base ? effects[0]?.[1].means[0] : report.effects[name]?.means[1]);
  const row = (name) => {
    const e = report.effects[name];
    return h("tr", {}, h("th", { scope: "row" }, name, name === base ? h("span", { class: "soft small base" }, texts.base) : null),
      h("td", { class: "right" }, number(report.users[name], 0, data.language), h("span", { class: "soft small base" }, `${texts.expected} ${number(total * report.shares[name], 0, data.language)}`)),
      h("td", { class: "right" }, number(report.answers[name] || 0, 0, data.language)),
      h("td", { class: "right" }, mean(name) === undefined ? "" : mean(name).toFixed(4)),
      e ? [h("td", { class: `right ${sure(e) ? (e.difference > 0 ? "good" : "bad") : ""}` }, signed(e.difference)),
        h("td", { class: "right soft" }, `${signed(e.low)} … ${signed(e.high)}`), h("td", { class: "right soft" }, p(e.p)),
        h("td", { class: "right soft" }, `${signed(e.low_at_any_time)} … ${signed(e.high_at_any_time)}`), h("td", { class: "right soft" }, p(e.p_at_any_time))] : [1, 2, 3, 4, 5].map(() => h("td", {})));
  };
  const wide = Math.max(0.002, ...effects.flatMap(([, e]) => [Math.abs(e.low_at_any_time), Math.abs(e.high_at_any_time)])) * 1.05;
  return h("div", { class: "found" },
    total && !report.trusted ? h("p", { class: "notice", role: "alert" }, icon("alert"), h("span", {}, say(texts.split_broken, { p: p(report.split_p) })))
      : total ? h("p", { class: "soft small" }, icon("check"), say(texts.split_fine, { p: p(report.split_p) })) : null,
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": texts.effect }, h("table", {},
      h("thead", {}, h("tr", {}, [texts.experiment, texts.users, texts.answers, texts.mean, texts.effect, texts.at_the_end, texts.p_end, texts.any_time, texts.p_any].map((t, n) => h("th", { scope: "col", class: n ? "right" : "" }, t)))),
      h("tbody", {}, names.map(row)))),
    effects.length ? intervals({ label: say(texts.plot, { base }), from: -wide, to: wide, zero: true, digits: 3, rows: effects.map(([name, e]) => ({ name: name.slice(0, 14), value: e.difference, low: e.low_at_any_time, high: e.high_at_any_time, tone: sure(e) ? (e.difference > 0 ? "first" : "second") : "third" })) })
      : h("p", { class: "soft small" }, texts.too_few),
    effects.length ? h("p", { class: "soft small" }, texts.how_to_read) : null,
    Object.keys(report.duels).length ? h("div", {}, h("h3", {}, texts.duels), h("ul", { class: "small" }, Object.entries(report.duels).map(([name, d]) => h("li", {}, say(texts.duel, { name, a: d.rivals[0], na: d.wins[0], b: d.rivals[1], nb: d.wins[1], ties: d.ties, p: p(d.p) }))))) : null);
}
