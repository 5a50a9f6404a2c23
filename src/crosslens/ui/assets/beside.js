export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= {});
  view.data = data;
  view.tell = setTriggerValue;
  const { texts } = data;
  fill(place.content,
    keep(place, "top", texts.title, () => h("div", {}, h("h1", {}, texts.title), h("p", { class: "soft" }, texts.about))),
    keep(place, "form", [data.words, data.ways, data.chosen, texts.title], () => form(view)),
    keep(place, "error", data.error, () => h("div", { role: "alert" }, data.error ? h("p", { class: "notice" }, icon("alert"), h("span", {}, data.error)) : null)),
    keep(place, "sides", [data.sides, data.words, texts.title], () => sides(view)));
}

function named(way, texts) {
  return way.length === 3 ? `${way[0]} · ${way[1]}: ${way[2]}` : way[0] || texts.plain;
}

function form(view) {
  const { data } = view, { texts } = data;
  const options = data.ways.map((way) => [JSON.stringify(way), named(way, texts)]);
  const [a, b] = data.chosen.map((way) => JSON.stringify(way));
  const box = h("input", { type: "search", value: data.words, maxlength: 2000, placeholder: texts.ask, "aria-label": texts.ask, "data-focus": "ask" });
  const go = (changes) => view.tell("go", { q: box.value.trim(), a, b, ...changes });
  return h("form", { role: "search", class: "ask", onsubmit: (e) => { e.preventDefault(); go({}); } },
    box, h("button", { type: "submit", class: "button main" }, icon("search"), texts.go),
    h("div", { class: "ways" },
      field(texts.left, choice(options, a, { "data-focus": "a", onchange: (e) => go({ a: e.target.value }) })),
      h("button", { type: "button", class: "button quiet swap", "aria-label": texts.swap, title: texts.swap, "data-focus": "swap", onclick: () => go({ a: b, b: a }) }, icon("left"), icon("right")),
      field(texts.right, choice(options, b, { "data-focus": "b", onchange: (e) => go({ b: e.target.value }) }))));
}

function sides(view) {
  const { data } = view, { texts } = data;
  if (!data.sides.length) return h("p", { class: "soft" }, data.words ? "" : texts.start);
  const [left, right] = data.sides;
  const n = Math.max(left.hits.length, right.hits.length);
  const both = left.hits.filter((hit) => hit.moved !== null).length, same = left.hits.filter((hit) => hit.moved === 0).length;
  const alike = same === n && left.hits.length === right.hits.length;
  return h("div", { class: "found" },
    n ? h("p", { class: "soft small", role: "status" }, alike ? texts.alike : say(texts.both, { n, both, same })) : null,
    h("div", { class: "sides" }, data.sides.map((each, at) => side(view, each, data.chosen[at]))));
}

function side(view, one, way) {
  const { data } = view, { texts } = data;
  const took = Object.fromEntries(Object.entries(one.stages).map(([k, v]) => [k, number(v, 1, data.language)]));
  return h("section", { "aria-label": named(way, texts) },
    h("div", { class: "name" }, h("h2", {}, named(way, texts)), h("p", { class: "soft small" }, one.stages.match === undefined ? say(texts.took, { ms: number(one.took_ms, 0, data.language) }) : say("reranker" in took ? texts.stages_again : texts.stages, took)),
      one.no_good_match ? h("p", { class: "doubt small" }, icon("alert"), texts.no_good_match) : null),
    one.hits.length ? h("ol", { class: "hits" }, one.hits.map((hit, n) => h("li", { class: `hit ${tone(hit)}` },
      h("a", { class: "frame", href: hit.href, tabindex: -1, "aria-hidden": "true" }, shownPicture(hit, hit.picture, 256, texts, n > 5)),
      h("div", { class: "words" },
        h("p", { class: "small soft place" }, h("span", {}, h("span", { class: "visually-hidden" }, say(texts.place, { n: n + 1 })), h("span", { "aria-hidden": "true" }, String(n + 1))), mark(hit, texts)),
        h("a", { class: "title", href: hit.href, lang: hit.lang, title: hit.title }, hit.title),
        hit.chance === null ? null : h("p", { class: "soft small" }, say(texts.chance, { n: number(100 * hit.chance, 0, data.language) }))))))
      : h("p", { class: "soft" }, texts.nothing));
}

function tone(hit) {
  return hit.moved === null ? "only" : hit.moved > 0 ? "higher" : hit.moved < 0 ? "lower" : "same";
}

function mark(hit, texts) {
  const said = { only: texts.only_here, same: texts.same, higher: say(texts.higher, { n: hit.moved }), lower: say(texts.lower, { n: -hit.moved }) }[tone(hit)];
  return h("span", { class: "moved" }, { only: "✦", same: "=", higher: "↑", lower: "↓" }[tone(hit)], " ", said);
}
